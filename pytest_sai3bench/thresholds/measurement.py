"""What a phase showed of the metric of a rule: exact fractions in base units, with the samples they rest on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from statistics import median
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.rules import OfMedian
from pytest_sai3bench.thresholds.vocabulary import AGENTS, ENDPOINTS, OPERATIONS_OF, RESPONSE, TTFB

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sai3bench.results.latency import Latency
    from pytest_sai3bench.results.model import AgentReport, PhaseResult, Tally
    from pytest_sai3bench.thresholds.rules import Rule
    from pytest_sai3bench.thresholds.vocabulary import Metric

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Measurement:
    """A value in base units, None when there was nothing to measure, over ``samples`` things called ``noun``."""

    value: Fraction | None
    samples: int
    noun: str


def measure(rule: Rule, phase: PhaseResult) -> Measurement:
    """Return what ``phase`` showed of the thing that ``rule`` limits."""
    if rule.scope == ENDPOINTS:
        return _measure_endpoints(rule.metric, phase)
    if rule.scope == AGENTS:
        only = rule.part.name if rule.part else None
        return _measure_agents(rule.metric, [one for one in phase.agents if only in (None, one.agent)])
    return _measure_tally(rule, phase, tally_of(rule, phase))


def break_down(rule: Rule, phase: PhaseResult) -> list[tuple[str, Measurement]]:
    """Return the metric for every endpoint (for a metric of agents: every agent); for imbalance and idle, requests.

    A rate is that of a whole agent or run: it has no parts.
    """
    if rule.scope == AGENTS:
        return [(one.agent, _measure_agents(rule.metric, [one])) for one in phase.agents]
    if rule.metric.name == "achieved_rate":
        return []
    if rule.scope == ENDPOINTS:
        counts = _requests(phase).items()
        return [(uri, Measurement(Fraction(count), count, "request")) for uri, count in counts]
    return [(uri, _measure_tally(rule, phase, _tally(rule, phase, uri))) for uri in phase.endpoints]


def measure_peers(rule: Rule, phase: PhaseResult) -> list[tuple[str, Measurement]]:
    """Return what ``phase`` showed of the metric for every endpoint, or for every agent if the part of ``rule`` is one."""
    assert rule.part
    names = phase.endpoints if rule.part.kind == "endpoint" else phase.agent_names
    return [(name, measure(replace(rule, part=replace(rule.part, name=name)), phase)) for name in names]


def median_of(rule: Rule, peers: Iterable[Measurement]) -> Fraction | None:
    """Return the median of all peers with enough samples, None when there are less than two; of two it is the mean."""
    needed = rule.metric.samples_needed if rule.metric.is_latency else 0
    values = [each.value for each in peers if each.value is not None and each.samples >= needed]
    return median(values) if len(values) > 1 else None


def compared(rule: Rule, phase: PhaseResult, value: Fraction) -> Fraction | None:
    """Return what is compared with the bounds of ``rule``: ``value``, or its share of a median, None if there is none."""
    if not isinstance(rule.comparison, OfMedian):
        return value
    usual = median_of(rule, (peer for _, peer in measure_peers(rule, phase)))
    return value / usual if usual else None


def tally_of(rule: Rule, phase: PhaseResult) -> Tally:
    """Return what ``phase`` adds up for a rule on operations."""
    return _tally(rule, phase, rule.part.name if rule.part and rule.part.kind == "endpoint" else None)


def latency_of(metric: Metric, tally: Tally) -> Latency:
    """Return the distribution of which a latency is read."""
    return {"service": tally.latency, RESPONSE: tally.response, TTFB: tally.ttfb}[metric.basis]


def _tally(rule: Rule, phase: PhaseResult, endpoint: str | None) -> Tally:
    agent = rule.part.name if rule.part and rule.part.kind == "agent" else None
    return phase.tally(ops=OPERATIONS_OF[rule.scope], endpoint=endpoint, agent=agent)


def _measure_tally(rule: Rule, phase: PhaseResult, tally: Tally) -> Measurement:
    metric = rule.metric
    if metric.is_latency:
        latency = latency_of(metric, tally)
        return Measurement(_latency(metric, latency), latency.count, "sample")
    if metric.name == "achieved_rate":
        return _measure_rate(phase, tally, only=rule.part.name if rule.part else None)
    return Measurement(_count(metric, phase, tally), tally.requests, "request")


def _count(metric: Metric, phase: PhaseResult, tally: Tally) -> Fraction | None:
    if metric.name == "throughput":
        return _exact(phase.bytes_per_s(tally))
    if metric.name == "ops":
        return _exact(phase.ops_per_s(tally))
    if metric.name == "count":
        return Fraction(tally.ops + tally.tail_ops)
    # Where nothing was asked, the absence of errors says nothing.
    if not tally.requests:
        return None
    return Fraction(tally.errors, 1 if metric.name == "errors" else tally.requests)


def _measure_rate(phase: PhaseResult, tally: Tally, *, only: str | None) -> Measurement:
    """Compare what completed in the window with what was due in it."""
    due = sum(one.due_starts for one in phase.agents if only in (None, one.agent))
    return Measurement(Fraction(tally.ops, due) if due else None, due, "start")


def _latency(metric: Metric, latency: Latency) -> Fraction | None:
    if not latency.count:
        return None
    # Whatever the basis that stands before it.
    if metric.name.endswith("mean"):
        return Fraction(latency.sum_ns, latency.count * _NS_PER_S)
    ns = latency.percentile_ns(metric.percent) if metric.percent else latency.max_ns
    return Fraction(ns, _NS_PER_S)


def _measure_endpoints(metric: Metric, phase: PhaseResult) -> Measurement:
    counts = list(_requests(phase).values())
    asked = sum(counts)
    if metric.name == "idle":
        return Measurement(Fraction(counts.count(0)), asked, "request")
    # The formula of PhaseResult.imbalance, as a fraction: 10% is then exactly 10%.
    spread = Fraction((max(counts) - min(counts)) * len(counts), asked) if asked else None
    return Measurement(spread, asked, "request")


def _measure_agents(metric: Metric, reports: list[AgentReport]) -> Measurement:
    if metric.name == "start_skew":
        values = [_exact(abs(report.start_skew_s)) for report in reports]
    else:
        values = [_exact(report.cpu_share) for report in reports]
    return Measurement(max(values, default=None), len(values), "agent")


def _requests(phase: PhaseResult) -> dict[str, int]:
    return {uri: phase.tally(endpoint=uri).requests for uri in phase.endpoints}


def _exact(value: float) -> Fraction:
    """Return the decimal a float was made from (0.1 as 1/10), so that borders lie where a user writes them."""
    return Fraction(repr(value))
