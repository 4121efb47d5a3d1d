"""Carries out suites as it is done for users, plan and agent processes included; the figures are those of the result."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_sai3bench.fleet.observer import Observer
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult

# Servers of benchmarks take any.
_CREDENTIALS = {"access_key": "key", "secret_key": "secret", "region": "us-east-1", "token": None}


def plan_suite(text: str) -> RunPlan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.yaml"
        path.write_text(text)
        return build_plan(load(path, env={}), env={})


def perform(
    plan: RunPlan, observers: Sequence[Observer] = (), before_load: Callable[[], object] = lambda: None
) -> PhaseResult:
    """Return what the workload measured."""
    run = Run(plan, _CREDENTIALS, run_id="benchmark", started_at=time.time(), observers=observers)
    try:
        run.prepare()
        before_load()
        run.work()
    finally:
        run.clean_up()
    result = run.result()
    assert result.status == "completed", result.reason
    assert result.workload is not None
    return result.workload
