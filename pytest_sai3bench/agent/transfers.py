"""The operations of a loop that take several requests, and what they ask the lanes to do.

The lanes of the loop are shared: one that becomes free takes a request of the oldest operation that wants one before it
begins anything new. So no more requests than lanes are in flight, whatever operations they belong to.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from .downloads import Download, tells_size
from .large import ABORT, operation_of
from .messages import GET, KIND_MASK, OPERATIONS, ROLES
from .recorder import series_base
from .uploads import CUT_OFF, Upload, is_gone

if TYPE_CHECKING:
    from .connection import Connection
    from .large import Transfer
    from .recorder import Recorder
    from .tasks import Task

_WHOLE, _PART = (ROLES.index(role) * len(OPERATIONS) for role in ("whole", "part"))


class Transfers:
    """All transfers of one loop; ``ready`` is a heap of those that want a request, the oldest first.

    ``left_behind`` says of the uploads of a stage what may remain of them in the storage, though it should not.
    """

    def __init__(self, endpoints: int) -> None:
        self.ready: list[tuple[int, Transfer]] = []
        self.left_behind: list[str] = []
        self._endpoints = endpoints
        self._order = 0
        self._active: dict[int, Transfer] = {}

    def record_in(self, recorder: Recorder) -> None:
        """Begin a stage; what an error of ours left over from another is forgotten."""
        self._recorder = recorder
        self._active.clear()
        self.ready.clear()
        self.left_behind.clear()

    def start(self, connection: Connection, now: int) -> Task:
        """Make a transfer of the connection's task, and its first request the connection's task; returns that."""
        assert connection.task is not None
        self._order += 1
        kind = Download if connection.task[0] & KIND_MASK == GET else Upload
        transfer = self._active[self._order] = kind(self._order, connection.task)
        transfer.endpoint = connection.endpoint
        transfer.began_ns = connection.began_ns = connection.began_ns or now
        transfer.due_ns, connection.due_ns = connection.due_ns, 0
        task = connection.task = transfer.next()
        self._settle(transfer)
        return task

    def pop(self) -> Task:
        """Return the next request; there must be a transfer that is ready."""
        transfer = self.ready[0][1]
        task = transfer.next()
        self._settle(transfer)
        return task

    def accepts(self, connection: Connection) -> bool:
        """Tell whether an answer with an error is none for the request of a transfer."""
        assert connection.task is not None
        return tells_size(connection.task, connection) or is_gone(connection.task, connection)

    def take(self, connection: Connection, now: int) -> tuple[str, str] | None:
        """Take the answer to a request and record what it completes; returns what is wrong with it, if anything."""
        task = connection.task
        assert task is not None
        part = task[3]
        transfer: Transfer = part.transfer
        problem = transfer.take(task, connection)
        if problem:
            return problem
        transfer.in_flight -= 1
        if task[0] == ABORT:
            self._settle(transfer)
            return None
        first_ns = connection.first_ns or now
        transfer.first_ns = min(transfer.first_ns or first_ns, first_ns)
        op, latency_ns = operation_of(task[0]), now - connection.began_ns
        succeeded = transfer.done and not transfer.failed
        if succeeded and transfer.requests == 1:
            self._record(op, transfer, now)
            self._settle(transfer)
            return None
        base = series_base(_PART + op, connection.endpoint, self._endpoints)
        if op == GET and connection.first_ns:
            first_ns = connection.first_ns - connection.began_ns
            self._recorder.record_pieces(base, now, latency_ns, part.moved, first_ns)
        else:
            self._recorder.record(base, now, latency_ns, part.moved)
        if succeeded:
            self._record(_WHOLE + op, transfer, now)
        self._settle(transfer)
        return None

    def retry(self, task: Task, failure: tuple[str, str]) -> None:
        """Note that an attempt at a request has failed, kind and text; it is tried again."""
        transfer: Transfer = task[3].transfer
        if isinstance(transfer, Upload):
            transfer.note_failure(task, *failure)

    def fail(self, task: Task, failure: tuple[str, str] = CUT_OFF) -> None:
        """End a request without success: it is not tried again."""
        self.retry(task, failure)
        transfer: Transfer = task[3].transfer
        transfer.failed = True
        transfer.in_flight -= 1
        self._settle(transfer)

    def give_up(self, *, begun: bool) -> int:
        """Let no operation go on, not even one whose data are all ``begun``; returns how many would have gone on.

        What they have to undo is still done.
        """
        going_on = [
            transfer
            for transfer in self._active.values()
            if not transfer.failed and (begun or not transfer.begun)
        ]
        for transfer in going_on:
            transfer.failed = True
            self._settle(transfer)
        return len(going_on)

    def abandon(self) -> None:
        """Let nothing go on: what has to be undone is left behind."""
        for transfer in list(self._active.values()):
            transfer.failed = True
            if isinstance(transfer, Upload):
                transfer.abandon()
            self._settle(transfer)

    def _settle(self, transfer: Transfer) -> None:
        """Queue a transfer if it wants a request, and only then; forget it when it is done."""
        wants = transfer.wants
        if wants is not transfer.queued:
            transfer.queued = wants
            if wants:
                heapq.heappush(self.ready, (transfer.order, transfer))
            else:
                self.ready.remove((transfer.order, transfer))
                heapq.heapify(self.ready)
        if transfer.done and transfer.order in self._active:
            del self._active[transfer.order]
            if transfer.left_behind:
                self.left_behind.append(transfer.left_behind)

    def _record(self, op: int, transfer: Transfer, now: int) -> None:
        base = series_base(op, transfer.endpoint, self._endpoints)
        latency_ns = now - transfer.began_ns
        if op % len(OPERATIONS) == GET:
            first_ns = transfer.first_ns - transfer.began_ns
            self._recorder.record_pieces(base, now, latency_ns, transfer.bytes, first_ns)
        else:
            self._recorder.record(base, now, latency_ns, transfer.bytes)
        if transfer.due_ns:
            self._recorder.respond(base, transfer.bytes, now - transfer.due_ns)
