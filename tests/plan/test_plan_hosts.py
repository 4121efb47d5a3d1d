"""Where agents run and how they are reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.model import HostPlan, Origin, SshPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan


def _suite(agent: str, ssh: str = "{}", more: str = "target: file:///mnt/") -> str:
    return (
        f"{more}\ndistributed:\n  ssh: {ssh}\n  agents:\n    - {agent}\n"
        "workload: [{op: put, weight: 1, object_size: 1}]\n"
    )


@pytest.mark.parametrize(
    ("agent", "python", "ssh"),
    [
        ("{address: localhost}", "", None),
        ("{address: 127.0.0.2, python: python3.9}", "python3.9", None),
        ("{address: node1, gateway: popen//python=sudo python3}", "sudo python3", None),
        ("{address: node1}", "python3", SshPlan("node1")),
        ("{address: 'node1:7761', python: python3.12 -I}", "python3.12 -I", SshPlan("node1")),
        ("{address: '[2001:db8::1]:7761'}", "python3", SshPlan("2001:db8::1")),
        ("{address: 'me@[::1]:7761'}", "python3", SshPlan("me@::1")),
        # A loopback address over ssh has to be asked for.
        ("{address: 127.0.0.2, gateway: ssh}", "python3", SshPlan("127.0.0.2")),
        ("{address: me@localhost}", "python3", SshPlan("me@localhost")),
        ("{address: node1, gateway: ssh=alias}", "python3", SshPlan("alias")),
        (
            "{address: node1, gateway: ssh=-J jump -p 22 you@n1//python=py3}",
            "py3",
            SshPlan("you@n1", ("-J", "jump", "-p", "22")),
        ),
    ],
)
def test_the_address_says_how_a_host_is_reached(
    plan_of: Callable[..., RunPlan], agent: str, python: str, ssh: SshPlan | None
) -> None:
    key = "gateway" if "gateway" in agent else "address"
    host = plan_of(_suite(agent)).workers[0].host

    assert host == HostPlan(Origin("", ""), python, ssh)
    assert host.origin == Origin("s.yaml:5", f"distributed.agents[0].{key}")
    assert host.is_here is (ssh is None and not python)


def test_a_run_without_agents_is_here(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of("target: file:///mnt/\nworkload: [{op: put, weight: 1, object_size: 1}]\n")

    assert plan.workers[0].host == HostPlan()


_BLOCK = "{user: bench, port: 2222, key_path: keys/k, known_hosts: /etc/kh, config: ~/c, timeout: 3s}"


@pytest.mark.parametrize(
    ("agent", "host", "user"),
    [
        ("{address: node1}", "node1", "bench"),
        ("{address: me@node1}", "me@node1", ""),
        ("{address: node1, gateway: ssh=-l you node2}", "node2", ""),
    ],
)
def test_the_ssh_block_holds_for_all_hosts(
    plan_of: Callable[..., RunPlan], tmp_path: Path, agent: str, host: str, user: str
) -> None:
    ssh = plan_of(_suite(agent, _BLOCK)).workers[0].host.ssh

    assert ssh == SshPlan(
        host,
        ("-l", "you") if "you" in agent else (),
        user=user,
        port=2222,
        key_file=str(tmp_path / "keys/k"),
        known_hosts="/etc/kh",
        config=str(Path.home() / "c"),
        timeout_s=3.0,
    )


def test_hosts_are_equal_when_they_are_reached_alike(plan_of: Callable[..., RunPlan]) -> None:
    agents = "{address: node1}\n    - {address: 'node1:1', id: b}\n    - {address: node1, python: python3 -I}"
    first, second, third = (worker.host for worker in plan_of(_suite(agents)).workers)

    assert first == second
    assert hash(first) == hash(second)
    assert first != third


def test_values_of_the_environment_are_in_no_document(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_suite("{address: node1, env: {TOKEN: sesame, MODE: fast}}"))

    assert plan.workers[0].env == (("TOKEN", "sesame"), ("MODE", "fast"))
    assert plan.to_document()["workers"][0]["env"] == ["TOKEN", "MODE"]
    shown = [repr(plan), json.dumps(plan.to_document()), json.dumps(plan.workers[0].to_wire())]
    assert [text for text in shown if "sesame" in text] == []


@pytest.mark.parametrize("address", ["node2", "node2:7761", "10.0.0.2", "me@node2"])
def test_other_hosts_cannot_reach_the_embedded_server(
    problems_of: Callable[..., list[str]], address: str
) -> None:
    more = "embedded_server: {endpoints: 1}\ntarget: s3://embedded-1/bucket/"

    assert problems_of(_suite(f"{{address: '{address}'}}", more=more)) == [
        f"s.yaml:6: distributed.agents[0].address: {address} cannot reach the embedded server: expected localhost",
    ]


def test_this_host_reaches_the_embedded_server_over_ssh_too(plan_of: Callable[..., RunPlan]) -> None:
    more = "embedded_server: {endpoints: 1}\ntarget: s3://embedded-1/bucket/\nprocesses: auto"

    assert plan_of(_suite("{address: 127.0.0.2, gateway: ssh}", more=more)).notes is not None


def test_an_empty_list_of_agents_is_this_host(plan_of: Callable[..., RunPlan]) -> None:
    text = (
        "target: file:///mnt/\nworkload: [{op: put, weight: 1, object_size: 1}]\ndistributed: {agents: []}\n"
    )
    (worker,) = plan_of(text).workers

    assert (worker.agent, worker.address, worker.host.is_here) == ("local", "localhost", True)
