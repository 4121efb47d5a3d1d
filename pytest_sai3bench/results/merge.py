"""From what workers reported to the result of a phase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.messages import SECTIONS
from pytest_sai3bench.results.contacts import merge_contacts
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import AgentReport, ErrorSample, PhaseResult, total_by_key
from pytest_sai3bench.results.outages import read_outages
from pytest_sai3bench.results.reconciliation import sum_ticks
from pytest_sai3bench.results.sums import Reporter, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_sai3bench.agent.messages import PacingWire, ResultWire
    from pytest_sai3bench.results.model import SeriesKey, Tally
    from pytest_sai3bench.results.reconciliation import Halves
    from pytest_sai3bench.results.ticks import Ticks

NS_PER_S = 1_000_000_000

# From best to worst: what an agent reports is the worst of its workers.
_OUTCOMES = ("completed", "exhausted", "aborted", "gave-up", "failed", "lost")


@dataclass(frozen=True)
class WorkerOutcome:
    """What the controller holds of one worker at the end of a phase.

    ``endpoints`` are the URIs of the worker's plan, in the order its messages count them. ``result`` is None for a
    worker that fell silent: its ticks are then all that is known of it, and ``lost_reason`` says what happened.
    ``epoch_ns`` is what has to be added to the controller's monotonic clock to get the time since the epoch.
    """

    agent: str
    worker: int
    host: str
    python: str
    lanes: int
    clock_offset_ns: int
    clock_error_ns: int
    endpoints: tuple[str, ...]
    result: ResultWire | None
    ticks: Ticks
    lost_reason: str = ""
    epoch_ns: int = 0

    @property
    def reporter(self) -> Reporter:
        """The worker as its messages have to be read."""
        return Reporter(self.agent, self.endpoints)


def merge_phase(
    phase: str,
    endpoints: tuple[str, ...],
    outcomes: Sequence[WorkerOutcome],
    *,
    kind: str = "",
    position: int = 0,
) -> PhaseResult:
    """Return the result of ``phase``: every worker's totals added up, agents in the order of ``outcomes``.

    ``kind`` and ``position`` are those of `PhaseResult`. ``endpoints`` are all planned URIs. Errors carry no size: they are counted in bucket 0 of their operation.
    """
    by_agent: dict[str, list[WorkerOutcome]] = {}
    for outcome in outcomes:
        by_agent.setdefault(outcome.agent, []).append(outcome)
    final = _halves(item for outcome in outcomes for item in _totals(outcome))
    ticked = _halves(item for outcome in outcomes for item in outcome.ticks.sums.tallies())
    return PhaseResult(
        phase=phase,
        endpoints=endpoints,
        agents=tuple(_agent_report(workers) for workers in by_agent.values()),
        series=final[1],
        warmup=final[0],
        errors=_error_samples(outcomes),
        outages=read_outages(outcomes),
        ticked=sum_ticks(ticked, final),
        kind=kind,
        position=position,
    )


def _totals(outcome: WorkerOutcome) -> Iterable[tuple[str, SeriesKey, Tally]]:
    if outcome.result is None:
        return outcome.ticks.sums.tallies()
    sums = Sums()
    sums.add(outcome.reporter, outcome.result["sections"], outcome.result["errors"])
    return sums.tallies()


def _halves(items: Iterable[tuple[str, SeriesKey, Tally]]) -> Halves:
    parts = list(items)
    return (
        total_by_key((key, tally) for section, key, tally in parts if section == "warmup"),
        total_by_key((key, tally) for section, key, tally in parts if section != "warmup"),
    )


def _error_samples(outcomes: Iterable[WorkerOutcome]) -> tuple[ErrorSample, ...]:
    """Workers of one agent that failed alike make one sample, with the text of the first of them."""
    found: dict[tuple[str, str, str, str, str], tuple[int, str]] = {}
    for outcome in outcomes:
        for error in outcome.ticks.errors if outcome.result is None else outcome.result["errors"]:
            endpoint = outcome.endpoints[error["endpoint"]]
            key = (outcome.agent, endpoint, error["op"], error["kind"], error["section"])
            count, sample = found.get(key, (0, error["sample"]))
            found[key] = (count + error["count"], sample)
    return tuple(
        ErrorSample(agent, endpoint, op, kind, count, sample, section)
        for (agent, endpoint, op, kind, section), (count, sample) in found.items()
    )


def _agent_report(workers: Sequence[WorkerOutcome]) -> AgentReport:
    results = [worker.result for worker in workers if worker.result is not None]
    lost = [worker for worker in workers if worker.result is None]
    outcomes = [result["outcome"] for result in results] + ["lost"] * len(lost)
    reasons = [result["reason"] for result in results] + [worker.lost_reason for worker in lost]
    windows_ns = [result["window_ns"][1] - result["window_ns"][0] for result in results]
    walls_ns = [result["ended_ns"] - result["started_ns"] for result in results]
    skews_ns = (result["started_ns"] - result["planned_start_ns"] for result in results)
    pacings = [result["pacing"] for result in results if result["pacing"]]
    clock = min(workers, key=lambda worker: worker.clock_error_ns)
    return AgentReport(
        agent=workers[0].agent,
        host=workers[0].host,
        python=workers[0].python,
        outcome=max(outcomes, key=_OUTCOMES.index),
        reason="; ".join(_distinct(reasons)),
        lanes=sum(worker.lanes for worker in workers),
        window_s=max(windows_ns or [_ticked_ns(lost, ("measured",))]) / NS_PER_S,
        wall_s=max(walls_ns or [_ticked_ns(lost, SECTIONS)]) / NS_PER_S,
        start_skew_s=max(skews_ns, key=abs, default=0) / NS_PER_S,
        clock_offset_s=clock.clock_offset_ns / NS_PER_S,
        clock_error_s=clock.clock_error_ns / NS_PER_S,
        cpu_s=sum(result["cpu_s"] for result in results),
        max_rss_bytes=sum(result["max_rss_bytes"] for result in results),
        retries=sum(result["retries"] for result in results),
        read_sink="/".join(_distinct(result["read_sink"] for result in results)),
        notes=_distinct(note for result in results for note in result["notes"]),
        workers=len(workers),
        cpu_cores=max((result["cpu_cores"] for result in results), default=1),
        worker_cpu=tuple(
            result["cpu_share"]
            if result["cpu_share"] >= 0
            else (result["cpu_s"] * NS_PER_S / wall_ns if wall_ns else 0.0)
            for result, wall_ns in zip(results, walls_ns, strict=True)
        ),
        due_starts=sum(pacing["due"] for pacing in pacings),
        late_starts=sum(pacing["late"] for pacing in pacings),
        missed_starts=sum(pacing["missed"] for pacing in pacings),
        start_lag_s=max((pacing["longest_lag_ns"] for pacing in pacings), default=0) / NS_PER_S,
        start_lag_p99_s=_lags(pacings).percentile_ns(99) / NS_PER_S,
        endpoints=_distinct(uri for worker in workers for uri in worker.endpoints),
        engine="/".join(_distinct(result["engine"] for result in results)),
        contacts=merge_contacts(
            (worker.endpoints[contact["endpoint"]], contact)
            for worker in workers
            if worker.result is not None
            for contact in worker.result["contacts"]
        ),
        longest_pause_s=max((result["longest_pause_ns"] for result in results), default=0) / NS_PER_S,
    )


def _lags(pacings: Sequence[PacingWire]) -> Latency:
    """Return the distribution of lags, whose maximum is not known apart from that of all operations."""
    longest_ns = max((pacing["longest_lag_ns"] for pacing in pacings), default=0)
    return Latency.total(
        Latency(dict(zip(pacing["index"], pacing["counts"])), max_ns=longest_ns) for pacing in pacings
    )


def _ticked_ns(lost: Sequence[WorkerOutcome], sections: Sequence[str]) -> int:
    """Return the time of which ticks tell: all that is known of the duration of an agent without a result."""
    return max((worker.ticks.span(sections) for worker in lost), default=0) * NS_PER_S


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
