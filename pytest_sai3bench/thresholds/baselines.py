"""What an earlier run measured, and how a rule compares a run with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.agent import hdr
from pytest_sai3bench.results.windows import join
from pytest_sai3bench.thresholds.measurement import latency_of, measure, tally_of
from pytest_sai3bench.thresholds.statistics import (
    FEWEST_BATCHES,
    Ratio,
    compare,
    estimate_percentile,
    estimate_ratio,
)
from pytest_sai3bench.thresholds.suggestions import enumerate_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_sai3bench.results.windows import Window
    from pytest_sai3bench.thresholds.rules import OfBaseline, Rule
    from pytest_sai3bench.thresholds.statistics import Estimate

Rounds = tuple[tuple["Window", ...], ...]
"""The batches of each round of a run."""

_SHOWN = 3


@dataclass(frozen=True)
class Baseline:
    """An earlier run: the batches of its rounds, when it was saved (text), and in which setup it ran.

    ``problem`` says why there is nothing to compare with; then there is nothing else.
    """

    name: str
    saved_at: str = ""
    fingerprint: Mapping[str, str] = field(default_factory=dict)
    rounds: Rounds = ()
    problem: str = ""
    is_missing: bool = False


@dataclass(frozen=True)
class Comparison:
    """A run beside its baseline: what the baseline measured, in base units, and the ratio; or why there is none."""

    usual: Fraction | None = None
    ratio: Ratio | None = None
    problem: str = ""


def describe_difference(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Return what differs between two setups, ``duration: 60 → 5``, the first of it; empty when nothing does."""
    names = [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    found = [f"{name}: {old.get(name, 'nothing')} → {new.get(name, 'nothing')}" for name in names[:_SHOWN]]
    if len(names) > _SHOWN:
        found.append(f"{len(names) - _SHOWN} more")
    return enumerate_words(found) if found else ""


def compare_with(
    rule: Rule, rounds: Rounds, baseline: Baseline, fingerprint: Mapping[str, str]
) -> Comparison:
    """Compare the rounds of a run in the setup ``fingerprint`` with a baseline."""
    if baseline.problem:
        return Comparison(problem=baseline.problem)
    if difference := describe_difference(baseline.fingerprint, fingerprint):
        return Comparison(problem=f"baseline {baseline.name} is of another setup: {difference}")
    whole = [measure(rule, join(batches)) for batches in baseline.rounds if batches]
    values = sorted(each.value for each in whole if each.value)
    if not values or len(values) < len(baseline.rounds):
        return Comparison(problem=f"baseline {baseline.name} has no {rule.subject}")
    usual = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
    shortest = min(len(batches) for batches in (*rounds, *baseline.rounds))
    if shortest < FEWEST_BATCHES:
        return Comparison(
            usual,
            problem=(
                f"{rule.subject} cannot be compared: {shortest} intervals say too little about how it varies, "
                f"{FEWEST_BATCHES} are needed; the run may last longer, or perf_log.interval be shorter"
            ),
        )
    try:
        ratio = compare(_estimates(rule, rounds), _estimates(rule, baseline.rounds))
    except ValueError as error:
        return Comparison(usual, problem=f"{rule.subject} cannot be compared: {error}")
    return Comparison(usual, ratio)


def is_significant(comparison: OfBaseline, ratio: Ratio) -> bool:
    """Tell whether a ratio that breaks its limit does so beyond chance.

    It does when its interval does not hold the nearest ratio that was allowed, for rules that allow no change: 1.
    """
    usual = Fraction(1)
    if not comparison.holds(usual):
        # More than before is demanded.
        usual = min(comparison.bounds, key=lambda bound: abs(bound - Fraction(ratio.value)))
    return not ratio.low <= usual <= ratio.high


def _estimates(rule: Rule, rounds: Rounds) -> list[Estimate]:
    return [_estimate(rule, batches) for batches in rounds]


def _estimate(rule: Rule, batches: Sequence[Window]) -> Estimate:
    metric = rule.metric
    tallies = [tally_of(rule, batch) for batch in batches]
    if not metric.is_latency:
        lengths = [batch.window_s for batch in batches]
        if metric.name == "count":
            return estimate_ratio([tally.ops + tally.tail_ops for tally in tallies], lengths)
        amounts = [tally.bytes if metric.name == "throughput" else tally.ops for tally in tallies]
        return estimate_ratio(amounts, lengths)
    latencies = [latency_of(metric, tally) for tally in tallies]
    if metric.percent:
        counts = [
            {hdr.highest_value_of(index): count for index, count in latency.counts.items()}
            for latency in latencies
        ]
        return estimate_percentile(counts, metric.percent)
    return estimate_ratio([each.sum_ns for each in latencies], [each.count for each in latencies])
