"""``workload[].concurrency``: how many operations of an entry are under way, as an agent's processes and reports see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
target: file:///a/
concurrency: 8
processes: {processes}
prepare: {{cleanup: true, ensure_objects: [{{base_uri: data/, count: 11, size_spec: 1}}]}}
workload:
  - {{op: get, path: data/*, weight: 2, concurrency: 20}}
  - {{op: stat, path: data/*, weight: 1, concurrency: 3}}
  - {{op: put, path: new/, weight: 1, object_size: 1}}
"""


def test_only_the_workload_has_the_lanes_of_its_entries(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.format(processes=1))
    (worker,) = plan.workers

    assert [(stage.kind, stage.lanes, stage.together) for stage in worker.stages] == [
        ("prepare", 0, 0),
        ("workload", 28, 8),
        ("cleanup", 0, 0),
    ]
    assert (worker.lanes, worker.workload_lanes) == (8, 28)
    found = [(each.most, each.apart) for each in worker.stages[1].operations]
    assert found == [(20, True), (3, False), (0, False)]


def test_no_process_is_without_operations_of_an_entry(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.format(processes=4))

    assert [worker.workload_lanes for worker in plan.workers] == [10, 10, 8]
    assert [[each.most for each in worker.stages[1].operations] for worker in plan.workers] == [
        [7, 1, 0],
        [7, 1, 0],
        [6, 1, 0],
    ]
    assert plan.notes == (
        "local has 3 instead of 4 processes: each keeps at least one operation going; raise concurrency",
    )


def test_a_dry_run_tells_lanes_and_bounds_of_all_processes(plan_of: Callable[..., RunPlan]) -> None:
    text = dry_run(plan_of(_SUITE.format(processes=3)))

    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "agent local at localhost: 3 workers, 28 lanes, round_robin" in lines
    at = lines.index("workload: 1m")
    assert lines[at + 1 : at + 4] == [
        "get data/*, at most 20 at a time 50.0% s.yaml:6",
        "stat data/*, at most 3 at a time 25.0% s.yaml:7",
        "put new/ 25.0% s.yaml:8",
    ]
