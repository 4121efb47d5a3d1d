"""A bound on the connections to each endpoint: where all are busy an operation goes elsewhere, or lines up."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from .balance import BOUND, Balancer
from .http_loop import ABORT_NS, DRAIN_NS, HttpLoop
from .large import ABORT, is_part
from .recorder import NEVER_NS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .connection import Connection
    from .engine import Control, Load
    from .tasks import Task

# What `acquire` returns when nothing is free; an operation that is bound to endpoint e gets `CROWDED` - 1 - e.
CROWDED = -10
# After a stop, what removes the rest of an upload has this time, see `http_loop`.
_LAST_NS = DRAIN_NS + ABORT_NS


def bounded(balancer: Balancer, strategy: str, endpoints: int, most: int) -> Balancer:
    """Return a balancer that lets no more than ``most`` operations at a time go to one endpoint. For one thread.

    A strategy that leaves a choice chooses among the endpoints that have room. One that does not is told to wait.
    """
    active = [0] * endpoints
    allowed: Sequence[int] = range(endpoints)
    full = False

    def choose() -> None:
        nonlocal full
        free = [endpoint for endpoint in allowed if active[endpoint] < most]
        full = not free
        if free:
            balancer.choose_among(free)

    def acquire(task: Task) -> int:
        if full:
            return CROWDED
        endpoint = balancer.acquire(task)
        active[endpoint] += 1
        if active[endpoint] == most:
            choose()
        return endpoint

    def acquire_bound(task: Task) -> int:
        endpoint = balancer.acquire(task)
        if active[endpoint] >= most:
            return CROWDED - 1 - endpoint
        active[endpoint] += 1
        return endpoint

    def release(endpoint: int, latency_ns: int) -> None:
        balancer.release(endpoint, latency_ns)
        active[endpoint] -= 1
        if active[endpoint] == most - 1:
            choose()

    def release_bound(endpoint: int, latency_ns: int) -> None:
        balancer.release(endpoint, latency_ns)
        active[endpoint] -= 1

    def choose_among(chosen: Sequence[int]) -> None:
        nonlocal allowed
        allowed = chosen
        choose()

    if strategy in BOUND:
        return Balancer(acquire_bound, release_bound, balancer.choose_among)
    return Balancer(acquire, release, choose_among)


class _Place(NamedTuple):
    """A lane in a queue, with the operation that it is to begin: attempts so far, and when it was due (or 0)."""

    task: Task
    attempt: int
    due_ns: int


class BoundedLoop(HttpLoop):
    """Opens at most ``most_connections`` to each endpoint.

    A lane whose operation finds no room lines up with it: for one endpoint, or for whichever is free first. Whoever
    comes later stands behind, and the queue for one endpoint holds up nobody who wants another.
    """

    def __init__(self, *arguments: Any, most_connections: int, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._room = most_connections * self._endpoints
        self._queues: dict[int, deque[_Place]] = {}
        self._in_line = 0
        self._admitting = False

    def _wanted(self) -> int:
        return min(self._lanes, self._room)

    def run(self, load: Load) -> int:
        """See `HttpLoop.run`."""
        self._queues.clear()
        self._in_line = 0
        return super().run(load)

    def _next(self, connection: Connection | None, now: int) -> None:
        if self._in_line:
            if connection is not None:
                self._rest(connection)
                connection = None
            self._admit()
        super()._next(connection, now)

    def _line_up(self, queue: int, task: Task, attempt: int, due: int) -> None:
        self._queues.setdefault(queue, deque()).append(_Place(task, attempt, due))
        self._in_line += 1

    def _admit(self) -> None:
        """Let those at the heads of the queues begin, as far as there is room."""
        if self._admitting:
            # What begins may fail at once, which leads here again.
            return
        self._admitting = True
        for number in list(self._queues):
            queue = self._queues[number]
            while queue:
                task, attempt, due = queue.popleft()
                self._in_line -= 1
                in_line = self._in_line
                self._begin(task, attempt, None, due)
                if self._in_line > in_line:
                    # No room after all: whoever was first stays so.
                    queue.appendleft(queue.pop())
                    break
            if not queue:
                del self._queues[number]
        self._admitting = False

    def _try_later(
        self, task: Task, attempt: int, due: int, now: int, delay: int, *, failure: tuple[str, str]
    ) -> None:
        super()._try_later(task, attempt, due, now, delay, failure=failure)
        # The lane may wait long for its next attempt, and its connection is free now.
        if self._in_line:
            self._admit()

    def _chores(self, now: int, control: Control) -> None:
        super()._chores(now, control)
        if self._in_line:
            self._admit()
            if now >= self._end_ns or self._health.gave_up:
                self._send_away(now)

    def _send_away(self, now: int) -> None:
        """End the lanes in line, but for what belongs to an operation that has begun and may go on."""
        over_ns = now - self._stop_ns if self._stop_ns else 0
        parts_stay = not over_ns and not self._health.gave_up
        for number, queue in list(self._queues.items()):
            staying: deque[_Place] = deque()
            for place in queue:
                removal = place.task[0] == ABORT and over_ns < _LAST_NS
                if removal or (parts_stay and is_part(place.task)):
                    staying.append(place)
                    continue
                self._miss(place.task, place.due_ns)
                if self._pacer is not None and place.due_ns and not place.attempt:
                    self._pacer.miss(place.due_ns, self._stop_ns or NEVER_NS)
            self._in_line -= len(queue) - len(staying)
            self._busy -= len(queue) - len(staying)
            self._queues[number] = staying
