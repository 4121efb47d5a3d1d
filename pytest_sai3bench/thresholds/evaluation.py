"""A rule and the result of a run → a verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.results.checks import find_saturation
from pytest_sai3bench.results.windows import Window
from pytest_sai3bench.thresholds.baselines import is_significant
from pytest_sai3bench.thresholds.measurement import break_down, measure, measure_peers, median_of
from pytest_sai3bench.thresholds.rules import Limit, OfBaseline, OfMedian
from pytest_sai3bench.thresholds.statistics import CONFIDENCE
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
    from pytest_sai3bench.thresholds.baselines import Comparison
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.measurement import Measurement
    from pytest_sai3bench.thresholds.rules import Rule
    from pytest_sai3bench.thresholds.watching import Seen


def _compare(comparison: OfBaseline, text: str, rule: Rule, beside: Comparison | None) -> _Found:
    if beside is None or beside.ratio is None or beside.usual is None:
        return _Found(None, text, beside.problem if beside else f"there is no {comparison.reference}")
    ratio = beside.ratio
    share = Fraction(ratio.value)
    interval = f"{ratio.low:.1%} to {ratio.high:.1%} with {CONFIDENCE:.0%} confidence"
    shown = f"{text}, {show(share, 'percent', comparison)} of {comparison.reference} ({_show_alone(rule, beside.usual)})"
    return _Found(share, shown, interval=interval, may_be_chance=not is_significant(comparison, ratio))


_ENDS = {"failed": "failed", "interrupted": "was interrupted", "aborted": "was ended by another rule"}


def evaluate(
    compiled: Compiled, result: RunResult, seen: Seen | None = None, beside: Comparison | None = None
) -> Verdict:
    """Return the verdict on ``compiled`` from the workload of ``result``.

    ``seen`` is what a `Watched` of the rule saw, ``beside`` how the run compares with the baseline of the rule.

    Values are compared exactly, before anything is rounded for display. The verdict is inconclusive when the run or
    the samples cannot carry a judgement, whatever the value.
    """
    rule = compiled.rule
    phase = result.workload
    if result.status == "aborted" and seen and seen.objection:
        return judge(compiled, seen.objection, whole=phase)
    obstacle = _find_obstacle(result)
    if phase is None:
        return _inconclusive(compiled, obstacle or "the run has no workload phase")
    if rule.window is None:
        return judge(compiled, phase, obstacle, beside=beside)
    worst = seen.worst if seen else None
    if seen is None or (worst is None and seen.short is None):
        return _inconclusive(
            compiled, obstacle or f"{rule.subject} has no window {rule.window}: the run was too short"
        )
    verdict = judge(compiled, worst or seen.short, obstacle, whole=phase, of=seen.count)
    if worst is None or seen.short is None or verdict.outcome != "passed":
        return verdict
    return replace(judge(compiled, seen.short, whole=phase), outcome="inconclusive")


def judge(
    compiled: Compiled,
    phase: PhaseResult | None,
    obstacle: str = "",
    *,
    whole: PhaseResult | None = None,
    of: int = 0,
    beside: Comparison | None = None,
) -> Verdict:
    """Return the verdict from ``phase``, unless there is an ``obstacle``.

    It may be a window of the ``whole``, and the worst ``of`` so many, or stand ``beside`` a baseline.
    """
    rule = compiled.rule
    assert phase is not None
    measurement = measure(rule, phase)
    window = str(phase) if isinstance(phase, Window) else ""
    if measurement.value is None:
        missing = "completed" if rule.metric.is_latency else "was requested"
        when = f" from {window}" if window else ""
        cause = f"{rule.subject} was not measured: nothing {missing}{when}"
        return replace(_inconclusive(compiled, obstacle or cause), window=window)
    found = _put_in_words(rule, phase, measurement.value, beside)
    verdict = replace(
        _inconclusive(compiled, ""),
        measured=float(measurement.value),
        measured_text=found.text,
        margin=None if found.value is None else margin_of(found.value, rule.comparison),
        samples=measurement.samples,
        window=window,
    )
    obstacle = obstacle or _find_saturation(rule, whole or phase) or _find_shortage(rule, measurement, window)
    if obstacle or found.value is None:
        return replace(verdict, reason=obstacle or found.obstacle)
    if rule.comparison.holds(found.value):
        return replace(verdict, outcome="passed")
    if found.may_be_chance:
        cause = f"{rule.subject} was {found.text}, which may be chance: {found.interval}"
        return replace(verdict, reason=f"{cause}; the limit is {rule.comparison}")
    return replace(
        verdict,
        outcome="failed",
        reason=_describe_failure(rule, verdict, measurement, of, found.interval) + _only_at(rule, phase),
        rows=_rows(rule, phase, too_high=_is_too_high(rule, found.value)),
    )


def _inconclusive(compiled: Compiled, reason: str) -> Verdict:
    return Verdict(
        id=compiled.id,
        text=compiled.text,
        location=compiled.location,
        severity=compiled.severity,
        xfail=compiled.xfail,
        outcome="inconclusive",
        limit_text=str(compiled.rule.comparison),
        reason=reason,
    )


@dataclass(frozen=True)
class _Found:
    """What is compared with the bounds, None if there is an obstacle; and the whole of it in words.

    ``interval`` is that of a comparison with a baseline; ``may_be_chance`` when it holds the limit's own ratio.
    """

    value: Fraction | None
    text: str
    obstacle: str = ""
    interval: str = ""
    may_be_chance: bool = False


def _put_in_words(rule: Rule, phase: PhaseResult, value: Fraction, beside: Comparison | None) -> _Found:
    if isinstance(rule.comparison, OfBaseline):
        return _compare(rule.comparison, _show_alone(rule, value), rule, beside)
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
        # The remedy stands in the report of the run itself: every threshold would repeat it.
        cause, _, _ = result.reason.partition("\n")
        return f"the run {_ENDS[result.status]}: {cause}"
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


def _find_shortage(rule: Rule, measurement: Measurement, window: str) -> str:
    """Return why there are too few samples for the metric, or nothing."""
    needed = rule.metric.samples_needed
    if not rule.metric.is_latency or measurement.samples >= needed:
        return ""
    when = f" from {window}" if window else ""
    found = format_count(measurement.samples)
    return f"{rule.subject} needs {format_count(needed)} samples, there are {found}{when}"


def _describe_failure(
    rule: Rule, verdict: Verdict, measurement: Measurement, windows: int, interval: str
) -> str:
    facts = [] if verdict.margin is None else [describe_margin(verdict.margin)]
    facts.append(describe_samples(measurement))
    if interval:
        facts.append(interval)
    if windows > 1:
        facts.append(f"the worst of {windows} windows")
    value = f"{verdict.measured_text} from {verdict.window}" if verdict.window else verdict.measured_text
    return f"{rule.subject} was {value}, the limit is {rule.comparison} ({', '.join(facts)})"


def _only_at(rule: Rule, phase: PhaseResult) -> str:
    """Name the endpoint that fails a rule on all of them by itself; a sum is made by all, so no rate has one."""
    metric = rule.metric
    if (
        rule.part
        or rule.scope in (ENDPOINTS, AGENTS)
        or isinstance(rule.comparison, OfBaseline)
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
    if isinstance(rule.comparison, (OfMedian, OfBaseline)):
        return _show_alone(rule, measurement.value)
    return show(measurement.value, rule.metric.kind, rule.comparison)


def _show_alone(rule: Rule, value: Fraction) -> str:
    """Return a value that is compared with others like it, and so with nothing in the rule."""
    return format_quantity(Quantity(float(value), rule.metric.kind))
