"""Lanes that are threads, for workloads with entries whose operations wait for gates; without any the plain ones run."""

from __future__ import annotations

from threading import Event, Lock
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable

from .gates import Guarded, Line
from .lanes import Lane
from .recorder import SECOND_NS

if TYPE_CHECKING:
    from .lanes import Hands
    from .pacing import Pacer
    from .tasks import Task

_CHECK_S = 0.05


class SharedLine:
    """The gates and the line of all lanes of a load."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._line = Line[Event]()

    def enter(self, task: Guarded, turn: Event) -> bool:
        """Let an operation begin, or put it in line: then ``turn`` is set when it is under way."""
        with self._lock:
            entered = task.enter()
            if not entered:
                self._line.put(task, turn)
            return entered

    def leave(self, task: Guarded, *, succeeded: bool) -> None:
        """Note that an operation has ended, and call those that may begin now."""
        with self._lock:
            task.leave(succeeded=succeeded)
            while first := self._line.pop():
                first[1].set()

    def withdraw(self, task: Guarded) -> bool:
        """Take an operation out of the line; False when its turn has come meanwhile."""
        with self._lock:
            return self._line.withdraw(task)


class GatedLane(Lane):
    """A lane whose operations begin only when their gates let them through: it stands in line with what it has drawn."""

    def __init__(self, *arguments: Any, line: SharedLine) -> None:
        super().__init__(*arguments)
        self._line = line
        self._turn = Event()
        self._drawn: Task | None = None
        self._due_ns = 0

    def _take(self) -> Callable[[], Task | None]:
        draw = super()._take()

        def take() -> Task | None:
            task = self._drawn = draw()
            if not isinstance(task, Guarded) or self._line.enter(task, self._turn) or self._stand(task):
                return task
            return None

        return take

    def _stand(self, task: Guarded) -> bool:
        """Wait until an operation may begin; False when it is not to begin any more."""
        self.began_ns = 0
        end_ns, stopped = self._load.window.end_ns, self._stop_event.is_set
        while not self._turn.wait(min(_CHECK_S, max(0, end_ns - monotonic_ns()) / SECOND_NS)):
            # What the lane keeps meanwhile nobody would know.
            self._recorder.flush()
            now = monotonic_ns()
            if (now >= end_ns or stopped()) and self._line.withdraw(task):
                if self._load.pacer is not None and self._due_ns:
                    self._load.pacer.miss(self._due_ns, now)
                return False
        self._turn.clear()
        return True

    def _await(self, pacer: Pacer, due: int, now: int) -> bool:
        self._due_ns = due
        return super()._await(pacer, due, now)

    def _hands(self) -> Hands:
        perform, record = super()._hands()

        def perform_inside(task: Task, endpoint: int) -> tuple[int, int]:
            # It was drawn long ago if it had to stand in line.
            self.began_ns = monotonic_ns()
            return perform(task, endpoint)

        def record_inside(base: int, now_ns: int, latency_ns: int, size_bytes: int) -> None:
            record(base, now_ns, latency_ns, size_bytes)
            self._leave(succeeded=True)

        return perform_inside, record_inside

    def _failed(self, task: Task, endpoint: int, now: int, attempt: int, error: OSError) -> int:
        delay_ns = super()._failed(task, endpoint, now, attempt, error)
        if delay_ns < 0:
            self._leave()
        return delay_ns

    def _left_out(self, task: Task, now: int, attempt: int) -> int:
        delay_ns = super()._left_out(task, now, attempt)
        if delay_ns < 0:
            self._leave()
        return delay_ns

    def _leave(self, *, succeeded: bool = False) -> None:
        if isinstance(self._drawn, Guarded):
            self._line.leave(self._drawn, succeeded=succeeded)
