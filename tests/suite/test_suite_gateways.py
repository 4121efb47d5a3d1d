from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite.gateways import GatewaySpec, parse_command, parse_gateway
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.suite.distributed import Distributed

_EXPECTED = "expected popen, ssh or ssh=HOST, with //python=COMMAND or //ssh_config=FILE"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("popen", GatewaySpec("popen")),
        ("popen//python=python3.9 -I", GatewaySpec("popen", python="python3.9 -I")),
        (
            "popen//python=kubectl exec -i pod -- python3",
            GatewaySpec("popen", python="kubectl exec -i pod -- python3"),
        ),
        ("ssh", GatewaySpec("ssh")),
        ("ssh//python=python3.11", GatewaySpec("ssh", python="python3.11")),
        ("ssh=node1", GatewaySpec("ssh", ("node1",))),
        (
            "ssh=-J jump  -p 2222 me@node1//ssh_config=~/c//python=sudo python3",
            GatewaySpec("ssh", ("-J", "jump", "-p", "2222", "me@node1"), "sudo python3", "~/c"),
        ),
    ],
)
def test_a_gateway_has_parts(text: str, spec: GatewaySpec) -> None:
    assert parse_gateway(text) == spec


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("socket=node1:8888", f"'socket=node1:8888' is no gateway: {_EXPECTED}"),
        ("popen=1", f"'popen=1' is no gateway: {_EXPECTED}"),
        ("", f"'' is no gateway: {_EXPECTED}"),
        ("ssh=", "'ssh=' names no host: expected ssh=HOST, or ssh for the agent's address"),
        ("ssh=-v", "'ssh=-v' names no host: expected ssh=HOST, or ssh for the agent's address"),
        ("popen//nice=5", f"'popen//nice=5': 'nice=5' cannot stand there: {_EXPECTED}"),
        ("popen//env:A=b", f"'popen//env:A=b': 'env:A=b' cannot stand there: {_EXPECTED}"),
        ("popen//", f"'popen//': '' cannot stand there: {_EXPECTED}"),
        ("ssh//python=", f"'ssh//python=': 'python=' cannot stand there: {_EXPECTED}"),
        ("ssh//python=a//python=b", f"'ssh//python=a//python=b': 'python=b' cannot stand there: {_EXPECTED}"),
        ("popen//ssh_config=c", f"'popen//ssh_config=c': popen has no use for ssh_config: {_EXPECTED}"),
        ("ssh//python='", '"\'" is not a command: no closing quotation'),
    ],
)
def test_what_cannot_start_an_agent_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        parse_gateway(text)
    assert str(caught.value) == complaint


@pytest.mark.parametrize("text", ["", " ", "/usr//bin/python3", "python3\n"])
def test_a_command_is_one_line_without_double_slashes(text: str) -> None:
    with pytest.raises(ValueError, match=r"^") as caught:
        parse_command(text)
    assert str(caught.value) == (
        f"{text!r} is not a command that starts Python: expected one such as python3, without '//'"
    )


def _distributed(tmp_path: Path, agent: str, ssh: str = "{}") -> Distributed:
    path = tmp_path / "s.yaml"
    path.write_text(
        "target: file:///mnt/\n"
        "workload: [{op: put, weight: 1, object_size: 1}]\n"
        f"distributed:\n  ssh: {ssh}\n  agents: [{{address: node1, {agent}}}]\n"
    )
    loaded = load(path, env={"TOKEN": "sesame"}, shown="s.yaml")
    assert loaded.warnings == ()
    assert loaded.suite.distributed
    return loaded.suite.distributed


def test_variables_are_texts(tmp_path: Path) -> None:
    distributed = _distributed(tmp_path, 'env: {A: "1", B: 2, C: 0.5, _d: "${TOKEN}", E: ""}')

    assert distributed.agents[0].env == {"A": "1", "B": "2", "C": "0.5", "_d": "sesame", "E": ""}


def test_ssh_has_defaults(tmp_path: Path) -> None:
    ssh = _distributed(tmp_path, "id: a").ssh

    assert (ssh.user, ssh.port, ssh.key_path, ssh.known_hosts, ssh.config) == (None,) * 5
    assert ssh.timeout == 10


@pytest.mark.parametrize(
    ("agent", "ssh", "problem"),
    [
        ("env: {A: true}", "{}", "5: distributed.agents[0].env: A is true: expected text"),
        ("env: {A: [1]}", "{}", "5: distributed.agents[0].env: A is a list: expected text"),
        (
            "env: {A-B: 1}",
            "{}",
            "5: distributed.agents[0].env: 'A-B' is no name of a variable: expected letters, digits and '_'",
        ),
        ("env: [A]", "{}", "5: distributed.agents[0].env: expected a mapping, found a list"),
        (
            'gateway: "ssh//python=a", python: b',
            "{}",
            "5: distributed.agents[0].python: 'gateway' has a 'python', too: expected one of them",
        ),
        ("gateway: telnet", "{}", f"5: distributed.agents[0].gateway: 'telnet' is no gateway: {_EXPECTED}"),
        (
            "python: /opt//python",
            "{}",
            (
                "5: distributed.agents[0].python: '/opt//python' is not a command that starts Python: expected one such "
                "as python3, without '//'"
            ),
        ),
        ("id: a", "{port: 65536}", "4: distributed.ssh.port: too large: expected at most 65535"),
        ("id: a", "{timeout: 0}", "4: distributed.ssh.timeout: too small: expected more than 0"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, agent: str, ssh: str, problem: str) -> None:
    with pytest.raises(SuiteError) as caught:
        _distributed(tmp_path, agent, ssh)

    assert str(caught.value) == f"s.yaml:{problem}"
