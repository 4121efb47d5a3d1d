"""When operations are due under a rate: instants that are known beforehand, whatever the storage does meanwhile.

Worker ``share`` of ``shares`` takes every ``shares``-th slot of one schedule for the whole run, so that the total is the
rate of the suite, without remainder. Of a Poisson process each worker has its own part: the sum of independent Poisson
processes is one with the sum of their rates.
"""

from __future__ import annotations

import heapq
import math
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from .hdr import index_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from .messages import PacingWire
    from .recorder import Window

_SECOND_NS = 1_000_000_000


class Schedule(NamedTuple):
    """Instants in ascending order, without end, and the mean time from one to the next; nanoseconds."""

    instants: Iterator[int]
    period_ns: float


def make_schedule(rate: dict[str, Any], start_ns: int, rng: Random) -> Schedule:
    """Return this worker's part of the schedule that begins at ``start_ns``.

    ``deterministic``: slot n begins at n / rate. ``uniform``: anywhere in its slot, each place as likely as the other.
    ``exponential``: a Poisson process, as users make it who know nothing of each other.
    """
    slot_ns = _SECOND_NS / rate["per_s"]
    share, shares = rate["share"], rate["shares"]
    if rate["distribution"] == "exponential":
        return Schedule(_poisson(start_ns, slot_ns * shares, rng), slot_ns * shares)
    jitter = rng.random if rate["distribution"] == "uniform" else _no_jitter
    return Schedule(
        (start_ns + int((number + jitter()) * slot_ns) for number in _count(share, shares)), slot_ns * shares
    )


def _no_jitter() -> float:
    return 0.0


def _count(first: int, step: int) -> Iterator[int]:
    # Whole numbers, so that no error of rounding adds up over a long run.
    while True:
        yield first
        first += step


def _poisson(start_ns: int, mean_ns: float, rng: Random) -> Iterator[int]:
    elapsed_ns, step = 0.0, 1 / mean_ns
    while True:
        elapsed_ns += rng.expovariate(step)
        yield start_ns + int(elapsed_ns)


class Pacer:
    """Hands instants out, one for each operation, and keeps account of what became of them; for many threads.

    Of the measured window: ``due`` instants were handed out or left, ``late`` ones of them when they had passed,
    because all lanes were busy, ``missed`` ones never began. ``lags`` counts by `hdr` index how long after its instant
    an operation began whose lane was waiting for it: that is the generator's own doing.
    """

    def __init__(self, schedule: Schedule, window: Window) -> None:
        self._next = schedule.instants.__next__
        self._period_ns = schedule.period_ns
        self._measured_ns, self._end_ns = window.measured_ns, window.end_ns
        self._lock = Lock()
        self._last_ns = 0
        self._returned: list[int] = []
        self.due = 0
        self.late = 0
        self.missed = 0
        self.longest_lag_ns = 0
        self.lags: dict[int, int] = {}

    def take(self, now_ns: int) -> int:
        """Return the next instant; it may lie before ``now_ns``, or after the end, and then nothing is due any more."""
        with self._lock:
            again = bool(self._returned)
            if again:
                due_ns = heapq.heappop(self._returned)
            else:
                due_ns = self._last_ns = self._next()
            if self._measured_ns <= due_ns < self._end_ns:
                if not again:
                    self.due += 1
                if due_ns < now_ns:
                    self.late += 1
                    self.longest_lag_ns = max(self.longest_lag_ns, now_ns - due_ns)
            return due_ns

    def give_back(self, due_ns: int) -> None:
        """Take an instant back whose lane has something else to do: it is the next to be handed out."""
        with self._lock:
            heapq.heappush(self._returned, due_ns)

    def began(self, due_ns: int, now_ns: int) -> None:
        """Note that a lane that waited for an instant begins its operation now."""
        lag_ns = now_ns - due_ns
        with self._lock:
            index = index_of(lag_ns)
            self.lags[index] = self.lags.get(index, 0) + 1
            self.longest_lag_ns = max(self.longest_lag_ns, lag_ns)

    def miss(self, due_ns: int, stopped_ns: int) -> None:
        """Note that nothing was begun at an instant that was handed out; one after a stop was not due."""
        with self._lock:
            if self._measured_ns <= due_ns < self._end_ns:
                if due_ns <= stopped_ns:
                    self.missed += 1
                else:
                    self.due -= 1

    def close(self, now_ns: int) -> None:
        """Count what is due up to now, or the end, and was never handed out: for a random schedule on average."""
        for due_ns in self._returned:
            self.miss(due_ns, now_ns)
        end_ns = min(self._end_ns, now_ns)
        last_ns = max(self._last_ns, self._measured_ns)
        left = max(0, math.ceil((end_ns - last_ns) / self._period_ns) - 1)
        self.due += left
        self.missed += left

    def to_wire(self) -> PacingWire:
        """Return the account as builtins."""
        index = sorted(self.lags)
        return {
            "due": self.due,
            "late": self.late,
            "missed": self.missed,
            "longest_lag_ns": self.longest_lag_ns,
            "index": index,
            "counts": [self.lags[each] for each in index],
        }
