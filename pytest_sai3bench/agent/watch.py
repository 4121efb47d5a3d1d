"""What a worker notices about itself: how busy it was in the window, and how long it did not come round."""

from __future__ import annotations

from time import process_time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import Control
    from .recorder import Window

# Over a shorter time the share of a core says little: the first look after the begin comes up to 50 ms late.
_SHORTEST_NS = 200_000_000


class Watch:
    """Implements `engine.Control`: looks at the clocks, and passes on to the control that it stands for.

    ``longest_pause_ns`` is the longest time between two looks within the window; 50 ms when all is well.
    """

    def __init__(self, control: Control, window: Window) -> None:
        self._control = control
        self._begin_ns, self._end_ns = window.measured_ns, window.end_ns
        self._first: tuple[int, int] | None = None
        self._last = (0, 0)
        self.longest_pause_ns = 0

    def check(self, now_ns: int) -> bool:
        """See `engine.Control.check`."""
        self.look(now_ns, process_time_ns())
        return self._control.check(now_ns)

    def look(self, now_ns: int, cpu_ns: int) -> None:
        """Take the CPU time of the process so far, and what time it is."""
        if not self._begin_ns <= now_ns <= self._end_ns:
            return
        if self._first is None:
            self._first = (now_ns, cpu_ns)
        else:
            self.longest_pause_ns = max(self.longest_pause_ns, now_ns - self._last[0])
        self._last = (now_ns, cpu_ns)

    @property
    def cpu_share(self) -> float:
        """CPU time per second of the window, 1 is a whole core; below 0 when that was too short to tell."""
        began_ns, cpu_ns = self._first or (0, 0)
        elapsed_ns = self._last[0] - began_ns
        return (self._last[1] - cpu_ns) / elapsed_ns if elapsed_ns >= _SHORTEST_NS else -1.0
