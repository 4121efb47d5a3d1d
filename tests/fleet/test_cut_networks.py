"""A host whose network is cut in the middle of a run: each side ends by itself, and the next run works."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet.processes import HostPool
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    duration: {duration}
    concurrency: 2
    distributed:
      ssh: {ssh}
      agents:
        - {{address: localhost, id: near, target_override: "file://{{tmp}}/m1/"}}
        - {{address: {host}, id: far, python: {python}, target_override: "file://{{tmp}}/m2/"}}
    prepare:
      ensure_objects: [{{base_uri: data/, count: 8, size_spec: 64KiB}}]
    workload:
      - {{op: get, path: "data/*", weight: 1}}
"""
# What is promised is 20 s for the end of the run, and as much for the processes of the host that hears nothing. A busy
# machine may take more; what waits for ssh or for TCP to notice takes far more.
_PROMISED_S = 20.0
_NOISE_S = 5.0


class Wire:
    """A network namespace with an address that this host reaches over one wire."""

    def __init__(self, number: int) -> None:
        self.name = f"sai3bench-{number}"
        self._ours, self._theirs = f"s3b{number}a", f"s3b{number}b"
        # Of the addresses that are set aside for benchmarks, four for each number.
        net = 0xC612_0000 + number % 0x8000 * 4
        self._near, self.address = (socket.inet_ntoa((net + last).to_bytes(4, "big")) for last in (1, 2))

    @property
    def inside(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.name)

    @contextmanager
    def laid(self) -> Iterator[Wire]:
        """Make all of it; raises CalledProcessError where that is not allowed."""
        with ExitStack() as undo:
            _ip("netns", "add", self.name)
            undo.callback(_ip, "netns", "delete", self.name)
            _ip("link", "add", self._ours, "type", "veth", "peer", "name", self._theirs, "netns", self.name)
            _ip("addr", "add", f"{self._near}/30", "dev", self._ours)
            _ip("-n", self.name, "addr", "add", f"{self.address}/30", "dev", self._theirs)
            _ip("-n", self.name, "link", "set", "lo", "up")
            _ip("-n", self.name, "link", "set", self._theirs, "up")
            self.mend()
            yield self

    def cut(self) -> None:
        _ip("link", "set", self._ours, "down")

    def mend(self) -> None:
        _ip("link", "set", self._ours, "up")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=20)


@pytest.fixture
def wire() -> Iterator[Wire]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs network namespaces: run as root, with iproute2")
    with ExitStack() as stack:
        try:
            laid = stack.enter_context(Wire(os.getpid()).laid())
        except subprocess.CalledProcessError as error:
            pytest.skip(f"needs network namespaces: {' '.join(error.cmd)}: {error.stderr.strip()}")
        yield laid


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _processes_of(member: Member) -> list[int]:
    """Return the processes by which an agent is reached: here the master and the client, there what they started."""
    host: Any = member.gateway._host
    keeper = _parent_of(member.hello["pid"])
    return [
        host.host._probe._process.pid,
        host._group[host.host.name]._io.popen.pid,
        _parent_of(keeper),
        keeper,
        member.hello["pid"],
    ]


def _await_ends(handles: Sequence[int], until_s: float) -> None:
    for handle in handles:
        assert select.select([handle], [], [], max(0.0, until_s - monotonic()))[0], "a process is left"
        os.close(handle)


def test_a_host_that_is_cut_off(
    plan_of: Callable[[str], RunPlan],
    store: Path,
    *,
    wire: Wire,
    sshd: Callable[..., Any],
    on_message: Callable[..., None],
    timeless: Callable[[object], str],
) -> None:
    server = sshd(wire.address, inside=wire.inside)

    def run_for(duration: str) -> Run:
        text = _SUITE.format(ssh=server.block, host=wire.address, python=server.python, duration=duration)
        return Run(plan_of(text), None, run_id="run-1", started_at=0.0, pool=pool)

    handles: list[int] = []
    cut_s: list[float] = []

    def cut(_member: Member) -> None:
        pids = [
            pid for member in run._fleet._members if member.gateway._host for pid in _processes_of(member)
        ]
        handles.extend(map(os.pidfd_open, pids))
        wire.cut()
        cut_s.append(monotonic())

    pool = HostPool()
    try:
        on_message("tick", 1, cut)
        run = run_for("60s")
        run.prepare()
        process = {member.plan.agent: member.hello["pid"] for member in run._fleet._members}["far"]
        with pytest.raises(AgentLostError) as caught:
            run.work()
        run.clean_up()
        ended_after_s = monotonic() - cut_s[0]
        result = run.result()

        assert ended_after_s < _PROMISED_S + _NOISE_S
        assert timeless(caught.value) == (
            f"workload: far on {wire.address} ({socket.gethostname()}, process {process}) fell silent in the load: "
            "nothing was heard of it for 15 s"
        )
        assert (result.status, result.reason) == ("failed", str(caught.value))
        assert result.workload is not None
        assert [agent.outcome for agent in result.workload.agents] == ["aborted", "lost"]
        # Nothing that the host could be told, and the wire is still cut.
        assert len(handles) == len(["master", "client", "session", "keeper", "agent"])
        _await_ends(handles, cut_s[0] + _PROMISED_S + _NOISE_S)

        wire.mend()
        again = run_for("100ms")
        again.prepare()
        again.work()
        again.clean_up()
        assert again.result().status == "completed"
        assert server.log().count("Accepted publickey") == 2
    finally:
        pool.close()
