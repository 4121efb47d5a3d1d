"""Bounds on how many operations of an entry of the workload are under way: who may begin, and who is next.

An operation is under way from its first attempt until it has succeeded or is not tried again. Nothing here has a lock.
"""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from .tasks import Task

_Item = TypeVar("_Item")


class Gate:
    """Lets at most ``most`` operations through at a time; ``inside`` are under way."""

    __slots__ = ("inside", "most")

    def __init__(self, most: int) -> None:
        self.most = most
        self.inside = 0


class Guarded(tuple[int, str, int, Any, int]):  # noqa: SLOT001 - a tuple takes no slots
    """A task that may begin only when all its ``gates`` let it through; those of one entry share them."""

    gates: tuple[Gate, ...]
    under_way: bool

    def __new__(cls, task: Task, gates: tuple[Gate, ...]) -> Guarded:  # noqa: PYI034 - Self is not in Python 3.9
        """Return a task with gates."""
        guarded = super().__new__(cls, task)
        guarded.gates = gates
        guarded.under_way = False
        return guarded

    def enter(self) -> bool:
        """Let the operation begin if it may; True when it is under way."""
        if not self.under_way and all(gate.inside < gate.most for gate in self.gates):
            for gate in self.gates:
                gate.inside += 1
            self.under_way = True
        return self.under_way

    def leave(self, *, succeeded: bool) -> None:  # noqa: ARG002 - for those who want to know
        """Note that the operation has ended; harmless when it is not under way."""
        if self.under_way:
            for gate in self.gates:
                gate.inside -= 1
            self.under_way = False


def has_gates(plan: dict[str, Any]) -> bool:
    """Tell whether operations of a plan may have to wait for each other, or tell how they have ended."""
    return any(
        stage["together"] or stage["feeds"] or any(operation["most"] for operation in stage["operations"])
        for stage in plan["stages"]
    )


class Line(Generic[_Item]):
    """Operations that wait for their gates, each with what its owner wants to know when it may begin.

    Those of one entry begin in their order; one that has to wait longer holds up nobody from another entry.
    """

    def __init__(self) -> None:
        self._queues: dict[tuple[Gate, ...], deque[tuple[int, Guarded, _Item]]] = {}
        self._numbers = count()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def put(self, task: Guarded, item: _Item) -> None:
        """Let an operation wait, behind all others of its entry."""
        self._queues.setdefault(task.gates, deque()).append((next(self._numbers), task, item))
        self._length += 1

    def pop(self) -> tuple[Guarded, _Item] | None:
        """Return the operation that may begin and has waited longest, which then is under way; None when there is none."""
        for _, gates in sorted((queue[0][0], gates) for gates, queue in self._queues.items()):
            queue = self._queues[gates]
            _, task, item = queue[0]
            if task.enter():
                queue.popleft()
                self._shorten(gates)
                return task, item
        return None

    def withdraw(self, task: Guarded) -> bool:
        """Take an operation out that is not to begin any more; False when it is not in line."""
        queue = self._queues.get(task.gates, deque())
        for waiting in queue:
            if waiting[1] is task:
                queue.remove(waiting)
                self._shorten(task.gates)
                return True
        return False

    def clear(self) -> list[tuple[Guarded, _Item]]:
        """Take all out."""
        waiting = [(task, item) for queue in self._queues.values() for _, task, item in queue]
        self._queues.clear()
        self._length = 0
        return waiting

    def _shorten(self, gates: tuple[Gate, ...]) -> None:
        self._length -= 1
        if not self._queues[gates]:
            del self._queues[gates]
