"""A rule and the result of a run → a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.results.checks import find_saturation
from pytest_sai3bench.thresholds.measurement import break_down, measure, measure_peers, median_of
from pytest_sai3bench.thresholds.rules import Limit, OfMedian
from pytest_sai3bench.thresholds.verdicts import Row, Verdict
from pytest_sai3bench.thresholds.vocabulary import AGENTS, ENDPOINTS, ERROR_METRICS
from pytest_sai3bench.thresholds.wording import (
    describe_margin,
    describe_samples,
    margin_of,
    nearest_bound,
    show,
)
from pytest_sai3bench.units import Quantity, format_count, format_quantity

if TYPE_CHECKING:
    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.measurement import Measurement
    from pytest_sai3bench.thresholds.rules import Rule


def evaluate(compiled: Compiled, result: RunResult) -> Verdict:
    """Return the verdict on ``compiled`` from the workload of ``result``.

    Values are compared exactly, before anything is rounded for display. The verdict is inconclusive when the run or
    the samples cannot carry a judgement, whatever the value.
    """
    rule = compiled.rule
    verdict = Verdict(
        id=compiled.id,
        text=compiled.text,
        location=compiled.location,
        severity=compiled.severity,
        xfail=compiled.xfail,
        outcome="inconclusive",
        limit_text=str(rule.comparison),
    )
    phase = result.workload
    obstacle = _find_obstacle(result)
    if phase is None:
        return replace(verdict, reason=obstacle or "the run has no workload phase")
    measurement = measure(rule, phase)
    if measurement.value is None:
        missing = "completed" if rule.metric.is_latency else "was requested"
        return replace(verdict, reason=obstacle or f"{rule.subject} was not measured: nothing {missing}")
    found = _put_in_words(rule, phase, measurement.value)
    verdict = replace(
        verdict,
        measured=float(measurement.value),
        measured_text=found.text,
        margin=None if found.value is None else margin_of(found.value, rule.comparison),
        samples=measurement.samples,
    )
    obstacle = obstacle or _find_saturation(rule, phase) or _find_shortage(rule, measurement)
    if obstacle or found.value is None:
        return replace(verdict, reason=obstacle or found.obstacle)
    if rule.comparison.holds(found.value):
        return replace(verdict, outcome="passed")
    return replace(
        verdict,
        outcome="failed",
        reason=_describe_failure(rule, verdict, measurement) + _only_at(rule, phase),
        rows=_rows(rule, phase, too_high=_is_too_high(rule, found.value)),
    )


@dataclass(frozen=True)
class _Found:
    """What is compared with the bounds, None if there is an obstacle; and the whole of it in words."""

    value: Fraction | None
    text: str
    obstacle: str = ""


def _put_in_words(rule: Rule, phase: PhaseResult, value: Fraction) -> _Found:
    if not isinstance(rule.comparison, OfMedian):
        return _Found(value, show(value, rule.metric.kind, rule.comparison))
    text = _show_alone(rule, value)
    usual = median_of(rule, (peer for _, peer in measure_peers(rule, phase)))
    if not usual:
        assert rule.part
        kind = rule.part.kind
        cause = f"the median of all {kind}s is 0" if usual == 0 else f"no other {kind} was measured"
        return _Found(None, text, f"{rule.subject} has nothing to be compared with: {cause}")
    share = value / usual
    return _Found(share, f"{text}, {show(share, 'percent', rule.comparison)} of median")


def _find_obstacle(result: RunResult) -> str:
    """Return why nothing in this run can be judged, or nothing."""
    if result.status != "completed":
        return f"the run {'failed' if result.status == 'failed' else 'was interrupted'}: {result.reason}"
    lost = (
        [report for report in result.workload.agents if report.outcome == "lost"] if result.workload else []
    )
    if lost:
        return f"agent {lost[0].agent} was lost: {lost[0].reason}"
    for check in result.checks:
        if check.name.startswith("reconcile") and not check.passed:
            return f"the totals do not reconcile: {check.name} is {check.value}, expected {check.expected}"
    return ""


def _find_saturation(rule: Rule, phase: PhaseResult) -> str:
    """Return why the value may say more of the load generator than of the storage, or nothing."""
    cause = find_saturation(phase) if rule.metric.is_speed else ""
    return f"the load generator was the limit: {cause}" if cause else ""


def _find_shortage(rule: Rule, measurement: Measurement) -> str:
    """Return why there are too few samples for the metric, or nothing."""
    needed = rule.metric.samples_needed
    if not rule.metric.is_latency or measurement.samples >= needed:
        return ""
    return (
        f"{rule.subject} needs {format_count(needed)} samples, there are {format_count(measurement.samples)}"
    )


def _describe_failure(rule: Rule, verdict: Verdict, measurement: Measurement) -> str:
    facts = [] if verdict.margin is None else [describe_margin(verdict.margin)]
    facts.append(describe_samples(measurement))
    return f"{rule.subject} was {verdict.measured_text}, the limit is {rule.comparison} ({', '.join(facts)})"


def _only_at(rule: Rule, phase: PhaseResult) -> str:
    """Name the endpoint that fails a rule on all of them by itself; a sum is made by all, so no rate has one."""
    metric = rule.metric
    if (
        rule.part
        or rule.scope in (ENDPOINTS, AGENTS)
        or not (metric.is_latency or metric.name in ERROR_METRICS)
    ):
        return ""
    parts = break_down(rule, phase)
    failing = [uri for uri, one in parts if one.value is not None and not rule.comparison.holds(one.value)]
    return f", only at {failing[0]}" if len(failing) == 1 < len(parts) else ""


def _is_too_high(rule: Rule, value: Fraction) -> bool:
    """Whether a value that fails does so from above."""
    bound = nearest_bound(value, rule.comparison)
    if value == bound:
        return isinstance(rule.comparison, Limit) and rule.comparison.operator == "<"
    return value > bound


def _rows(rule: Rule, phase: PhaseResult, *, too_high: bool) -> tuple[Row, ...]:
    parts = measure_peers(rule, phase) if isinstance(rule.comparison, OfMedian) else break_down(rule, phase)
    values = [measurement.value for _, measurement in parts if measurement.value is not None]
    if len(parts) < 2 or not values:
        return ()
    if rule.metric.name == "imbalance":
        mean = sum(values, Fraction(0)) / len(values)
        # Of two that are equally far off, the one that got less.
        worst = max(values, key=lambda value: (abs(value - mean), -value))
    elif rule.metric.name == "idle":
        worst = min(values)
    else:
        worst = max(values) if too_high else min(values)
    # A rule on one part is failed by that part, whatever the others did.
    only = rule.part.name if rule.part and rule.part.name in dict(parts) else None
    return tuple(
        Row(
            name,
            _show_row(rule, measurement),
            name == only if only is not None else measurement.value == worst,
        )
        for name, measurement in parts
    )


def _show_row(rule: Rule, measurement: Measurement) -> str:
    if measurement.value is None:
        return "nothing"
    if rule.metric.home == "endpoints":
        return describe_samples(measurement)
    if isinstance(rule.comparison, OfMedian):
        return _show_alone(rule, measurement.value)
    return show(measurement.value, rule.metric.kind, rule.comparison)


def _show_alone(rule: Rule, value: Fraction) -> str:
    """Return a value that is compared with others like it, and so with nothing in the rule."""
    return format_quantity(Quantity(float(value), rule.metric.kind))
