"""What a user reads when a threshold is not met: one compact block of text."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.messages import OPERATIONS
from pytest_sai3bench.reports.endpoints import MOST_LINES, badness, number_and_mark
from pytest_sai3bench.reports.parts import by_endpoint
from pytest_sai3bench.reports.tables import MEASURES, lay_out, measures
from pytest_sai3bench.results.outliers import find_outliers
from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.rules import OfMedian
from pytest_sai3bench.thresholds.vocabulary import AGENTS, ENDPOINTS, ERROR_METRICS, OPERATIONS_OF
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pytest_sai3bench.reports.parts import EndpointPart
    from pytest_sai3bench.results.model import PhaseResult
    from pytest_sai3bench.results.outliers import Mark
    from pytest_sai3bench.thresholds.rules import Rule
    from pytest_sai3bench.thresholds.verdicts import Row, Verdict

# Metrics that stand in the table of endpoints anyway.
_SHOWN = ("ops", "throughput", "p50", "p99", "errors")
_MOST_ERRORS = 5
_MOST_OUTLIERS = 3


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
            table, remark = _compare(verdict, rule, by_endpoint(phase, ops), find_outliers(phase, ops), width)
            lines += [*_fold(remark, width), "", *table]
        if rule.metric.name in ERROR_METRICS:
            lines += _errors(phase, ops, width)
    if results is not None:
        lines += ["", f"results: {results}"]
    return "\n".join(lines)


def _compare(
    verdict: Verdict, rule: Rule, parts: list[EndpointPart], marks: Mapping[str, Mark], width: int
) -> tuple[list[str], str]:
    """Return what each endpoint or agent showed, as a table, and a remark on the endpoints that stand out.

    Beside a rule on endpoints stands what they did in detail.
    """
    is_of_agent = rule.part is not None and rule.part.kind == "agent"
    # Of an agent its endpoints are compared, unless the rule compares it with other agents.
    rows_are_agents = rule.scope == AGENTS or (is_of_agent and isinstance(rule.comparison, OfMedian))
    if rule.scope == AGENTS or is_of_agent:
        rows = [(row.name, row.value, _pointer(row)) for row in verdict.rows]
        title = "agent" if rows_are_agents else "endpoint"
        return lay_out(rows, header=(title, rule.metric.name, ""), width=width), ""
    of_uri = {part.name: part for part in parts}
    shown = [(row, of_uri[row.name]) for row in verdict.rows]
    if len(shown) > MOST_LINES:
        shown.sort(key=lambda pair: (not pair[0].worst, *badness(pair[1], marks.get(pair[0].name))))
    shows_value = rule.metric.name not in _SHOWN or bool(verdict.window)
    # How endpoints compare has no value for one of them: what is compared stands there.
    heading = "requests" if rule.scope == ENDPOINTS else rule.metric.name
    if verdict.window:
        # Beside it stand the values of the whole time.
        heading = f"{heading} {verdict.window}"
    table = number_and_mark(
        [
            (
                row.name,
                *((row.value.removesuffix(" requests"),) if shows_value else ()),
                f"{part.share:.1%}",
                *measures(part),
            )
            for row, part in shown
        ],
        header=("endpoint", *((heading,) if shows_value else ()), "share", *MEASURES),
        numbers=[part.number for _, part in shown],
        marks=[f"{_pointer(row)} {marks.get(row.name, '')}".strip() for row, _ in shown],
        width=width,
        hint="in the results",
    )
    return table, _remark([(part, marks[row.name]) for row, part in shown if row.name in marks])


def _pointer(row: Row) -> str:
    return "<" if row.worst else ""


def _remark(outliers: Sequence[tuple[EndpointPart, Mark]]) -> str:
    """Return a sentence on the endpoints that stand out, unless so many do that none of them does."""
    if not outliers or len(outliers) > _MOST_OUTLIERS:
        return ""
    names = (f"endpoint[{part.number}] {part.name} is {mark}" for part, mark in outliers)
    return f"what stands out: {'; '.join(names)}"


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
