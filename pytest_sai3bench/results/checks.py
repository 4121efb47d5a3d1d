"""Self-checks of a result: do its numbers agree with each other, and was the load generator fast enough?

A failed check whose name starts with ``reconcile`` means that the numbers cannot be trusted. The others are advice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.results.model import Check, Tally, total
from pytest_sai3bench.results.reconciliation import describe_key, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.results.model import AgentReport, PhaseResult, RunResult, SeriesKey

BUSY_LANES_LIMIT = 1.05
GENERATOR_CPU_LIMIT = 0.95
MISSED_LIMIT = 0.01
SHORT_LAG_S = 0.01


def check_run(result: RunResult) -> tuple[Check, ...]:
    """Return the checks of each phase with the workload, which thresholds judge; none when the run did not get there."""
    several = len(result.workloads) > 1
    return tuple(
        replace(check, phase=phase.phase) if several else check
        for phase in result.workloads
        for check in check_phase(phase)
    )


def check_phase(phase: PhaseResult) -> tuple[Check, ...]:
    """Return every check of one phase, reconciliations first."""
    by_endpoint = total(phase.tally(endpoint=uri) for uri in phase.endpoints)
    by_agent = total(phase.tally(agent=report.agent) for report in phase.agents)
    return (
        _reconcile_sum("reconcile-endpoints", by_endpoint, phase.tally(requests=True)),
        _reconcile_sum("reconcile-agents", by_agent, phase.tally()),
        _reconcile_parts(phase),
        _reconcile_ticks(phase),
        _reconcile_counts(phase),
        _littles_law(phase),
        _generator_cpu(phase),
        _generator_lag(phase),
        _rate_kept(phase),
        _endpoints_used(phase),
    )


def _reconcile_sum(name: str, found: Tally, expected: Tally) -> Check:
    """Compare the sum over what was planned with the total: a series that belongs nowhere is missing in the sum."""
    return Check(name, facts_of(found) == facts_of(expected), _text(found), _text(expected))


def _reconcile_parts(phase: PhaseResult) -> Check:
    """Compare the bytes of operations of several requests with those of their requests, over the whole time of load.

    There are more when some of the requests, or the whole operation, failed or did not end.
    """
    bytes_of = {
        role: sum(tally.bytes + tally.tail_bytes for key, tally in _all_series(phase) if key.role == role)
        for role in ("whole", "part")
    }
    ended = all(report.outcome in ("completed", "exhausted") for report in phase.agents)
    exact = ended and not any(tally.errors for _, tally in _all_series(phase))
    found, expected = bytes_of["part"], bytes_of["whole"]
    return Check(
        "reconcile-parts",
        found == expected if exact else found >= expected,
        f"{found} bytes in parts of operations",
        f"{'' if exact else 'at least '}{expected} bytes",
    )


def _all_series(phase: PhaseResult) -> Iterator[tuple[SeriesKey, Tally]]:
    yield from phase.warmup.items()
    yield from phase.series.items()


def _reconcile_ticks(phase: PhaseResult) -> Check:
    """Compare the final results with what agents reported second by second, on a path of its own."""
    ticked = phase.ticked
    found = f"{ticked.ops} ops, {ticked.bytes} bytes, {ticked.errors} errors"
    expected = _text(total(tally for key, tally in _all_series(phase) if key.role != "part"))
    passed = not ticked.differing and found == expected
    return Check("reconcile-ticks", passed, found + _first(ticked.differing), expected)


def _reconcile_counts(phase: PhaseResult) -> Check:
    """Compare the number of latencies with the number of operations, series by series."""
    differing = [
        describe_key(key)
        for key, tally in phase.series.items()
        if tally.latency.count != tally.ops + tally.tail_ops
        or tally.response.count not in (0, tally.latency.count)
        or tally.ttfb.count not in (0, tally.latency.count)
    ]
    whole = phase.tally()
    return Check(
        "reconcile-counts",
        not differing,
        f"{whole.latency.count} latencies{_first(differing)}",
        f"{whole.ops + whole.tail_ops} latencies",
    )


def _littles_law(phase: PhaseResult) -> Check:
    """Compare the lanes that were busy with those there are: rate x mean latency = concurrency (Little, 1961).

    A lane is busy with one request; operations that take several are under way on several lanes, or wait for one.

    Taken over the whole time of load, warm-up and tail included, it holds for every closed loop, not only for a steady
    one: more busy lanes than there are means that latencies are wrong. Few of them mean that the generator idled.

    What waits at an endpoint that fell silent holds no lane. So those that did are left out, and the others keep to it.
    """
    freed = {outage.endpoint for outage in phase.outages if outage.kind != "paused"}
    latency = total(
        tally for key, tally in _all_series(phase) if key.role != "whole" and key.endpoint not in freed
    ).latency
    lane_s = sum(report.lanes * report.wall_s for report in phase.agents)
    busy = latency.sum_ns / 1e9 / lane_s if lane_s else 0.0
    return Check(
        "littles-law",
        busy <= BUSY_LANES_LIMIT,
        f"{busy:.1%} of lane time in operations{' at endpoints that never fell silent' if freed else ''}",
        f"at most {BUSY_LANES_LIMIT:.0%}",
    )


def _generator_cpu(phase: PhaseResult) -> Check:
    """Look at the agent with the busiest worker: near all that it can use, the client was the limit."""
    busiest = max(phase.agents, key=lambda report: report.cpu_load, default=None)
    load = busiest.cpu_load if busiest else 0.0
    passed = load <= GENERATOR_CPU_LIMIT
    cores = busiest.cpu_cores if busiest else 1
    what = "a core per worker" if cores == 1 else f"its {cores} cores"
    agent = f" ({busiest.agent})" if busiest else ""
    return Check(
        "generator-cpu",
        passed,
        f"{load:.1%} of {what}{agent}{'' if passed else ', the generator may have been the limit'}",
        f"at most {GENERATOR_CPU_LIMIT:.0%}",
    )


def _generator_lag(phase: PhaseResult) -> Check:
    """Look at the agent whose lanes, though they were waiting for it, began the latest after the due instant."""
    worst = max(phase.agents, key=lambda report: report.start_lag_p99_s / _lag_limit_s(report), default=None)
    if worst is None or not worst.due_starts:
        return Check("generator-lag", True, "no rate", "at most 10 ms")
    limit_s = _lag_limit_s(worst)
    return Check(
        "generator-lag",
        worst.start_lag_p99_s <= limit_s,
        f"p99 of {worst.start_lag_p99_s * 1000:.2f} ms from instant to begin ({worst.agent})",
        f"at most {limit_s * 1000:.0f} ms",
    )


def _lag_limit_s(report: AgentReport) -> float:
    """Return 10 ms, or a tenth of the time between two operations of a worker when that is longer."""
    interval_s = report.window_s * report.workers / report.due_starts if report.due_starts else 0.0
    return max(SHORT_LAG_S, interval_s / 10)


def find_saturation(phase: PhaseResult) -> str:
    """Return why latencies and rates of this phase may be those of the load generator, or nothing.

    Threads of a file engine do the work of the storage, too, when that is the page cache: their CPU is no sign.
    """
    one_core = [report for report in phase.agents if report.cpu_cores == 1]
    for check in (_generator_cpu(replace(phase, agents=tuple(one_core))), _generator_lag(phase)):
        if not check.passed:
            return f"{check.name} is {check.value}, expected {check.expected}"
    return ""


def _rate_kept(phase: PhaseResult) -> Check:
    """Look at the operations that a rate asked for and that were never begun: all lanes were busy with others."""
    due = sum(report.due_starts for report in phase.agents)
    missed = sum(report.missed_starts for report in phase.agents)
    lag_ms = max((report.start_lag_s for report in phase.agents), default=0) * 1000
    return Check(
        "rate-kept",
        missed <= due * MISSED_LIMIT,
        f"{missed} of {due} starts missed, the latest {lag_ms:.1f} ms late" if due else "no rate",
        f"at most {MISSED_LIMIT:.0%} missed",
    )


def _endpoints_used(phase: PhaseResult) -> Check:
    used = sum(1 for uri in phase.endpoints if phase.tally(endpoint=uri).requests)
    return Check("endpoints-used", used == len(phase.endpoints), str(used), str(len(phase.endpoints)))


def _text(tally: Tally) -> str:
    return f"{tally.ops + tally.tail_ops} ops, {tally.bytes + tally.tail_bytes} bytes, {tally.errors} errors"


def _first(differing: Sequence[str]) -> str:
    return f"; {len(differing)} series differ, the first is {differing[0]}" if differing else ""
