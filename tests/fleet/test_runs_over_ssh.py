"""Runs whose agents are reached over ssh, through a real sshd on loopback addresses."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_sai3bench.fleet.run import Run

_SUITE = """
    duration: 300ms
    concurrency: 4
    distributed:
      ssh: {ssh}
      agents: {agents}
    prepare:
      ensure_objects: [{{base_uri: data/, count: 24, size_spec: 512}}]
      cleanup: true
    workload:
      - {{op: get, path: "data/*", weight: 1}}
"""


def _perform(run: Run) -> None:
    run.prepare()
    run.work()
    run.clean_up()


def test_many_agents_of_a_host_share_one_connection(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    sshd: Callable[[str], Any],
    files_below: Callable[[Path], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More logins at one time than sshd takes; and a local agent beside them."""
    temporary = Path(tmp_path, "t")
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    server = sshd("127.0.0.21")
    python = server.python
    agents = [
        f"{{address: 127.0.0.21, gateway: ssh, python: {python}, target_override: 'file://{{tmp}}/m{1 + i % 4}/'}}"
        for i in range(11)
    ]
    agents.append("{address: localhost, id: here, target_override: 'file://{tmp}/m1/'}")
    run = run_of(_SUITE.format(ssh=server.block, agents=f"[{', '.join(agents)}]"))
    _perform(run)
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    prepare, workload, cleanup = result.phases
    assert (prepare.tally().ops, cleanup.tally().ops) == (24, 24)
    assert [agent.outcome for agent in workload.agents] == ["completed"] * 12
    assert min(workload.tally(agent=agent.agent).ops for agent in workload.agents) > 0
    assert server.log().count("Accepted publickey") == 1
    assert files_below(store) == []
    assert list(temporary.iterdir()) == []


def test_nothing_needs_to_be_installed_on_the_host(
    run_of: Callable[[str], Run], store: Path, sshd: Callable[[str], Any]
) -> None:
    """Without this environment and without site-packages, on the oldest Python there is."""
    pyenv = sorted(Path("~/.pyenv/versions").expanduser().glob("3.9.*/bin/python3.9"))
    old = str(pyenv[0]) if pyenv else shutil.which("python3.9")
    python = f"{shlex.quote(old or sys.executable)} -I -S"
    server = sshd("127.0.0.21")
    agents = (
        f"[{{address: 127.0.0.21, gateway: ssh, python: {python}, target_override: 'file://{{tmp}}/m1/'}}]"
    )
    run = run_of(_SUITE.format(ssh=server.block, agents=agents) + "    processes: 2\n")
    _perform(run)
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    [agent] = result.phases[1].agents
    assert (agent.workers, agent.python.startswith("3.9.")) == (2, bool(old))


def test_any_command_that_starts_python_is_a_gateway(
    run_of: Callable[[str], Run], store: Path, tmp_path: Path
) -> None:
    """As `kubectl exec` and `docker exec` are: the Python of the agents is the one behind the command."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text('#!/bin/sh\nexport PLACE=elsewhere\nexec "$@"\n')
    elsewhere.chmod(0o755)
    python = f"{elsewhere} {sys.executable}"
    agents = (
        f"[{{address: pod-1, gateway: popen//python={python}, target_override: 'file://{{tmp}}/m1/', "
        "env: {PLACE: here, TWICE: 2}}]"
    )
    run = run_of(_SUITE.format(ssh="{}", agents=agents))
    _perform(run)

    assert (run.result().status, run.result().reason) == ("completed", "")


def test_variables_are_set_in_the_agent_alone(
    run_of: Callable[[str], Run],
    store: Path,
    sshd: Callable[[str], Any],
    change_agent: Callable[[str, str, str], None],
) -> None:
    change_agent("serve", '"host": socket.gethostname(),', '"host": os.environ["CANARY"],')
    server = sshd("127.0.0.21")
    agents = (
        "[{address: 127.0.0.21, gateway: ssh, env: {CANARY: sings}, target_override: 'file://{tmp}/m1/'}]"
    )
    run = run_of(_SUITE.format(ssh=server.block, agents=agents))
    run.prepare()

    [member] = run._fleet._members
    assert member.hello["host"] == "sings"
    environment = Path(f"/proc/{member.hello['pid']}/environ").read_text()
    assert "PATH=" in environment
    assert "CANARY" not in environment
