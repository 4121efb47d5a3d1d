"""Hosts stay connected from run to run; agents do not stay, and neither does what is broken."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet.hosts import Host
from pytest_sai3bench.fleet.processes import HostPool
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    duration: 200ms
    concurrency: 2
    distributed:
      ssh: {ssh}
      agents:
        - {{address: 127.0.0.21, gateway: ssh, python: {python}, target_override: "file://{{tmp}}/m1/"}}
        - {{address: pod, gateway: "popen//python={python}", target_override: "file://{{tmp}}/m2/"}}
    workload:
      - {{op: put, path: new/, object_size: 1, weight: 1}}
"""


@pytest.fixture
def pool() -> Iterator[HostPool]:
    """Return a pool that is closed at the end."""
    pool = HostPool()
    yield pool
    pool.close()


def test_a_host_is_logged_in_to_once_for_all_runs(
    plan_of: Callable[[str], RunPlan],
    store: Path,
    *,
    sshd: Callable[[str], Any],
    pool: HostPool,
    on_message: Callable[..., None],
    wait_for_end: Callable[[int], None],
) -> None:
    server = sshd("127.0.0.21")
    plan = plan_of(_SUITE.format(ssh=server.block, python=server.python))
    pids: list[int] = []

    def perform() -> Run:
        run = Run(plan, None, run_id="run", started_at=0.0, pool=pool)
        try:
            run.prepare()
            pids.extend(member.hello["pid"] for member in run._fleet._members)
            run.work()
        finally:
            run.clean_up()
        return run

    assert perform().result().status == "completed"
    # A host whose agent is lost is as good as before.
    on_message("ready", 0, lambda member: os.kill(member.hello["pid"], signal.SIGKILL))
    with pytest.raises(AgentLostError):
        perform()
    assert perform().result().status == "completed"
    assert server.log().count("Accepted publickey") == 1
    assert len(set(pids)) == 6
    # One whose connection broke in between is logged in to again.
    [remote] = [remote for plan, remote in pool._remotes.items() if plan.ssh]
    master: Any = remote.host._probe
    master._process.kill()
    master._process.wait(10)
    assert perform().result().status == "completed"
    assert server.log().count("Accepted publickey") == 2
    for pid in pids:
        wait_for_end(pid)


def test_the_runs_of_a_session_share_their_hosts(
    pytester: pytest.Pytester,
    store: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    wait_for_end: Callable[[int], None],
) -> None:
    connected: list[Host] = []
    connect, close = Host.connect, HostPool.close
    pids: list[int] = []

    def connect_and_count(self: Host) -> None:
        connect(self)
        connected.append(self)

    def look_and_close(self: HostPool) -> None:
        ios: list[Any] = [remote._group[remote.host.name]._io for remote in self._remotes.values()]
        pids.extend(io.popen.pid for io in ios)
        close(self)

    monkeypatch.setattr(Host, "connect", connect_and_count)
    monkeypatch.setattr(HostPool, "close", look_and_close)
    for name in ("one", "two"):
        (pytester.path / f"{name}.sai3.yaml").write_text(
            f"target: file://{store}/\n"
            "duration: 100ms\n"
            "distributed:\n"
            f'  agents: [{{address: pod, gateway: "popen//python={sys.executable} -I -S"}}]\n'
            "workload: [{op: put, path: new/, object_size: 1, weight: 1}]\n"
        )
    pytester.runpytest_inprocess().assert_outcomes(passed=4)

    assert (len(connected), len(pids)) == (1, 1)
    wait_for_end(pids[0])
