"""A rule on a part of the measured time, or one that may end a run: judged while the intervals arrive, in bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.results.windows import join
from pytest_sai3bench.thresholds.evaluation import judge
from pytest_sai3bench.thresholds.measurement import compared, measure

if TYPE_CHECKING:
    from fractions import Fraction

    from pytest_sai3bench.results.windows import Window
    from pytest_sai3bench.thresholds.collection import Compiled

# The last window is kept in so many pieces, and may be longer by one.
_PIECES = 60


@dataclass(frozen=True)
class Seen:
    """What the windows of a rule came to: the ``worst`` of the ``count`` that can be judged, and the first that cannot.

    ``objection`` is the one for which the run is to end.
    """

    worst: Window | None = None
    count: int = 0
    short: Window | None = None
    objection: Window | None = None


class Watched:
    """Takes the measured time of one workload in piece by piece, each ``interval_s`` long."""

    def __init__(self, compiled: Compiled, interval_s: float) -> None:
        rule = compiled.rule
        self._compiled = compiled
        self._rule = rule
        self._each = rule.window is not None and rule.window.kind == "each"
        length = float(rule.window.length.value) if rule.window and rule.window.length else 0.0
        # How many intervals a window has; 0 for the whole time.
        self._intervals = round(length / interval_s)
        self._grace_s = float(rule.abort_after.value) if rule.abort_after else None
        step = max(1, self._intervals // _PIECES)
        self._step = step
        self._ring: deque[Window] = deque(maxlen=max(1, -(-self._intervals // step)))
        self._pieces: list[Window] = []
        self._current: list[Window] = []
        self._taken = 0
        self._complete: Window | None = None
        self._tail: list[Window] = []
        self._worst_excess: Fraction | None = None
        self.seen = Seen()

    def add(self, piece: Window) -> None:
        """Take in the next piece; one without length is a part of the tail."""
        if not piece.window_s:
            self._tail.append(piece)
            return
        self._taken += 1
        if self._intervals:
            self._pieces = [join([*self._pieces, piece])]
            if self._taken % self._step == 0:
                self._ring.append(self._pieces.pop())
        if self._each or not self._intervals:
            self._current = [join([*self._current, piece])]
        if not self._intervals:
            self._object(self._current[0])
        elif self._each and self._taken % self._intervals == 0:
            self._settle()
            self._complete = self._current.pop()
            self._object(self._complete)
        elif not self._each and self._taken >= self._intervals and self._grace_s is not None:
            self._object(join([*self._ring, *self._pieces]))

    def finish(self) -> None:
        """Judge what is left: the last window, with the operations that completed after the end."""
        if not self._intervals or self._taken < self._intervals:
            return
        if self._each and not self._current and self._complete:
            self._complete = join([self._complete, *self._tail])
            self._settle()
            return
        # Windows from the begin on leave a rest: the last one then overlaps the one before.
        self._settle()
        self._count(join([*self._ring, *self._pieces, *self._tail]))

    def _settle(self) -> None:
        """Judge the last complete window: nothing more of it will come."""
        if self._complete:
            self._count(self._complete)
        self._complete = None

    def _count(self, window: Window) -> None:
        seen = self.seen
        value = self._value(window)
        if value is None:
            self.seen = Seen(seen.worst, seen.count, seen.short or window, seen.objection)
            return
        excess = self._rule.comparison.excess(value)
        worst = seen.worst
        if worst is None or self._worst_excess is None or excess > self._worst_excess:
            worst, self._worst_excess = window, excess
        self.seen = Seen(worst, seen.count + 1, seen.short, seen.objection)

    def _object(self, window: Window) -> None:
        if self._grace_s is None or self.seen.objection or window.end_s < self._grace_s:
            return
        value = self._value(window)
        if value is not None and not self._rule.comparison.holds(value):
            seen = self.seen
            self.seen = Seen(seen.worst, seen.count, seen.short, window)

    @property
    def objection(self) -> str:
        """Why the run is to end, or nothing."""
        window = self.seen.objection
        return f"{self._compiled.text}: {judge(self._compiled, window).reason}" if window else ""

    def _value(self, window: Window) -> Fraction | None:
        """Return what is compared with the bounds, None when the samples do not carry it."""
        measurement = measure(self._rule, window)
        metric = self._rule.metric
        if measurement.value is None or (metric.is_latency and measurement.samples < metric.samples_needed):
            return None
        return compared(self._rule, window, measurement.value)
