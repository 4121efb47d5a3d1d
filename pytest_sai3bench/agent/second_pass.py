"""Prepare's second pass: objects that could not be written are tried again after all others, as often as it is worth it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .tasks import Task

# From which share of failures on so many tries are made: where most fail, there is more wrong than bad luck.
_TRIES = ((0.8, 0), (0.2, 3), (0.0, 10))
_FIRST_DELAY_S, _LONGEST_DELAY_S, _JITTER = 0.5, 5.0, 0.3


class Again:
    """A source of operations that failed before."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._tasks = tuple(tasks)
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next operation, or None at the end."""
        position = self._next()
        return self._tasks[position] if position < len(self._tasks) else None


def tries_for(lost: int, total: int) -> int:
    """Return how often each object that was ``lost`` is tried again, of ``total`` that were to be written."""
    share = lost / total if total else 1.0
    return next(tries for least, tries in _TRIES if share > least or not least)


def rules_for(rules: dict[str, Any], tries: int) -> dict[str, Any]:
    """Return the rules about errors for so many tries, from those of the plan; the tries alone bound the errors."""
    return {
        **rules,
        "max_total_errors": 1 << 62,
        "retry_on_error": True,
        "max_retries": tries - 1,
        "initial_retry_delay_s": _FIRST_DELAY_S,
        "max_retry_delay_s": _LONGEST_DELAY_S,
        "retry_backoff_multiplier": 2.0,
        "retry_jitter_factor": _JITTER,
    }
