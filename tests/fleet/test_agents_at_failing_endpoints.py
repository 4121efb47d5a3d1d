"""An endpoint that goes away in the middle of a run of real agents, and comes back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import StageError
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult

_SUITE = """
    duration: 3s
    concurrency: 4
    processes: 2
    error_handling: {max_total_errors: 20, error_rate_threshold: 1000}
    multi_endpoint:
      endpoint_failure: %s
      eject_time: 200ms
      endpoints: ["file://{tmp}/m1/", "file://{tmp}/m2/", "file://{tmp}/m3/"]
    prepare:
      ensure_objects: [{base_uri: data/, count: 8, size_spec: 4KiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 1}
"""


class Outage(Observer):
    """Takes a mount away a second after the begin of the workload, and brings it back a second later."""

    def __init__(self, mount: Path, store: Path, *, comes_back: bool) -> None:
        self._mount = mount
        self._store = store
        self._comes_back = comes_back
        self._began = 0.0
        self.taken_at = self.returned_at = 0.0

    def began(self, stage: int, start_ns: int) -> None:
        if stage == 1:
            self._began = time.monotonic()

    def pulse(self) -> None:
        elapsed_s = time.monotonic() - self._began if self._began else 0.0
        if elapsed_s > 1 and not self.taken_at:
            self.taken_at = time.time()
            self._mount.unlink()
        if elapsed_s > 2 and self._comes_back:
            self.come_back()

    def ended(self, phase: PhaseResult) -> None:
        # Cleanup is to find what prepare made.
        self.come_back()

    def come_back(self) -> None:
        if self.taken_at and not self.returned_at:
            self._mount.symlink_to(self._store)
            self.returned_at = time.time()


@pytest.fixture
def run_with(plan_of: Callable[[str], RunPlan], store: Path) -> Callable[..., tuple[Run, Outage]]:
    """Return ``run_with(endpoint_failure, comes_back)``: a run whose second mount goes away."""

    def run_with(failure: str, *, comes_back: bool) -> tuple[Run, Outage]:
        outage = Outage(store.parent / "m2", store, comes_back=comes_back)
        run = Run(plan_of(_SUITE % failure), None, run_id="run-1", started_at=1.0, observers=[outage])
        return run, outage

    return run_with


def test_each_process_ejects_a_folder_that_is_gone_and_takes_it_up_again(
    run_with: Callable[..., tuple[Run, Outage]], store: Path
) -> None:
    run, outage = run_with("eject", comes_back=True)
    try:
        run.prepare()
        run.work()
    finally:
        run.clean_up()
    phase = run.result().workload

    assert (run.result().status, run.result().reason) == ("completed", "")
    assert phase is not None
    gone = f"file://{store.parent}/m2/"
    assert [(each.endpoint, each.kind, each.ended) for each in phase.outages] == [(gone, "ejected", True)] * 2
    assert sorted(each.worker for each in phase.outages) == [0, 1]
    for each in phase.outages:
        assert each.reason == f"5 failures in a row; the last: the folder {store.parent}/m2/ is gone"
        assert 1 <= each.tries <= 6
        # Clocks of one host agree, and both ends of the outage lie behind what caused them.
        assert outage.taken_at <= each.began_at <= outage.returned_at <= each.began_at + each.duration_s
        assert 0 < each.begin_s < each.begin_s + each.duration_s < 3.5
    errors = {(error.endpoint, error.kind): error.count for error in phase.errors}
    # Five that eject it, those under way then, and the attempts, for each process.
    tries = sum(each.tries for each in phase.outages)
    assert set(errors) == {(gone, "no-folder")}
    assert 10 + tries <= errors[gone, "no-folder"] <= 10 + 4 + tries
    assert all(check.passed for check in run.result().checks if check.name.startswith("reconcile"))
    # Neither prepare nor the workload left anything.
    assert list(store.iterdir()) == []


def test_by_default_a_folder_that_is_gone_ends_the_run(
    run_with: Callable[..., tuple[Run, Outage]], store: Path
) -> None:
    run, _ = run_with("fail", comes_back=False)
    try:
        run.prepare()
        with pytest.raises(StageError) as caught:
            run.work()
    finally:
        run.clean_up()

    assert str(caught.value).startswith("workload: local gave up after 20 errors")
    assert str(caught.value).endswith(f"the last: the folder {store.parent}/m2/ is gone")
