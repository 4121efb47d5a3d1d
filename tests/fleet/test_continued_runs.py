"""Runs that lose an agent and go on without it: `distributed.lost_agent: continue`."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan

_SUITE = """
    duration: 3s
    concurrency: 2
    perf_log: {interval: 100ms}
    distributed:
      lost_agent: continue
      agents:
        - {address: localhost, id: a, target_override: "file://{tmp}/m1/"}
        - {address: localhost, id: b, target_override: "file://{tmp}/m2/"}
    prepare:
      ensure_objects: [{base_uri: data/, count: 8, size_spec: 4KiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 1}
"""
_LEFT = "an agent was lost: what it made has not been removed"


class _Settled(Observer):
    """Collects the agents of which nothing more will come, stage by stage."""

    def __init__(self) -> None:
        self.agents: dict[int, list[str]] = {}

    def began(self, stage: int, start_ns: int) -> None:
        self.agents[stage] = []

    def settled(self, worker: WorkerPlan, interval: int | None) -> None:
        if interval is None:
            self.agents[max(self.agents)].append(worker.agent)


def _kill(member: Member) -> None:
    os.kill(member.hello["pid"], signal.SIGKILL)


def _without(run: Run, phase: str, agent: str, pids: dict[str, int], moment: str) -> str:
    return (
        f"{phase}: the run went on (distributed.lost_agent: continue) without "
        f"{agent} on {socket.gethostname()} (process {pids[agent]}) ended {moment}"
    )


def test_the_others_go_on_and_the_result_is_marked(
    plan_of: Callable[[str], RunPlan],
    store: Path,
    *,
    agents_of: Callable[[Run], dict[str, int]],
    on_message: Callable[..., list[Member]],
    timeless: Callable[[object], str],
    files_below: Callable[[Path], list[str]],
) -> None:
    killed = on_message("tick", 1, _kill)
    settled = _Settled()
    run = Run(plan_of(_SUITE), None, run_id="run-1", started_at=0.0, observers=[settled])
    try:
        run.prepare()
        pids = agents_of(run)
        run.work()
    finally:
        run.clean_up()
    result = run.result()

    [lost] = [member.plan.agent for member in killed]
    [left] = {"a", "b"} - {lost}
    assert (result.status, result.reason) == ("completed", "")
    assert list(map(timeless, result.notes)) == [_without(run, "workload", lost, pids, "in the load"), _LEFT]
    assert [phase.phase for phase in result.phases] == ["prepare", "workload", "cleanup"]
    outcomes = [{agent.agent: agent.outcome for agent in phase.agents} for phase in result.phases]
    assert outcomes == [
        {lost: "completed", left: "completed"},
        {lost: "lost", left: "completed"},
        {lost: "lost", left: "completed"},
    ]
    assert result.workload is not None
    # The whole time of the one, and of the other what its ticks told.
    assert [agent.window_s for agent in result.workload.agents if agent.agent == left] == [pytest.approx(3)]
    assert min(result.workload.tally(agent=agent).ops for agent in "ab") > 0
    assert [check.name for check in result.checks if not check.passed] == []
    # Who waits for whole intervals does not wait for one that is gone.
    assert sorted(settled.agents[1]) == ["a", "b"]
    assert settled.agents[2][0] == lost
    # Each removes what it made.
    assert len([name for name in files_below(store) if name.endswith(".dat")]) == 4


def test_an_agent_that_is_lost_before_the_load_is_missed_there(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    agents_of: Callable[[Run], dict[str, int]],
    timeless: Callable[[object], str],
    wait_for_end: Callable[[int], None],
) -> None:
    run = run_of(_SUITE.replace("3s", "100ms"))
    run.prepare()
    pids = agents_of(run)
    os.kill(pids["a"], signal.SIGKILL)
    wait_for_end(pids["a"])
    run.work()
    run.clean_up()
    result = run.result()

    assert result.status == "completed"
    assert [note.replace("in the load", "before") for note in map(timeless, result.notes)] == [
        _without(run, "workload", "a", pids, "before"),
        _LEFT,
    ]
    assert result.workload is not None
    assert [agent.outcome for agent in result.workload.agents] == ["lost", "completed"]
    assert (result.workload.tally(agent="a").ops, result.workload.tally(agent="b").ops > 0) == (0, True)


def test_prepare_needs_all_agents(
    run_of: Callable[[str], Run], store: Path, on_message: Callable[..., None]
) -> None:
    """The load would meet fewer objects than the suite asks for."""
    on_message("ready", 0, _kill)
    run = run_of(_SUITE)
    with pytest.raises(AgentLostError):
        run.prepare()
    run.clean_up()

    assert run.result().status == "failed"
    assert run.result().notes == ("an agent was lost: what the run made has not been removed",)


def test_without_any_agent_nothing_goes_on(
    run_of: Callable[[str], Run], store: Path, on_message: Callable[..., None]
) -> None:
    run = run_of(_SUITE)

    def kill_all(_member: Member) -> None:
        for member in run._fleet._members:
            _kill(member)

    on_message("tick", 1, kill_all)
    run.prepare()
    with pytest.raises(AgentLostError) as caught:
        run.work()
    run.clean_up()
    result = run.result()

    assert [line.partition(" on ")[0] for line in str(caught.value).splitlines()] == ["workload: a", "b"]
    assert (result.status, result.reason) == ("failed", str(caught.value))
    assert result.workload is not None
    assert [agent.outcome for agent in result.workload.agents] == ["lost", "lost"]
