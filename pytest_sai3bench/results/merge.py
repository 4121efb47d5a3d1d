"""From the messages of workers to the result of a phase: the only place where wire vocabulary becomes values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.messages import SECTIONS
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    ErrorSample,
    PhaseResult,
    SeriesKey,
    Tally,
    Tick,
    total_by_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_sai3bench.agent.messages import (
        ErrorWire,
        LatencyWire,
        PacingWire,
        ResultWire,
        SeriesWire,
        TickWire,
    )

NS_PER_S = 1_000_000_000

# From best to worst: what an agent reports is the worst of its workers.
_OUTCOMES = ("completed", "exhausted", "aborted", "gave-up", "lost")


@dataclass(frozen=True)
class WorkerOutcome:
    """What the controller holds of one worker at the end of a phase.

    ``endpoints`` are the URIs of the worker's plan, in the order its messages count them. ``result`` is None for a
    worker that fell silent: its ticks are then all that is known of it, and ``lost_reason`` says what happened.
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
    ticks: tuple[TickWire, ...] = ()
    lost_reason: str = ""

    def key(self, op: str, endpoint: int, bucket: int) -> SeriesKey:
        """Return the identity of a series of this worker."""
        return SeriesKey(self.agent, self.endpoints[endpoint], op, bucket)


def merge_phase(phase: str, endpoints: tuple[str, ...], outcomes: Sequence[WorkerOutcome]) -> PhaseResult:
    """Return the result of ``phase``: every worker's totals added up, agents in the order of ``outcomes``.

    ``endpoints`` are all planned URIs. Errors carry no size: they are counted in bucket 0 of their operation.
    """
    by_agent: dict[str, list[WorkerOutcome]] = {}
    for outcome in outcomes:
        by_agent.setdefault(outcome.agent, []).append(outcome)
    items = [item for outcome in outcomes for item in _totals(outcome)]
    return PhaseResult(
        phase=phase,
        endpoints=endpoints,
        agents=tuple(_agent_report(workers) for workers in by_agent.values()),
        series=total_by_key((key, tally) for section, key, tally in items if section != "warmup"),
        warmup=total_by_key((key, tally) for section, key, tally in items if section == "warmup"),
        errors=_error_samples(outcomes),
        ticks=_ticks(outcomes),
    )


def _totals(outcome: WorkerOutcome) -> Iterator[tuple[str, SeriesKey, Tally]]:
    if outcome.result is not None:
        yield from _read(outcome, outcome.result["sections"], outcome.result["errors"])
        return
    for tick in outcome.ticks:
        yield from _read(outcome, tick["sections"], tick["errors"])


def _read(
    outcome: WorkerOutcome, sections: Mapping[str, Sequence[SeriesWire]], errors: Iterable[ErrorWire]
) -> Iterator[tuple[str, SeriesKey, Tally]]:
    for section, series in sections.items():
        for wire in series:
            yield section, outcome.key(wire["op"], wire["endpoint"], wire["bucket"]), _tally(section, wire)
    for error in errors:
        yield error["section"], outcome.key(error["op"], error["endpoint"], 0), Tally(errors=error["count"])


def _tally(section: str, wire: SeriesWire) -> Tally:
    latency = _latency(wire)
    response = _latency(wire["response"]) if wire["response"] else Latency()
    if section == "tail":
        return Tally(tail_ops=wire["count"], tail_bytes=wire["bytes"], latency=latency, response=response)
    return Tally(ops=wire["count"], bytes=wire["bytes"], latency=latency, response=response)


def _latency(wire: LatencyWire | SeriesWire) -> Latency:
    return Latency(dict(zip(wire["index"], wire["counts"])), wire["sum_ns"], wire["min_ns"], wire["max_ns"])


def _ticks(outcomes: Iterable[WorkerOutcome]) -> tuple[Tick, ...]:
    groups: dict[tuple[int, str, str], list[tuple[SeriesKey, Tally]]] = {}
    for outcome in outcomes:
        for tick in outcome.ticks:
            for section, key, tally in _read(outcome, tick["sections"], tick["errors"]):
                groups.setdefault((tick["tick"], outcome.agent, section), []).append((key, tally))
    return tuple(
        Tick(agent, second, section, total_by_key(items))
        for (second, agent, section), items in sorted(groups.items(), key=lambda group: group[0])
    )


def _error_samples(outcomes: Iterable[WorkerOutcome]) -> tuple[ErrorSample, ...]:
    """Workers of one agent that failed alike make one sample, with the text of the first of them."""
    found: dict[tuple[str, str, str, str, str], tuple[int, str]] = {}
    for outcome in outcomes:
        sources = [outcome.result] if outcome.result is not None else outcome.ticks
        for error in (error for source in sources for error in source["errors"]):
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
        longest_pause_s=max((result["longest_pause_ns"] for result in results), default=0) / NS_PER_S,
    )


def _lags(pacings: Sequence[PacingWire]) -> Latency:
    """Return the distribution of lags, whose maximum is not known apart from that of all operations."""
    longest_ns = max((pacing["longest_lag_ns"] for pacing in pacings), default=0)
    return Latency.total(
        Latency(dict(zip(pacing["index"], pacing["counts"])), max_ns=longest_ns) for pacing in pacings
    )


def _ticked_ns(lost: Sequence[WorkerOutcome], sections: Sequence[str]) -> int:
    """Return the time from which ticks arrived: all that is known of the duration of an agent without a result."""
    seconds = {
        tick["tick"]
        for worker in lost
        for tick in worker.ticks
        if any(tick["sections"].get(section) for section in sections)
    }
    return len(seconds) * NS_PER_S


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))
