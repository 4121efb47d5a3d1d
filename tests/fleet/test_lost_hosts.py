"""Agents over ssh that end, fall silent or lose their connection in the middle of a run.

Nothing may be left on either side: on the host no agent, none of its helpers and no session of sshd, here no ssh.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet import members
from pytest_sai3bench.fleet.ssh import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.fleet.run import Run

# Without their controller, agents and all that leads to them end within this time.
_ALONE_S = 15.0
_SUITE = """
    duration: 60s
    concurrency: 2
    distributed:
      ssh: {ssh}
      agents:
        - {{address: 127.0.0.21, id: a, gateway: ssh, python: {python}, target_override: "file://{{tmp}}/m1/"}}
        - {{address: 127.0.0.22, id: b, gateway: ssh, python: {python}, target_override: "file://{{tmp}}/m2/"}}
    prepare:
      ensure_objects: [{{base_uri: data/, count: 8, size_spec: 64KiB}}]
      cleanup: true
    workload:
      - {{op: get, path: "data/*", weight: 1}}
"""


@pytest.fixture
def run(run_of: Callable[[str], Run], store: Path, sshd: Callable[..., Any]) -> Run:
    """Return a run of an agent on each of two hosts."""
    first = sshd("127.0.0.21")
    sshd("127.0.0.22", first)
    return run_of(_SUITE.format(ssh=first.block, python=first.python))


def _loss_of(run: Run) -> str:
    """Return how the workload fails, and clean up; both are bounded."""
    with pytest.raises(AgentLostError) as caught:
        run.work()
    run.clean_up()
    result = run.result()
    assert (result.status, result.reason) == ("failed", str(caught.value))
    assert result.notes == ("an agent was lost: what the run made has not been removed",)
    assert result.workload is not None
    assert sorted(agent.outcome for agent in result.workload.agents) == ["aborted", "lost"]
    assert min(result.workload.tally(agent=agent).ops for agent in "ab") > 0
    return str(caught.value)


def _helpers_of(member: Member) -> dict[str, int]:
    """Return the processes by which an agent is reached: here the client and the master, there what they started."""
    host: Any = member.gateway._host
    client = host._group[host.host.name]._io.popen.pid
    keeper = _parent_of(member.hello["pid"])
    return {
        "master": host.host._probe._process.pid,
        "client": client,
        "keeper": keeper,
        "session": _parent_of(keeper),
        "agent": member.hello["pid"],
    }


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.mark.parametrize("victim", ["agent", "keeper", "client", "master"])
def test_whatever_is_killed_ends_the_run_and_leaves_nothing(
    run: Run,
    on_message: Callable[..., list[Member]],
    wait_for_end: Callable[[int], None],
    timeless: Callable[[object], str],
    victim: str,
) -> None:
    killed = on_message("tick", 1, lambda member: os.kill(_helpers_of(member)[victim], signal.SIGKILL))
    run.prepare()
    everything = [pid for member in run._fleet._members for pid in _helpers_of(member).values()]
    hosts = {member.plan.agent: member.plan.address for member in run._fleet._members}
    pids = {member.plan.agent: member.hello["pid"] for member in run._fleet._members}
    loss = timeless(_loss_of(run))
    for pid in everything:
        wait_for_end(pid)

    agent = killed[0].plan.agent
    place = f"{hosts[agent]} ({socket.gethostname()}, process {pids[agent]})"
    text = f"workload: {agent} on {place} ended in the load"
    assert loss.startswith(text)
    # A single agent that dies says nothing about its host.
    connection = f": the connection to {hosts[agent]} is gone"
    assert loss.removeprefix(text).startswith(connection if victim != "agent" else "")
    assert victim != "agent" or loss == text


def test_an_agent_that_stands_still_ends_the_run_and_leaves_nothing(
    run: Run,
    on_message: Callable[..., list[Member]],
    wait_for_end: Callable[[int], None],
    timeless: Callable[[object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(member: Member) -> None:
        # Not before: on a busy machine it takes longer to begin.
        monkeypatch.setattr(members, "SILENCE_S", 3.0)
        os.kill(member.hello["pid"], signal.SIGSTOP)

    stopped = on_message("tick", 1, stop)
    run.prepare()
    everything = [pid for member in run._fleet._members for pid in _helpers_of(member).values()]
    loss = _loss_of(run)
    for pid in everything:
        wait_for_end(pid)

    agent, pid = stopped[0].plan.agent, stopped[0].hello["pid"]
    place = f"{stopped[0].plan.address} ({socket.gethostname()}, process {pid})"
    assert timeless(loss) == (
        f"workload: {agent} on {place} fell silent in the load: nothing was heard of it for 3 s"
    )


@pytest.mark.parametrize("instant", ["start", "workload"])
def test_a_controller_that_is_killed_leaves_nothing(
    tmp_path: Path,
    store: Path,
    *,
    sshd: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    instant: str,
) -> None:
    """When agents have just started, their file is still on the host."""
    server = sshd("127.0.0.21")
    sshd("127.0.0.22", server)
    there = tmp_path / "there"
    there.mkdir()
    suite = tmp_path / "s.yaml"
    python = f"env TMPDIR={there} {server.python}"
    suite.write_text(dedent(_SUITE.format(ssh=server.block, python=python)).replace("{tmp}", str(tmp_path)))
    script = Path(__file__).with_name("signalled_run.py")
    with (
        TemporaryDirectory(prefix="s-") as here,
        subprocess.Popen(
            [sys.executable, str(script), str(suite), {"start": "-2", "workload": "1"}[instant]],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": here},
        ) as controller,
    ):
        try:
            assert controller.stdout
            assert controller.stdout.readline()
            on_hosts = _started_with(f"TMPDIR={there}")
            # A first Python, a keeper and an agent on each host, and one session for all of them.
            assert len(on_hosts) == 2 * 3
            sessions = {_parent_of(pid) for pid in on_hosts} - set(on_hosts)
            ssh = _ssh_of(controller.pid)
            assert (len(sessions), len(ssh)) == (2, 2 * len(["master", "client"]))
            handles = list(map(os.pidfd_open, {*on_hosts, *sessions, *ssh}))
            assert len(list(there.iterdir())) == (2 if instant == "start" else 0)
        finally:
            controller.kill()
        controller.wait()
        killed_s = monotonic()
        for handle in handles:
            assert select.select([handle], [], [], max(0.0, killed_s + _ALONE_S - monotonic()))[0]
            os.close(handle)
        assert list(there.iterdir()) == []
        # Of what nobody is left to remove, the next one to need such a folder does it.
        (left,) = Path(here).iterdir()
        monkeypatch.setattr("tempfile.tempdir", here)
        folder = SocketFolder()
        assert (left.exists(), list(Path(here).iterdir())) == (False, [folder.path])
        # But not of one that lives.
        another = SocketFolder()
        assert sorted(Path(here).iterdir()) == sorted([folder.path, another.path])
        folder.remove()
        another.remove()


def _started_with(setting: str) -> list[int]:
    """Return the processes in whose environment a variable has been set."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            environment = (entry / "environ").read_bytes() if entry.name.isdigit() else b""
            if setting.encode() in environment.split(b"\0"):
                found.append(int(entry.name))
    return found


def _ssh_of(controller: int) -> list[int]:
    """Return the processes of ssh that a controller has started, in whichever of its threads."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and _parent_of(int(entry.name)) == controller:
                found += [int(entry.name)] * (entry / "cmdline").read_text().startswith("ssh\0")
    return found
