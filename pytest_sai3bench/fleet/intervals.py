"""How a run goes, interval by interval, for whoever wants to write it down or judge it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.results.sums import Reporter
from pytest_sai3bench.results.timeline import HostCpu, Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult
    from pytest_sai3bench.results.timeline import Interval

_NS_PER_S = 1_000_000_000


class Intervals(Observer):
    """Calls ``take`` with each interval of a run as soon as it is over, and with what it belongs to.

    That is the name of the stage, and its start in seconds since the epoch by this host's clock. Borders are the same
    instants for all agents, whatever their clocks say.
    """

    def __init__(self, plan: RunPlan, take: Callable[[str, float, Interval], None]) -> None:
        self._plan = plan
        self._take = take
        self._timeline: Timeline | None = None
        self._start_ns = 0
        # Of the host of each agent: when its counters were read last, and what they were.
        self._counters: dict[str, tuple[int, Sequence[int]]] = {}

    def began(self, stage: int, start_ns: int) -> None:
        """See `Observer.began`."""
        label = self._plan.workers[0].stages[stage].label
        started_at = time.time() + (start_ns - time.monotonic_ns()) / _NS_PER_S
        self._start_ns = start_ns
        self._timeline = Timeline(
            {
                worker.worker: Reporter(worker.agent, tuple(each.uri for each in worker.endpoints))
                for worker in self._plan.workers
            },
            self._plan.workers[0].interval_s,
            lambda interval: self._take(label, started_at, interval),
        )

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        """See `Observer.ticked`."""
        if self._timeline:
            self._timeline.add(worker.worker, tick)

    def settled(self, worker: WorkerPlan, interval: int | None) -> None:
        """See `Observer.settled`."""
        if self._timeline and interval is None:
            self._timeline.settle(worker.worker)
        elif self._timeline and interval is not None:
            self._timeline.settle(worker.worker, interval)

    def counted_cpu(self, agent: str, counters: Sequence[int]) -> None:
        """See `Observer.counted_cpu`."""
        now_ns = time.monotonic_ns()
        before_ns, before = self._counters.get(agent, (now_ns, counters))
        self._counters[agent] = (now_ns, counters)
        *parts, whole = (now - then for now, then in zip(counters, before))
        if self._timeline and whole > 0:
            middle_s = ((before_ns + now_ns) / 2 - self._start_ns) / _NS_PER_S
            self._timeline.sample(agent, middle_s, HostCpu(*(max(part, 0) / whole for part in parts)))

    def ended(self, phase: PhaseResult) -> None:
        """See `Observer.ended`."""
        if self._timeline:
            self._timeline.finish(
                max((report.start_skew_s + report.wall_s for report in phase.agents), default=0)
            )
        self._timeline = None
