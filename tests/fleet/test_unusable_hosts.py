"""Hosts on which no agent can run: told all at once, each with its cause and what to do about it."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import AgentStartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run


@pytest.fixture
def silent() -> Iterator[int]:
    """Return a port that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def refused() -> Iterator[int]:
    """Return a port on which nothing listens, and which nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def _suite(block: str, agents: list[str]) -> str:
    listed = "".join(f"    - {agent}\n" for agent in agents)
    return (
        f"target: file://{{tmp}}/m1/\ndistributed:\n  ssh: {block}\n  agents:\n{listed}"
        "workload: [{op: put, weight: 1, object_size: 1}]\n"
    )


def _refusal(run: Run) -> list[str]:
    with pytest.raises(AgentStartError) as caught:
        run.prepare()
    run.clean_up()
    assert (run.result().status, run.result().reason, run.result().phases) == (
        "failed",
        str(caught.value),
        (),
    )
    return str(caught.value).splitlines()


def test_every_host_is_told_with_its_cause(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    sshd: Callable[[str], Any],
    make_key: Callable[[Path], None],
    silent: int,
    refused: int,
    tmp_path: Path,
) -> None:
    server = sshd("127.0.0.21")
    (tmp_path / "unknown").touch()
    make_key(tmp_path / "other")
    other = (tmp_path / "other.pub").read_text()
    (tmp_path / "changed").write_text(f"[127.0.0.21]:{server.port} {other}")
    user = getpass.getuser()
    host = "127.0.0.21"
    cases = [
        (
            f"gateway: 'ssh=-p {refused} 127.0.0.1'",
            f"127.0.0.1: ssh: connect to host 127.0.0.1 port {refused}: Connection refused",
            "Start sshd there, or correct the port: distributed.ssh.port, or Port in the ssh configuration.",
        ),
        (
            f"gateway: 'ssh=-o ConnectTimeout=2 -p {silent} 127.0.0.1'",
            "127.0.0.1: Connection timed out during banner exchange",
            "Check that it runs and that no firewall is between, or raise distributed.ssh.timeout.",
        ),
        (
            f"gateway: 'ssh=-o UserKnownHostsFile={tmp_path}/unknown {host}'",
            (
                f"{host}: No ED25519 host key is known for [{host}]:{server.port} and you have requested strict "
                "checking."
            ),
            (
                "Make sure whose key it is, then add it to known_hosts: connect once by hand with ssh, or use "
                "ssh-keyscan."
            ),
        ),
        (
            f"gateway: 'ssh=-o UserKnownHostsFile={tmp_path}/changed {host}'",
            f"{host}: its key is not the one that is known from {tmp_path}/changed:1",
            (
                "Another host answers there, or it was installed anew: make sure, then remove the old key with "
                "ssh-keygen -R."
            ),
        ),
        (
            f"gateway: 'ssh=-l no-{user} {host}'",
            f"{host}: no-{user}@{host}: Permission denied (publickey).",
            (
                "Check user and key: distributed.ssh.user and key_path, a key in ssh-agent, authorized_keys on the "
                "host. Nothing asks for passwords."
            ),
        ),
        (
            "gateway: ssh, python: /no/such/python",
            f"{host}: bash: line 1: /no/such/python: No such file or directory",
            "Install Python 3.9 or newer there, or name it in distributed.agents[].python.",
        ),
        (
            "gateway: ssh, python: echo sai3bench 2.7; cat",
            f"{host}: echo sai3bench 2.7; cat is Python 2.7",
            "Agents need Python 3.9 or newer: name another one in distributed.agents[].python.",
        ),
        (
            "gateway: ssh, python: 'false'",
            f"{host}: false ended with status 1",
            "Try it by hand: the command has to start a Python that reads from its standard input.",
        ),
        (
            "gateway: ssh, python: echo Welcome; python3",
            f"{host}: something wrote 'Welcome' before Python began",
            "Let login scripts such as .bashrc write nothing when the session is not interactive.",
        ),
        (
            "gateway: popen//python=/no/such/program -x",
            "'/no/such/program -x': /no/such/program cannot be started: No such file or directory",
            "Install Python 3.9 or newer there, or name it in distributed.agents[].python.",
        ),
        (
            f"gateway: ssh=far//ssh_config={tmp_path}/none",
            f"far: there is no file {tmp_path}/none",
            "Correct the path in distributed.ssh, or make the file.",
        ),
        (
            "gateway: ssh=no.such.host.invalid",
            "no.such.host.invalid: ssh: Could not resolve hostname no.such.host.invalid",
            "Correct the name, or add it to the DNS, /etc/hosts or the ssh configuration of this host.",
        ),
    ]
    agents = [f"{{id: a{number}, address: {host}, {case[0]}}}" for number, case in enumerate(cases)]
    # Well, and in the same run.
    agents += [f"{{id: good, address: {host}, gateway: ssh}}", "{id: local, address: localhost}"]
    lines = _refusal(run_of(_suite(server.block, agents)))
    # How it puts what it means depends on the resolver.
    lines[-2] = lines[-2].rpartition(": ")[0]

    assert lines == [
        line
        for number, (_, cause, remedy) in enumerate(cases)
        for line in (f"s.yaml:{5 + number}: a{number} cannot run on {cause}", f"  {remedy}")
    ]


def test_a_host_without_ssh_is_told(
    run_of: Callable[[str], Run], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(store))

    assert _refusal(run_of(_suite("{}", ["{id: a, address: node1}", "{id: b, address: node1}"]))) == [
        "s.yaml:5: a, b cannot run on node1: ssh cannot be started: No such file or directory",
        "  Install the OpenSSH client on this host.",
    ]


def test_a_host_on_which_nothing_can_be_written_is_told(run_of: Callable[[str], Run], store: Path) -> None:
    full = store.parent / "full"
    full.write_text(f'#!/bin/bash\nulimit -f 0\nexec {sys.executable} "$@"\n')
    full.chmod(0o755)
    refusal = _refusal(run_of(_suite("{}", [f"{{id: a, address: node1, gateway: popen//python={full}}}"])))

    error = "FileNotFoundError: [Errno 2] No usable temporary directory found in "
    assert refusal[0].startswith(f"s.yaml:5: a cannot run on '{full}': {error}")
    assert refusal[1:] == ["  Check the folder for temporary files on the host, and its memory."]
