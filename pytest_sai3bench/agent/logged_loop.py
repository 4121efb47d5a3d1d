"""The event loop that notes every request in the log of operations; without a log the plain one runs, at no cost."""

from __future__ import annotations

from threading import get_native_id
from time import monotonic_ns
from typing import TYPE_CHECKING

from .http_loop import HttpLoop
from .large import is_part, operation_of
from .messages import GET, LIST

if TYPE_CHECKING:
    from .connection import Connection
    from .engine import Load
    from .tasks import Task

_ENTRY = b"<Key>"


class LoggedLoop(HttpLoop):
    """An `HttpLoop` with a log."""

    def run(self, load: Load) -> int:
        """See `HttpLoop.run`."""
        assert load.op_log is not None
        self._note = load.op_log.add
        self._thread = get_native_id()
        # When what is failing had begun, 0 when it had not.
        self._failing_ns = 0
        self._failed = self._gone_on = False
        # Objects on the pages of a list so far, by its begin and its prefix.
        self._listed: dict[tuple[int, str], int] = {}
        return super().run(load)

    def _next(self, connection: Connection | None, now: int) -> None:
        # What fails from here on is another operation than the one that was answered.
        self._failing_ns, self._gone_on = 0, True
        super()._next(connection, now)

    def _complete(self, connection: Connection) -> None:
        now = monotonic_ns()
        task, endpoint, began_ns = connection.task, connection.endpoint, connection.began_ns
        assert task is not None
        op, objects, first_ns = operation_of(task[0]), 1, connection.first_ns
        if op == LIST:
            objects = self._listed.pop((began_ns, task[1]), 0) + connection.body.count(_ENTRY)
        if op == GET:
            moved = connection.size if connection.status < 300 else 0
        else:
            moved = task[3].length if is_part(task) else task[2]
        self._failing_ns, self._failed, self._gone_on = began_ns, False, False
        super()._complete(connection)
        self._failing_ns = 0
        if self._failed:
            return
        if op == LIST and connection.token:
            self._listed[began_ns, task[1]] = objects
            return
        self._note(self._thread, op, endpoint, task[1], moved, began_ns, first_ns, now, objects, "")

    def _broken(self, connection: Connection, error: Exception) -> None:
        self._failing_ns = connection.began_ns
        super()._broken(connection, error)
        self._failing_ns = 0

    def _count_failure(
        self,
        task: Task,
        attempt: int,
        due: int,
        endpoint: int,
        failure: tuple[str, str],
        *,
        asked_ns: int = 0,
    ) -> None:
        now = monotonic_ns()
        began_ns, op, text = self._failing_ns or now, operation_of(task[0]), ": ".join(failure)
        self._failed |= not self._gone_on
        # What begins because this one is over has a time of its own.
        self._failing_ns = 0
        self._listed.pop((began_ns, task[1]), None)
        self._note(self._thread, op, endpoint, task[1], 0, began_ns, 0, now, 0, text)
        super()._count_failure(task, attempt, due, endpoint, failure, asked_ns=asked_ns)
