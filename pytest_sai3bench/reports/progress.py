"""A line on what a run is doing, from the ticks of its workers."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_sai3bench.results.model import total
from pytest_sai3bench.results.sums import Reporter, Sums
from pytest_sai3bench.units import format_count, format_duration_ns, format_rate, format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.plan.work import StagePlan


class Progress:
    """What workers completed since the last line, second by second; `begin` each stage with it."""

    def __init__(self, plan: RunPlan) -> None:
        self._uris = [endpoint.uri for endpoint in plan.endpoints]
        self.begin(plan.workers[0].stages[0])

    def begin(self, stage: StagePlan) -> None:
        """Forget the stage before."""
        self._stage = stage
        self._told_s = 0
        self._done = 0
        self._waiting: list[tuple[WorkerPlan, TickWire]] = []

    def take(self, worker: WorkerPlan, tick: TickWire) -> None:
        """Take in what a worker added."""
        self._waiting.append((worker, tick))

    def tell(self, until_s: int, width: int) -> list[str]:
        """Return the line on the time since the last one, up to the second ``until_s`` of the stage; folded to ``width``.

        A tick that comes too late for its line counts in the next.
        """
        due = [(worker, tick) for worker, tick in self._waiting if tick["tick"] < until_s]
        self._waiting = [(worker, tick) for worker, tick in self._waiting if tick["tick"] >= until_s]
        took_s, self._told_s = until_s - self._told_s, until_s
        sums = Sums()
        for worker, tick in due:
            uris = tuple(endpoint.uri for endpoint in worker.endpoints)
            sums.add(Reporter(worker.agent, uris), tick["sections"], tick["errors"])
        requests = dict.fromkeys(self._uris, 0)
        for _, key, tally in sums.tallies():
            # An operation of several requests is counted at the endpoint of each.
            requests[key.endpoint] += tally.requests if key.role != "whole" else 0
        whole = total(tally for _, key, tally in sums.tallies() if key.role != "part")
        ops, latency = whole.ops + whole.tail_ops, whole.latency
        self._done += ops
        per_s = ops / took_s
        text = (
            f"{self._when(until_s)}: {per_s:,.{0 if per_s >= 10 else 1}f} ops/s, "
            f"{format_rate((whole.bytes + whole.tail_bytes) / took_s)}, "
            f"p99 {format_duration_ns(latency.percentile_ns(99)) if latency.count else '-'}, "
            f"{_plural(whole.errors, 'error')}"
        )
        if self._stage.kind in ("prepare", "cleanup"):
            text += f", {_plural(self._done, 'object')} so far"
        room = width - len(f"  {text}, ")
        shares = _shares(list(requests.values()), room)
        return wrap(
            f"{text}, {shares}" if shares else text,
            width,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
        )

    def _when(self, until_s: int) -> str:
        stage = self._stage
        if stage.kind != "workload":
            return f"{stage.label}, {format_seconds(until_s)}"
        name = f"{stage.name}, " if stage.name else ""
        if until_s <= stage.warmup_s:
            return f"{name}warm-up, {format_seconds(until_s)} of {format_seconds(stage.warmup_s)}"
        return f"{name}{format_seconds(until_s - int(stage.warmup_s))} of {format_seconds(stage.duration_s)}"


def _shares(requests: Sequence[int], room: int) -> str:
    """Return the share of each endpoint in their order if there is ``room`` for that, else the least and the most."""
    whole = sum(requests)
    if len(requests) < 2 or not whole:
        return ""
    percents = [_percent(count / whole) for count in requests]
    every = f"shares {' '.join(percents)}%"
    if len(every) <= room:
        return every
    low, high = min(requests), max(requests)
    least, most = (
        f"{percents[requests.index(count)]}% ({requests.index(count) + 1})" for count in (low, high)
    )
    named = f"shares {least} to {most}"
    return named if len(named) <= room else f"shares {_percent(low / whole)} to {_percent(high / whole)}%"


def _percent(share: float) -> str:
    # A rounded 0 would say that nothing was there at all.
    return "<1" if 0 < share < 0.005 else f"{share * 100:.0f}"


def _plural(number: int, noun: str) -> str:
    return f"{format_count(number)} {noun}{'' if number == 1 else 's'}"
