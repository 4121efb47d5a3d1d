"""Properties of a run in JUnit files, for dashboards that read these and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.results.metrics import metrics_by_operation

if TYPE_CHECKING:
    from pytest_sai3bench.results.model import RunResult

_SHOWN = ("ops", "throughput", "errors", "mean", "p50", "p99", "max")


def run_properties(result: RunResult) -> list[tuple[str, object]]:
    """Return names and values: which run it was, and for ``total`` and each operation such as ``get.p99``.

    Numbers are in base units (operations per second, bytes per second, seconds), as texts that lose nothing.
    """
    properties: list[tuple[str, object]] = [
        ("suite", result.suite),
        ("run_id", result.run_id),
        ("status", result.status),
    ]
    workload = result.workload
    if workload is None:
        return properties
    properties += [
        ("endpoints", len(workload.endpoints)),
        ("agents", len(workload.agents)),
        ("lanes", sum(report.lanes for report in workload.agents)),
        ("window_s", repr(workload.window_s)),
    ]
    for operation, metrics in metrics_by_operation(workload).items():
        values = metrics.to_json()
        properties += [(f"{operation}.{name}", repr(values[name])) for name in _SHOWN if name in values]
    return properties
