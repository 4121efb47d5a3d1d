"""Other hosts than the suite's, or none: --sai3-agents and --sai3-no-agents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_AGENTS = """\
multi_endpoint: {strategy: least_connections}
distributed:
  agents:
    - {address: node1, gateway: ssh=alias, python: python3.12, multi_endpoint: {endpoints: ["s3://10.0.0.1:9/bench/"]}}
    - {address: node2, id: two, multi_endpoint: {endpoints: ["s3://10.0.0.2:9/bench/", "s3://10.0.0.3:9/bench/"]}}
    - {address: localhost, gateway: popen//python=sudo python3, target_override: "s3://10.0.0.2:9/bench/"}
    - {address: localhost, target_override: "s3://10.0.0.4:9/bench/", concurrency_override: 2}
concurrency: 8
workload:
  - {op: put, path: new/, weight: 1, object_size: 1}
"""
_ALONE = """\
target: s3://10.0.0.1:9/bench/
workload:
  - {op: put, path: new/, weight: 1, object_size: 1}
"""


@pytest.fixture
def planned(pytester: pytest.Pytester) -> Callable[..., list[str]]:
    """Return ``planned(suite, *options)``: the lines of the dry run about agents and endpoints."""

    def planned(suite: str, *options: str) -> list[str]:
        (pytester.path / "s.sai3.yaml").write_text(suite)
        result = pytester.runpytest("--sai3-dry-run", *options)
        assert result.ret == 0
        return [
            line.partition("  s.sai3")[0].rstrip()
            for line in result.outlines
            if line.startswith(("agent ", "  s3://"))
        ]

    return planned


def test_the_suite_says_where_its_agents_run(planned: Callable[..., list[str]]) -> None:
    assert planned(_AGENTS) == [
        "agent agent-1 at node1 over ssh: 8 lanes, least_connections from s.sai3.yaml:1 (multi_endpoint.strategy)",
        "  s3://10.0.0.1:9/bench/",
        "agent two at node2 over ssh: 8 lanes, least_connections from s.sai3.yaml:1 (multi_endpoint.strategy)",
        "  s3://10.0.0.2:9/bench/",
        "  s3://10.0.0.3:9/bench/",
        "agent agent-3 at localhost by sudo python3: 8 lanes, round_robin",
        "  s3://10.0.0.2:9/bench/",
        "agent agent-4 at localhost: 2 lanes, round_robin",
        "  s3://10.0.0.4:9/bench/",
    ]


def test_agents_take_other_hosts_in_turn(planned: Callable[..., list[str]]) -> None:
    assert planned(_AGENTS, "--sai3-agents", "10.1.1.1,me@localhost,::1") == [
        "agent agent-1 at 10.1.1.1 over ssh: 8 lanes, least_connections from s.sai3.yaml:1 (multi_endpoint.strategy)",
        "  s3://10.0.0.1:9/bench/",
        "agent two at me@localhost over ssh: 8 lanes, least_connections from s.sai3.yaml:1 (multi_endpoint.strategy)",
        "  s3://10.0.0.2:9/bench/",
        "  s3://10.0.0.3:9/bench/",
        "agent agent-3 at ::1: 8 lanes, round_robin",
        "  s3://10.0.0.2:9/bench/",
        "agent agent-4 at 10.1.1.1 over ssh: 2 lanes, round_robin",
        "  s3://10.0.0.4:9/bench/",
    ]


def test_a_suite_without_agents_gets_one_on_each_host(planned: Callable[..., list[str]]) -> None:
    assert planned(_ALONE, "--sai3-agents=node1,node2") == [
        "agent agent-1 at node1 over ssh: 16 lanes, round_robin",
        "  s3://10.0.0.1:9/bench/",
        "agent agent-2 at node2 over ssh: 16 lanes, round_robin",
        "  s3://10.0.0.1:9/bench/",
    ]


def test_this_host_drives_all_endpoints_alone(planned: Callable[..., list[str]]) -> None:
    assert planned(_AGENTS, "--sai3-no-agents") == [
        "agent local at localhost: 8 lanes, least_connections from s.sai3.yaml:1 (multi_endpoint.strategy)",
        "  s3://10.0.0.1:9/bench/",
        "  s3://10.0.0.2:9/bench/",
        "  s3://10.0.0.3:9/bench/",
        "  s3://10.0.0.4:9/bench/",
    ]
    assert planned(_ALONE, "--sai3-no-agents") == [
        "agent local at localhost: 16 lanes, round_robin",
        "  s3://10.0.0.1:9/bench/",
    ]


def test_more_hosts_than_agents_are_refused(pytester: pytest.Pytester) -> None:
    (pytester.path / "s.sai3.yaml").write_text(_AGENTS)
    result = pytester.runpytest("--sai3-agents", "a,b,c,d,e")

    assert result.ret == 2
    result.stdout.fnmatch_lines(
        ["*s.sai3.yaml:3: distributed.agents: 5 hosts for 4 agents: expected no more than agents"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--sai3-agents", "a", "--sai3-no-agents"],
            "ERROR: --sai3-agents and --sai3-no-agents: expected one of them",
        ),
        (
            ["--sai3-agents="],
            "*argument --sai3-agents: '' is not the address of a host: expected host,user@host,…",
        ),
        (
            ["--sai3-agents=a, b"],
            "*argument --sai3-agents: ' b' is not the address of a host: expected host,user@host,…",
        ),
        (
            ["--sai3-agents=-oX"],
            "*argument --sai3-agents: '-oX' is not the address of a host: expected host,user@host,…",
        ),
    ],
)
def test_wrong_hosts_are_refused(pytester: pytest.Pytester, options: list[str], message: str) -> None:
    result = pytester.runpytest(*options)

    assert result.ret == 4
    result.stderr.fnmatch_lines([message])


def test_another_host_is_really_used(pytester: pytest.Pytester, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    suite = _ALONE.replace("s3://10.0.0.1:9/bench/", f"file://{folder}/")
    (pytester.path / "s.sai3.yaml").write_text(suite)
    result = pytester.runpytest("--sai3-agents", "localhost,127.0.0.2", "--sai3-duration", "200ms")

    result.assert_outcomes(passed=2)
    assert list(folder.iterdir()) != []
