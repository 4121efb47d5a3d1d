"""What a terminal shows of a run when it is over."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, get_args

from pytest_sai3bench.reports.endpoints import endpoint_table
from pytest_sai3bench.reports.outages import outage_lines
from pytest_sai3bench.reports.parts import by_operation
from pytest_sai3bench.reports.tables import MEASURES, lay_out, measures
from pytest_sai3bench.thresholds.verdicts import Effect
from pytest_sai3bench.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict


def summary(
    result: RunResult,
    verdicts: Sequence[Verdict],
    width: int,
    *,
    folder: Path | None = None,
    everything: bool = False,
) -> list[str]:
    """Return the lines on one run: how it went, operations, endpoints, verdicts, failed self-checks, notes, the folder.

    Of endpoints `endpoint_table` shows some; ``everything`` shows all.
    """
    workloads = result.workloads
    only = len(workloads) == 1
    extent = f" ({_extent(workloads[0])})" if only else ""
    lines = [f"{result.suite}::{result.name}: {result.status}{extent}", *result.reason.splitlines()]
    if stages := [phase for phase in result.phases if phase.position]:
        lines.append(f"stages: {', '.join(map(_stage, stages))}")
    for workload in workloads:
        if not only:
            lines.append(f"stage {workload.phase} ({_extent(workload)})")
        parts = by_operation(workload)
        # One operation is its own total.
        rows = [(part.name, *measures(part)) for part in (parts[:1] if len(parts) == 2 else parts)]
        lines += lay_out(rows, header=("", *MEASURES), width=width - 2)
        lines += endpoint_table(workload, width - 2, everything=everything)
        lines += outage_lines(workload)
        lines += _warmup_errors(workload)
    if verdicts:
        lines.append(f"thresholds: {_count(verdicts)}")
    lines += [
        f"check {check.title}: {check.value}, expected {check.expected}"
        for check in result.checks
        if not check.passed
    ]
    lines += [f"note: {note}" for note in _notes(result)]
    if folder is not None:
        lines.append(f"results: {folder}")
    return [lines[0], *(f"  {line}" for line in lines[1:])]


def _stage(phase: PhaseResult) -> str:
    """Return a stage with the time that it took, and what came of it unless all went well."""
    took = format_seconds(max((report.wall_s for report in phase.agents), default=0.0))
    ends = dict.fromkeys(
        report.outcome for report in phase.agents if report.outcome not in ("completed", "exhausted")
    )
    return f"{phase.phase} {took}" + (f" ({', '.join(ends)})" if ends else "")


def _extent(phase: PhaseResult) -> str:
    lanes = sum(report.lanes for report in phase.agents)
    return ", ".join(
        (
            format_seconds(phase.window_s),
            _plural(len(phase.agents), "agent"),
            _plural(lanes, "lane"),
            _plural(len(phase.endpoints), "endpoint"),
        )
    )


def _warmup_errors(phase: PhaseResult) -> list[str]:
    """Return a line on failures that no measured number shows."""
    samples = [sample for sample in phase.errors if sample.section == "warmup"]
    if not samples:
        return []
    count = sum(sample.count for sample in samples)
    first = samples[0]
    return [
        f"{_plural(count, 'error')} during warm-up, the first: {first.op} at {first.endpoint}: {first.message}"
    ]


def _notes(result: RunResult) -> dict[str, None]:
    """Return the notes of the run and of its agents, each once."""
    of_agents = (note for phase in result.phases for report in phase.agents for note in report.notes)
    return dict.fromkeys([*result.notes, *of_agents])


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _count(verdicts: Sequence[Verdict]) -> str:
    effects = Counter(verdict.effect for verdict in verdicts)
    return ", ".join(f"{effects[effect]} {effect}" for effect in get_args(Effect) if effects[effect])
