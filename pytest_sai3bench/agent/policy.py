"""What happens after a failed attempt: retry, pause, or give up (the rules of ``error_handling``)."""

from __future__ import annotations

import math
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random


# A server that asks for more is down, and a run should say so.
_LONGEST_WAIT_NS = 60_000_000_000


class ErrorPolicy:
    """Shared by all lanes of a worker; called only for failures, so the lock does not touch the hot path.

    ``gave_up`` is the reason once there were too many errors. ``hold_until_ns`` is the instant before which no lane
    should begin an operation (0 when there is no pause). Kinds in ``forgiven`` (``*`` for all) are no failures. Without
    ``pauses`` a burst of errors slows nothing down.
    """

    def __init__(
        self,
        rules: dict[str, Any],
        rng: Random,
        *,
        forgiven: frozenset[str] = frozenset(),
        pauses: bool = True,
    ) -> None:
        self._max_total = int(rules["max_total_errors"])
        self._window_ns = int(rules["error_rate_window_s"] * 1e9)
        burst = max(1.0, rules["error_rate_threshold"] * rules["error_rate_window_s"])
        self._burst = burst if pauses else math.inf
        self._backoff_ns = int(rules["backoff_s"] * 1e9)
        self._retries = int(rules["max_retries"]) if rules["retry_on_error"] else 0
        self._first_delay_s = float(rules["initial_retry_delay_s"])
        self._longest_delay_s = float(rules["max_retry_delay_s"])
        self._multiplier = float(rules["retry_backoff_multiplier"])
        self._jitter = float(rules["retry_jitter_factor"])
        self._rng = rng
        self._lock = Lock()
        self._recent: deque[int] = deque()
        self._forgiven = forgiven
        self.total = 0
        self.retries = 0
        self.gave_up = ""
        self.hold_until_ns = 0

    def forgives(self, kind: str) -> bool:
        """Tell whether a failure of this kind is none, as a missing object is when it was to be deleted."""
        return kind in self._forgiven or "*" in self._forgiven

    def failed(self, now_ns: int, attempt: int, text: str, asked_ns: int = 0) -> int:
        """Count a failed attempt (the first is 0) and return the delay before the next one in ns, or -1 for none.

        A pause of all lanes holds for retries, too. Where failures are retried, neither the delay nor a pause that begins
        is shorter than what the server asked for, as far as that is reasonable.
        """
        asked_ns = min(asked_ns, _LONGEST_WAIT_NS) if self._retries else 0
        with self._lock:
            self.total += 1
            if self.total >= self._max_total and not self.gave_up:
                self.gave_up = f"{self.total} errors (error_handling.max_total_errors); the last: {text}"
            self._note_rate(now_ns, asked_ns)
            if attempt >= self._retries or self.gave_up:
                return -1
            self.retries += 1
            delay = self._first_delay_s * self._multiplier**attempt
            delay *= 1 + self._jitter * (2 * self._rng.random() - 1)
            delay_ns = int(min(delay, self._longest_delay_s) * 1e9)
            return max(delay_ns, asked_ns, self.hold_until_ns - now_ns)

    def _note_rate(self, now_ns: int, asked_ns: int) -> None:
        recent = self._recent
        recent.append(now_ns)
        while recent[0] < now_ns - self._window_ns:
            recent.popleft()
        if len(recent) >= self._burst and now_ns >= self.hold_until_ns:
            self.hold_until_ns = now_ns + max(self._backoff_ns, asked_ns)
            recent.clear()
