"""What happens after a failed attempt: retry, pause, or give up (the rules of ``error_handling``)."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any

from .large import ABORT, is_part

if TYPE_CHECKING:
    from random import Random

    from .health import Health
    from .tasks import Task


# A server that asks for more is down, and a run should say so.
_LONGEST_WAIT_NS = 60_000_000_000
# Failures that time does not heal.
_LASTING = frozenset(
    {
        "denied",
        "read-only",
        "no-space",
        "missing",
        "no-folder",
        *("eisdir", "enotdir", "eloop", "enametoolong", "einval", "efbig"),
        *(f"http-{status}" for status in range(400, 408)),
    }
)


class ErrorPolicy:
    """Shared by all lanes of a worker; called only for failures, so the lock does not touch the hot path.

    A burst of errors of one endpoint leaves that one out for a while, without ``pauses`` it does not; a single endpoint
    so holds all lanes up. Kinds in ``forgiven`` (``*`` for all) are no failures.
    With ``keeps_lost`` operations that failed for good are in ``lost``, each once, if another time may be better for
    them; ``ends`` is how often one of them, or a part of it, was not tried again.
    """

    def __init__(
        self,
        rules: dict[str, Any],
        rng: Random,
        health: Health,
        *,
        forgiven: frozenset[str] = frozenset(),
        pauses: bool = True,
        keeps_lost: bool = False,
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
        self._health = health
        self._lock = health.lock
        self._recent: list[deque[int]] = [deque() for _ in health.worked]
        self._forgiven = forgiven
        self._in_a_row = self._last_ns = 0
        self._keeps_lost = keeps_lost
        self.total = 0
        self.retries = 0
        self.lost: dict[tuple[str, int], Task] = {}
        self.ends = 0

    def forgives(self, kind: str) -> bool:
        """Tell whether a failure of this kind is none, as a missing object is when it was to be deleted."""
        return kind in self._forgiven or "*" in self._forgiven

    def failed(
        self, endpoint: int, now_ns: int, attempt: int, failure: tuple[str, str], asked_ns: int = 0
    ) -> int:
        """Count a failed attempt (the first is 0) and return the delay before the next one in ns, or -1 for none.

        ``failure`` is its kind and text. While no endpoint may be used, retries wait, too. Where failures are retried, neither the delay nor a pause that
        begins is shorter than what the server asked for, as far as that is reasonable.
        """
        asked_ns = min(asked_ns, _LONGEST_WAIT_NS) if self._retries else 0
        kind, text = failure
        with self._lock:
            self.total += 1
            self._health.fail(endpoint, now_ns, kind, text)
            self._judge(now_ns, text)
            self._note_rate(endpoint, now_ns, text, asked_ns)
            return self._delay_ns(now_ns, attempt, asked_ns)

    def retry(self, now_ns: int, attempt: int) -> int:
        """Return the delay as `failed` does, after an operation that was not sent at all."""
        with self._lock:
            return self._delay_ns(now_ns, attempt, 0)

    def lose(self, task: Task, kind: str) -> None:
        """Note that an operation, or a part of one, is not tried again after its failure."""
        if not self._keeps_lost or task[0] == ABORT or kind in _LASTING or self.forgives(kind):
            return
        with self._lock:
            self.ends += 1
            self.lost[task[1], task[4]] = task[3].transfer.whole if is_part(task) else task

    def _delay_ns(self, now_ns: int, attempt: int, asked_ns: int) -> int:
        if attempt >= self._retries or self._health.gave_up:
            return -1
        self.retries += 1
        delay = self._first_delay_s * self._multiplier**attempt
        delay *= 1 + self._jitter * (2 * self._rng.random() - 1)
        delay_ns = int(min(delay, self._longest_delay_s) * 1e9)
        return max(delay_ns, asked_ns, self._health.hold_until_ns - now_ns)

    def _judge(self, now_ns: int, text: str) -> None:
        """Give up after too many errors; where one endpoint is not to end the run, after too many while none works."""
        health = self._health
        if max(health.worked) > self._last_ns:
            self._in_a_row = 0
        self._in_a_row, self._last_ns = self._in_a_row + 1, now_ns
        if health.rules.failure == "fail":
            count, row = self.total, ""
        else:
            count, row = self._in_a_row if health.all_fail() else 0, " in a row at all endpoints"
        if count >= self._max_total:
            health.give_up(f"{count} errors{row} (error_handling.max_total_errors); the last: {text}")

    def _note_rate(self, endpoint: int, now_ns: int, text: str, asked_ns: int) -> None:
        recent = self._recent[endpoint]
        recent.append(now_ns)
        while recent[0] < now_ns - self._window_ns:
            recent.popleft()
        if len(recent) < self._burst:
            return
        reason = f"{len(recent)} errors within {self._window_ns / 1e9:g} s; the last: {text}"
        if self._health.pause(endpoint, now_ns, now_ns + max(self._backoff_ns, asked_ns), reason):
            recent.clear()
