"""What a run tells its observers while it goes on."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult

_SUITE = """
    duration: 1200ms
    concurrency: 2
    distributed:
      agents:
        - {address: 127.0.0.1, id: a, target_override: "file://{tmp}/m1/"}
        - {address: localhost, id: b, target_override: "file://{tmp}/m2/"}
    prepare:
      ensure_objects: [{base_uri: data/, count: 4, size_spec: 1KiB}]
    workload: [{op: get, path: "data/*", weight: 1}]
"""


class _Witness(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []
        self.ops: dict[str, int] = {}
        self.pulses = 0
        self.start_ns = 0

    def began(self, stage: int, start_ns: int) -> None:
        self.heard.append(("began", stage))
        self.ops = {}
        self.start_ns = start_ns

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        count = sum(series["count"] for section in tick["sections"].values() for series in section)
        self.ops[worker.agent] = self.ops.get(worker.agent, 0) + count

    def pulse(self) -> None:
        self.pulses += 1

    def ended(self, phase: PhaseResult) -> None:
        counts = {key.agent: 0 for key in phase.series}
        for key, tally in phase.series.items():
            counts[key.agent] += tally.requests
        self.heard.append(("ended", phase.phase, counts == self.ops))


def test_observers_hear_each_stage_from_its_start_to_its_end_and_every_operation(
    plan_of: Callable[[str], RunPlan], store: Path
) -> None:
    witness, other = _Witness(), _Witness()
    before_ns = monotonic_ns()
    run = Run(plan_of(_SUITE), None, run_id="run-1", started_at=0, observers=[witness, other])
    run.prepare()
    run.work()
    run.clean_up()

    assert witness.heard == [
        ("began", 0),
        ("ended", "prepare", True),
        ("began", 1),
        ("ended", "workload", True),
    ]
    assert other.heard == witness.heard
    assert before_ns < witness.start_ns < monotonic_ns() - 1_200_000_000
    # Messages alone would be fewer: signs of life are none.
    assert witness.pulses >= 5
    assert set(witness.ops) == {"a", "b"}
