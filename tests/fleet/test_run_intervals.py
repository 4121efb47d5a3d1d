"""The intervals of real runs: of several agents and processes, and of agents that are killed."""

from __future__ import annotations

import os
import signal
from math import ceil
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet.intervals import Intervals
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.results.model import total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult, Tally
    from pytest_sai3bench.results.timeline import Interval

_SUITE = """
    duration: 1s
    warmup: 250ms
    concurrency: 4
    processes: 2
    perf_log: {interval: 300ms}
    error_handling: {max_total_errors: 1000000}
    distributed:
      agents:
        - {address: localhost, id: a, multi_endpoint: {endpoints: ["file://{tmp}/m1/", "file://{tmp}/m2/"]}}
        - {address: localhost, id: b, multi_endpoint: {endpoints: ["file://{tmp}/m2/", "file://{tmp}/m3/"]}}
    prepare:
      ensure_objects: [{base_uri: data/, count: 20, size_spec: 1KiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 5}
      - {op: put, path: new/, object_size: 512, weight: 1}
"""


class _Recorded:
    def __init__(self, plan: RunPlan, *others: Observer) -> None:
        self.intervals: dict[str, list[Interval]] = {}
        self.began_at: dict[str, float] = {}
        self.run = Run(
            plan, None, run_id="run-1", started_at=0, observers=[*others, Intervals(plan, self._take)]
        )

    def _take(self, phase: str, began_at: float, interval: Interval) -> None:
        self.intervals.setdefault(phase, []).append(interval)
        assert self.began_at.setdefault(phase, began_at) == began_at

    def whole(self, phase: PhaseResult, endpoint: str | None, agent: str | None) -> tuple[Tally, Tally]:
        """Return the sum of all intervals, and that of the result."""
        return (
            total(each.tally(endpoint=endpoint, agent=agent) for each in self.intervals[phase.phase]),
            total(
                tally
                for series in (phase.warmup, phase.series)
                for key, tally in series.items()
                if endpoint in (None, key.endpoint) and agent in (None, key.agent)
            ),
        )


@pytest.fixture
def record(plan_of: Callable[[str], RunPlan]) -> Iterator[Callable[[str], _Recorded]]:
    recorded: list[_Recorded] = []

    def record(text: str) -> _Recorded:
        recorded.append(_Recorded(plan_of(text)))
        return recorded[-1]

    yield record
    for each in recorded:
        each.run._fleet.close(at_once=True)


def test_the_intervals_of_all_processes_of_all_agents_add_up_to_the_result(
    record: Callable[[str], _Recorded], store: Path
) -> None:
    recorded = record(_SUITE)
    recorded.run.prepare()
    recorded.run.work()
    recorded.run.clean_up()
    phases = recorded.run.result().phases

    assert list(recorded.intervals) == ["prepare", "workload", "cleanup"]
    for phase in phases:
        intervals = recorded.intervals[phase.phase]
        places = [(endpoint, None) for endpoint in phase.endpoints] + [(None, "a"), (None, "b"), (None, None)]
        for endpoint, agent in places:
            by_intervals, by_result = recorded.whole(phase, endpoint, agent)
            assert by_intervals == by_result
        # One for each part of the time that it took, the last one cut off at its end.
        length_s = max(report.start_skew_s + report.wall_s for report in phase.agents)
        assert len(intervals) == ceil(length_s / 0.3)
        assert intervals[-1].end_s == length_s
    workload = recorded.intervals["workload"]
    # The warm-up ends within the first.
    assert [sorted(each.sections) for each in workload[:3]] == [
        ["measured", "warmup"],
        ["measured"],
        ["measured"],
    ]
    assert recorded.began_at["prepare"] < recorded.began_at["workload"] < recorded.began_at["cleanup"]


def test_hosts_of_agents_are_looked_at(record: Callable[[str], _Recorded], store: Path) -> None:
    recorded = record(
        _SUITE.replace("duration: 1s", "duration: 2500ms").replace("interval: 300ms", "interval: 1s")
    )
    recorded.run.prepare()
    recorded.run.work()
    last = recorded.intervals["workload"][-1]

    assert sorted(last.cpu) == ["a", "b"]
    for cpu in last.cpu.values():
        assert 0 < cpu.user + cpu.system + cpu.iowait <= 1


class _Settled(Observer):
    def __init__(self) -> None:
        self.heard: list[int | None] = []

    def settled(self, worker: WorkerPlan, interval: int | None) -> None:
        self.heard.append(interval)


def test_lanes_that_wait_for_a_slow_rate_do_not_hold_up_the_intervals(
    plan_of: Callable[[str], RunPlan], store: Path
) -> None:
    settled = _Settled()
    plan = plan_of(
        """
        target: file://{tmp}/m1/
        duration: 4s
        concurrency: 16
        perf_log: {interval: 500ms}
        io_rate: {iops: 2, distribution: deterministic}
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )
    run = _Recorded(plan, settled).run
    try:
        run.prepare()
        run.work()
    finally:
        run.clean_up()

    # A lane has its turn every eight seconds: what it had counted in the first second was told long before the end.
    assert [each for each in settled.heard if each is not None and 3 <= each <= 5] != []
    assert settled.heard[-1] is None


def test_what_a_killed_agent_had_told_is_in_the_intervals(
    record: Callable[[str], _Recorded], store: Path, on_message: Callable[..., None]
) -> None:
    on_message("tick", 1, lambda member: os.kill(member.hello["pid"], signal.SIGKILL))
    recorded = record(_SUITE.replace("duration: 1s", "duration: 60s").replace("processes: 2", "processes: 1"))
    recorded.run.prepare()
    with pytest.raises(AgentLostError):
        recorded.run.work()
    recorded.run.clean_up()
    workload = recorded.run.result().workload

    assert workload is not None
    for agent in "ab":
        by_intervals, by_result = recorded.whole(workload, None, agent)
        assert by_intervals == by_result
        assert by_result.ops > 0
