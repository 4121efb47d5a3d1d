"""What a user reads when a threshold is not met: one compact block of text."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.messages import OPERATIONS
from pytest_sai3bench.reports.parts import by_endpoint
from pytest_sai3bench.reports.tables import MEASURES, lay_out, measures
from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.rules import OfMedian
from pytest_sai3bench.thresholds.vocabulary import AGENTS, OPERATIONS_OF
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pytest_sai3bench.reports.parts import EndpointPart
    from pytest_sai3bench.results.model import PhaseResult
    from pytest_sai3bench.thresholds.rules import Rule
    from pytest_sai3bench.thresholds.verdicts import Verdict

# Metrics that stand in the table of endpoints anyway.
_SHOWN = ("ops", "throughput", "p50", "p99", "errors")
_MOST_ERRORS = 5


def failure_block(
    verdict: Verdict, phase: PhaseResult | None, width: int, *, results: Path | None = None
) -> str:
    """Return the block for a verdict that is not ``passed``: why, where, the parts compared, the results' path.

    ``phase`` is the workload, None when the run did not get there.
    """
    # The first line is all that pytest's short summary shows.
    lines = [*_fold(verdict.reason, width), f"{verdict.location or 'implicit'}: {verdict.text}"]
    if phase is not None:
        rule = parse(verdict.text)
        ops = OPERATIONS_OF.get(rule.scope, OPERATIONS)
        if verdict.rows:
            lines += ["", *_table(verdict, rule, by_endpoint(phase, ops), width)]
        if rule.metric.name in ("errors", "error_rate"):
            lines += _errors(phase, ops, width)
    if results is not None:
        lines += ["", f"results: {results}"]
    return "\n".join(lines)


def _table(verdict: Verdict, rule: Rule, parts: list[EndpointPart], width: int) -> list[str]:
    """Return what each endpoint or agent showed; beside a rule on endpoints stands what they did in detail."""
    is_of_agent = rule.part is not None and rule.part.kind == "agent"
    is_detailed = rule.scope != AGENTS and not is_of_agent
    # Of an agent its endpoints are compared, unless the rule compares it with other agents.
    rows_are_agents = rule.scope == AGENTS or (is_of_agent and isinstance(rule.comparison, OfMedian))
    shows_value = not is_detailed or rule.metric.name not in _SHOWN
    details = {part.name: (f"{part.share:.1%}", *measures(part)) for part in parts} if is_detailed else {}
    header = (
        "agent" if rows_are_agents else "endpoint",
        *((rule.metric.name,) if shows_value else ()),
        *(("share", *MEASURES) if is_detailed else ()),
        "",
    )
    rows = [
        (
            row.name,
            *((row.value,) if shows_value else ()),
            *details.get(row.name, ()),
            "<" if row.worst else "",
        )
        for row in verdict.rows
    ]
    return lay_out(rows, header=header, width=width)


def _errors(phase: PhaseResult, ops: Collection[str], width: int) -> list[str]:
    """Return the most frequent errors, each with the text of its first case."""
    samples = [sample for sample in phase.errors if sample.op in ops and sample.section != "warmup"]
    samples.sort(key=lambda sample: -sample.count)
    lines = [
        line
        for sample in samples[:_MOST_ERRORS]
        for line in _fold(
            f"{format_count(sample.count)} x {sample.op} at {sample.endpoint} by {sample.agent}: {sample.message}",
            width,
        )
    ]
    return ["", *lines] if lines else []


def _fold(text: str, width: int) -> list[str]:
    return wrap(
        " ".join(text.split()), width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
