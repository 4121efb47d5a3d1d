"""An observer that objects ends the workload, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import ThresholdAbortError
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult

_SUITE = """
    duration: 10m
    concurrency: 2
    perf_log: {interval: 100ms}
    target: file://{tmp}/m1/
    prepare:
      ensure_objects: [{base_uri: data/, count: 4, size_spec: 1KiB}]
      cleanup: true
    workload: [{op: get, path: "data/*", weight: 1}]
"""


class _Objector(Observer):
    """Objects to the workload from its third tick on."""

    def __init__(self) -> None:
        self.ticks = 0
        self.stage = 0

    def began(self, stage: int, start_ns: int) -> None:
        self.stage = stage

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        self.ticks += self.stage == 1

    def ended(self, phase: PhaseResult) -> None:
        self.stage = 0

    def objection(self) -> str:
        return "enough seen" if self.stage == 1 and self.ticks >= 3 else ""


def test_an_objection_ends_the_workload_and_cleanup_follows(
    plan_of: Callable[[str], RunPlan], store: Path
) -> None:
    objector = _Objector()
    run = Run(plan_of(_SUITE), None, run_id="run-1", started_at=0, observers=[objector])
    run.prepare()
    with pytest.raises(ThresholdAbortError) as caught:
        run.work()
    run.clean_up()
    result = run.result()
    assert str(caught.value) == "enough seen"
    assert (result.status, result.reason) == ("aborted", "enough seen")
    assert [(phase.phase, phase.agents[0].outcome) for phase in result.phases] == [
        ("prepare", "completed"),
        ("workload", "aborted"),
        ("cleanup", "completed"),
    ]
    assert [check.name for check in result.checks if not check.passed and "reconcile" in check.name] == []
    assert list(store.iterdir()) == []
