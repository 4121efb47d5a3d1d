"""From the ticks of all workers to the intervals of a phase, while they arrive and in bounded memory.

An interval is complete when every worker has said that no more of it will come. Those that are open are few, since
workers say so every second; only a worker that hangs holds them up, and only for so long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pytest_sai3bench.results.model import Tally, total
from pytest_sai3bench.results.sums import Sums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.results.model import SeriesKey
    from pytest_sai3bench.results.sums import Reporter

# How many intervals wait for a worker that hangs. What comes later still counts in the earliest that is open.
MOST_OPEN = 120
# A worker that has nothing more to say.
_NEVER = math.inf


class HostCpu(NamedTuple):
    """What a host did with its cores, in shares from 0 to 1 of all of them."""

    user: float
    system: float
    iowait: float


@dataclass(frozen=True)
class Interval:
    """What completed between two instants of a phase, in seconds from its start.

    ``sections`` has the tallies of ``warmup``, ``measured`` and ``tail``; ``cpu`` the hosts of agents, if known.
    """

    start_s: float
    end_s: float
    sections: Mapping[str, Mapping[SeriesKey, Tally]]
    cpu: Mapping[str, HostCpu] = field(default_factory=dict)

    @property
    def length_s(self) -> float:
        """Time from start to end."""
        return self.end_s - self.start_s

    def tally(
        self,
        *,
        ops: Iterable[str] | None = None,
        endpoint: str | None = None,
        agent: str | None = None,
        sections: Iterable[str] | None = None,
    ) -> Tally:
        """Return the sum of all series that match every criterion given.

        With an ``endpoint`` its requests are counted, else operations, as in `PhaseResult.tally`.
        """
        wanted = None if ops is None else frozenset(ops)
        other = "part" if endpoint is None else "whole"
        return total(
            tally
            for section in (self.sections if sections is None else sections)
            for key, tally in self.sections.get(section, {}).items()
            if key.role != other
            and (wanted is None or key.op in wanted)
            and (endpoint is None or key.endpoint == endpoint)
            and (agent is None or key.agent == agent)
        )


class _Open:
    """An interval of which more may come."""

    def __init__(self) -> None:
        self.sums = Sums()
        self.cpu: dict[str, list[HostCpu]] = {}


class Timeline:
    """The intervals of one phase, each handed to ``emit`` when it is over, in their order and without gaps.

    ``reporters`` are its workers by number. Intervals are ``interval_s`` long; the last may be shorter.
    """

    def __init__(
        self, reporters: Mapping[int, Reporter], interval_s: float, emit: Callable[[Interval], None]
    ) -> None:
        self._reporters = reporters
        self._interval_s = interval_s
        self._emit = emit
        self._open: dict[int, _Open] = {}
        self._next = 0
        self._settled: dict[int, float] = dict.fromkeys(reporters, 0)
        self._cpu: dict[str, HostCpu] = {}

    def add(self, worker: int, tick: TickWire) -> None:
        """Take in what a worker completed."""
        self._at(tick["interval"]).sums.add(self._reporters[worker], tick["sections"], tick["errors"])

    def settle(self, worker: int, interval: float = _NEVER) -> None:
        """Note that a worker has told everything about the intervals before this one; about all, if none is given."""
        self._settled[worker] = max(self._settled[worker], interval)
        settled = min(self._settled.values())
        # When all have nothing more to say, `finish` will tell how long the phase was.
        if settled < _NEVER:
            self._close(int(settled))

    def sample(self, agent: str, at_s: float, cpu: HostCpu) -> None:
        """Note what an agent's host did around an instant of the phase."""
        if at_s >= 0:
            self._at(int(at_s / self._interval_s)).cpu.setdefault(agent, []).append(cpu)

    def finish(self, length_s: float) -> None:
        """Hand over what is left of a phase that took ``length_s``."""
        last = max(math.ceil(length_s / self._interval_s), 1 + max(self._filled(), default=-1))
        self._close(last, length_s)
        self._open.clear()

    def _filled(self) -> Iterable[int]:
        """Yield the open intervals in which something completed; a host may have been looked at later still."""
        return (number for number, one in self._open.items() if not one.sums.empty)

    def _at(self, number: int) -> _Open:
        number = max(number, self._next)
        if number not in self._open:
            self._open[number] = _Open()
            self._close(number - MOST_OPEN)
        return self._open[number]

    def _close(self, end: int, length_s: float = _NEVER) -> None:
        """Hand over all intervals before ``end``."""
        while self._next < end:
            number, self._next = self._next, self._next + 1
            self._emit(
                self._interval(number, self._open.pop(number) if number in self._open else _Open(), length_s)
            )

    def _interval(self, number: int, content: _Open, length_s: float) -> Interval:
        sections: dict[str, dict[SeriesKey, Tally]] = {}
        for section, key, tally in content.sums.tallies():
            sections.setdefault(section, {})[key] = tally
        for agent, samples in content.cpu.items():
            self._cpu[agent] = HostCpu(*(sum(parts) / len(samples) for parts in zip(*samples)))
        start_s = number * self._interval_s
        end_s = start_s + self._interval_s
        # What arrived after the end of the phase makes no interval of negative length.
        return Interval(
            start_s, min(end_s, length_s) if length_s > start_s else end_s, sections, dict(self._cpu)
        )
