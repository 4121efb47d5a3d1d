"""Lanes that wait: for the instant at which an operation is due, for a retry, or for the end of a pause."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .tasks import Task


class Wait(NamedTuple):
    """One lane: until when, the operation to try again (None to draw one), attempts so far, when it was due (or 0)."""

    until_ns: int
    order: int
    task: Task | None
    attempt: int
    due_ns: int


class Waiting:
    """All waiting lanes, the next to wake first."""

    def __init__(self) -> None:
        self._heap: list[Wait] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, until_ns: int, task: Task | None = None, attempt: int = 0, due_ns: int = 0) -> None:
        """Let a lane wait until an instant."""
        self._order += 1
        heapq.heappush(self._heap, Wait(until_ns, self._order, task, attempt, due_ns))

    def until(self) -> int:
        """Return when the first lane is to wake; there must be one."""
        return self._heap[0].until_ns

    def wake(self) -> Wait:
        """Take the first lane out."""
        return heapq.heappop(self._heap)

    def take_last(self) -> Wait | None:
        """Take out the lane that would wait longest to begin something; None when all have something to try again."""
        last = max((wait for wait in self._heap if wait.task is None), default=None)
        if last is not None:
            self._heap.remove(last)
            heapq.heapify(self._heap)
        return last

    def clear(self) -> list[Wait]:
        """Take all lanes out."""
        waits, self._heap = self._heap, []
        return waits
