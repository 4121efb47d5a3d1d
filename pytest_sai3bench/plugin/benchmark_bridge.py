"""Runs as entries of pytest-benchmark, where it is installed: its table, its files, its comparisons.

A round is an interval of the run, its time the mean latency in it. There is no public way to add an entry: this module
knows some of the insides of pytest-benchmark, and no other does.
"""

from __future__ import annotations

import os
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.results.metrics import metrics_by_operation

if TYPE_CHECKING:
    from pytest_sai3bench.plan.work import StageKind
    from pytest_sai3bench.plugin.suite_run import SuiteRun
    from pytest_sai3bench.results.timeline import Interval


def is_recorded(config: pytest.Config) -> bool:
    """Tell whether runs become entries. Beside xdist they do: they run alone, when its workers are done."""
    has, option = config.pluginmanager.hasplugin, config.getoption
    return has("benchmark") and (option("benchmark_enable") or not option("benchmark_disable"))


def is_benchmark(config: pytest.Config) -> bool:
    """Tell whether items are to count as benchmarks, for ``--benchmark-only`` and ``--benchmark-skip``.

    Beside xdist pytest-benchmark would say that it has switched them off.
    """
    has, option = config.pluginmanager.hasplugin, config.getoption
    is_distributed = option("dist", "no") != "no" or "PYTEST_XDIST_WORKER" in os.environ
    return has("benchmark") and (option("benchmark_skip") or not is_distributed)


class Rounds:
    """The mean latency of each interval of a workload; see `Intervals`."""

    def __init__(self) -> None:
        self.means_s: list[float] = []

    def add(self, kind: StageKind, started_at: float, interval: Interval) -> None:  # noqa: ARG002 - what `Intervals` calls
        """Take in an interval, if anything completed in its part of the measured time."""
        latency = interval.tally(sections=("measured",)).latency if kind == "workload" else None
        if latency and latency.count:
            self.means_s.append(latency.mean_ns / 1e9)

    def record(self, run: SuiteRun, config: pytest.Config) -> None:
        """Make a run that completed an entry of the session."""
        workload = run.result().workload
        if workload is None or not self.means_s or run.result().status != "completed":
            return
        metrics = metrics_by_operation(workload)
        info: dict[str, Any] = {name: each.to_json() for name, each in metrics.items()}
        info |= {"endpoints": len(workload.endpoints), "agents": len(workload.agents)}
        entry = SimpleNamespace(
            name=run.name,
            fullname=run.nodeid,
            group="sai3bench",
            param=run.loaded.label.strip("[]") or None,
            params=dict(run.loaded.combination),
            extra_info=info,
            cprofile_stats=None,
            has_error=False,
        )
        try:
            from pytest_benchmark.stats import Metadata  # noqa: PLC0415 - only where it is installed

            metadata = Metadata(entry, iterations=1, options={})  # type: ignore[no-untyped-call]
            metadata.stats.data.extend(self.means_s)
            # Its own would be 1 / mean, which is wrong for operations that run side by side.
            vars(metadata.stats)["ops"] = metrics["total"].ops
            config._benchmarksession.benchmarks.append(metadata)  # type: ignore[attr-defined] # noqa: SLF001
        except (ImportError, AttributeError, TypeError) as error:
            message = f"{run.nodeid} is no entry of this version of pytest-benchmark: {error}"
            warnings.warn(pytest.PytestWarning(message), stacklevel=1)
