"""The event loop for workloads with entries whose operations wait for gates; without any the plain one runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .gates import Guarded, Line
from .http_loop import HttpLoop
from .recorder import NEVER_NS
from .transfers import Transfers

if TYPE_CHECKING:
    from .connection import Connection
    from .engine import Control, Load
    from .large import Transfer
    from .recorder import Recorder
    from .tasks import Task


class GatedTransfers(Transfers):
    """Transfers that know which operations with gates they carry out."""

    def __init__(self, endpoints: int) -> None:
        super().__init__(endpoints)
        self._guarded: dict[int, Guarded] = {}

    def record_in(self, recorder: Recorder) -> None:
        """See `Transfers.record_in`."""
        super().record_in(recorder)
        self._guarded.clear()

    def start(self, connection: Connection, now: int) -> Task:
        """See `Transfers.start`."""
        task = connection.task
        part = super().start(connection, now)
        if isinstance(task, Guarded):
            self._guarded[part[3].transfer.order] = task
        return part

    def _settle(self, transfer: Transfer) -> None:
        super()._settle(transfer)
        if transfer.done and (task := self._guarded.pop(transfer.order, None)):
            task.leave(succeeded=not transfer.failed)


class GatedLoop(HttpLoop):
    """Lets operations begin only when their gates let them through.

    A lane that has drawn an operation which may not begin puts it in line and rests, until one in line may begin. Lanes
    that rest help with the parts of large objects; then there is more in line than lanes rest, and a lane that has ended
    something rests in their place before it draws anything new.
    """

    transfers = GatedTransfers

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        # Of each operation in line when it was due, or 0.
        self._line = Line[int]()
        self._resting = 0
        # What has just succeeded on the connection at hand: it is over when the lane goes on.
        self._ending: Guarded | None = None
        self._serving = False

    def run(self, load: Load) -> int:
        """See `HttpLoop.run`."""
        self._line.clear()
        self._resting = 0
        self._ending = None
        return super().run(load)

    def _complete(self, connection: Connection) -> None:
        # Lanes may go on inside, and get an answer at once.
        outer, task = self._ending, connection.task
        self._ending = task if isinstance(task, Guarded) else None
        super()._complete(connection)
        self._ending = outer

    def _next(self, connection: Connection | None, now: int) -> None:
        if self._ending is not None:
            self._ending.leave(succeeded=True)
            self._ending = None
        if not self._line or self._ready or now >= self._end_ns:
            super()._next(connection, now)
            return
        if (self._health.trouble or self._surplus) and self._detained(connection, now):
            return
        if connection is not None:
            self._rest(connection)
        self._serve_line()
        if len(self._line) > self._resting:
            self._resting += 1
            self._serve_line()
        else:
            super()._next(None, now)

    def _begin(self, task: Task, attempt: int, connection: Connection | None, due: int = 0) -> None:
        if isinstance(task, Guarded) and not task.enter():
            self._line.put(task, due)
            self._resting += 1
            if connection is not None:
                self._rest(connection)
        else:
            super()._begin(task, attempt, connection, due)

    def _serve_line(self) -> None:
        """Let those in line begin, as far as they may and lanes rest."""
        if self._serving:
            # What begins may fail at once, which leads here again.
            return
        self._serving = True
        while self._resting and (first := self._line.pop()):
            task, due = first
            self._resting -= 1
            self._begin(task, 0, None, due)
        self._serving = False

    def _call_lanes(self) -> None:
        super()._call_lanes()
        while self._ready and self._resting:
            self._resting -= 1
            self._begin(self._transfers.pop(), 0, None)

    def _try_later(
        self, task: Task, attempt: int, due: int, now: int, delay: int, *, failure: tuple[str, str]
    ) -> None:
        if self._ending is task:
            self._ending = None
        super()._try_later(task, attempt, due, now, delay, failure=failure)
        if delay < 0 and isinstance(task, Guarded):
            task.leave(succeeded=False)
        if self._line:
            self._serve_line()

    def _chores(self, now: int, control: Control) -> None:
        super()._chores(now, control)
        if now >= self._end_ns or self._health.gave_up:
            for _, due in self._line.clear():
                if self._pacer is not None and due:
                    self._pacer.miss(due, self._stop_ns or NEVER_NS)
            self._busy -= self._resting
            self._resting = 0
        elif self._line:
            self._serve_line()
