"""What the lanes of HTTP backends do next: which operation begins, where it goes, and what becomes of it when it fails.

A *lane* is one operation in flight; ``lanes`` of them are kept going. Each operation asks the balancer for its
endpoint and takes an idle connection to it, or opens one. `http_loop` calls this when something has ended or is due.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from .balance import FAILED
from .connection import CONNECTING, name_error
from .connections import Connections
from .health import LEFT_OUT, NOWHERE
from .large import ABORT, is_part, operation_of
from .outgoing import Outgoing
from .recorder import NEVER_NS, Recorder
from .transfers import Transfers
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .connection import Connection
    from .engine import Load
    from .pacing import Pacer
    from .payload import Pool
    from .s3_requests import S3Requests
    from .tasks import Task
    from .tls import TlsClient

_BUFFER_BYTES = 256 << 10


class HttpLanes:
    """The lanes of one worker and its connections; what arrives on these is the business of a subclass."""

    transfers: type[Transfers] = Transfers

    def __init__(
        self,
        requests: Sequence[S3Requests],
        addresses: Sequence[tuple[int, tuple[object, ...]]],
        *,
        lanes: int,
        pool: Pool,
        connect_timeout_s: float,
        request_timeout_s: float,
        tls: TlsClient | None = None,
        drops: bool = True,
    ) -> None:
        self._endpoints = len(requests)
        self._lanes = lanes
        self._transfers = self.transfers(self._endpoints)
        self._ready = self._transfers.ready
        self._outgoing = Outgoing(requests, pool, self._transfers)
        self._connect_timeout_ns = int(connect_timeout_s * 1e9)
        self._request_timeout_ns = int(request_timeout_s * 1e9)
        self._connections = Connections(addresses, tls, self._outgoing.payloads, drops=drops)
        self._poller = self._connections.poller
        self._by_fd = self._connections.by_fd
        self._idle = self._connections.idle
        self._rest = self._connections.rest
        self._drop = self._connections.drop
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._waiting = Waiting()
        self._busy = 0
        self._lent = self._surplus = 0
        self._cut_off = 0

    def _take_up(self, load: Load) -> None:
        """Get ready for a stage."""
        self._take = load.source.take
        self._acquire, self._release, _ = load.balancer
        self._policy = load.policy
        self._health = load.health
        self._worked = load.health.worked
        self._recorder = Recorder(load.window, load.done)
        self._record = self._recorder.record
        self._transfers.record_in(self._recorder)
        self._pacer = load.pacer
        self._end_ns = load.window.end_ns
        self._stop_ns = 0
        self._busy = self._lanes
        self._lent = self._surplus = 0
        self._cut_off = 0

    # What begins

    def _next(self, connection: Connection | None, now: int) -> None:
        """Begin the lane's next operation, on ``connection`` if it leads to the right endpoint."""
        if self._ready:
            self._begin(self._transfers.pop(), 0, connection)
            return
        if now < self._end_ns:
            if (self._health.trouble or self._surplus) and self._detained(connection, now):
                return
            if self._pacer is not None:
                self._next_due(self._pacer, connection, now)
                return
            task = self._take()
            if task is not None:
                self._begin(task, 0, connection)
                return
        self._retire(connection)

    def _next_due(self, pacer: Pacer, connection: Connection | None, now: int) -> None:
        """Begin the lane's next operation when it is due."""
        due = pacer.take(now)
        if due < now:
            self._begin_due(due, connection)
            return
        if connection is not None:
            self._rest(connection)
        if due < self._end_ns:
            self._waiting.put(due, due_ns=due)
        else:
            # The window lasts until its end, also when nothing more is due in it.
            self._waiting.put(self._end_ns)

    def _begin_due(self, due: int, connection: Connection | None = None) -> None:
        task = self._take()
        if task is None:
            self._retire(connection)
        else:
            self._begin(task, 0, connection, due)

    def _call_lanes(self) -> None:
        """Let lanes that have ended, or wait to begin something, take requests of operations under way."""
        while self._ready:
            if self._busy < self._lanes + self._lent:
                self._busy += 1
            elif (wait := self._waiting.take_last()) is None:
                return
            elif self._pacer is not None and wait.due_ns:
                self._pacer.give_back(wait.due_ns)
            self._begin(self._transfers.pop(), 0, None)

    def _retire(self, connection: Connection | None) -> None:
        if connection is not None:
            self._rest(connection)
        self._busy -= 1

    def _begin(self, task: Task, attempt: int, connection: Connection | None, due: int = 0) -> None:
        endpoint = self._acquire(task) if not self._health.trouble else self._route(task, attempt, due)
        if endpoint < 0:
            if connection is not None:
                self._rest(connection)
            if endpoint < LEFT_OUT:
                self._line_up(endpoint, task, attempt, due)
            return
        if connection is None or connection.endpoint != endpoint:
            if connection is not None:
                self._rest(connection)
            idle = self._idle[endpoint]
            if idle:
                connection = idle.pop()
            else:
                try:
                    connection = self._connections.connect(endpoint)
                except OSError as error:
                    self._release(endpoint, FAILED)
                    self._count_failure(task, attempt, due, endpoint, name_error(error))
                    return
        connection.task = task
        connection.attempt = attempt
        connection.due_ns = due
        if connection.state == CONNECTING:
            connection.began_ns = monotonic_ns()
        else:
            self._request(connection)

    def _line_up(self, queue: int, task: Task, attempt: int, due: int) -> None:
        """Let a lane wait for a connection; only a bound on these makes a balancer say so."""
        raise NotImplementedError

    def _request(self, connection: Connection) -> None:
        """Send the request of the connection's task."""
        data = self._outgoing.request(connection)
        # The clock starts when the request leaves; it runs already when a connection had to be opened for it, when the
        # request is sent once more, and on the further pages of a LIST.
        if not connection.began_ns:
            connection.began_ns = monotonic_ns()
        try:
            if not connection.send(data):
                self._poller.modify(connection.fd, connection.waits)
        except OSError as error:
            self._unsent(connection, error)

    def _detained(self, connection: Connection | None, now: int) -> bool:
        """Keep a lane from its next operation: for good when it is one too many, or until an endpoint is in use."""
        if self._lent and connection is not None and self._health.silent()[connection.endpoint]:
            # An answer came after all; what was lent for it is given back at once.
            self._lent -= 1
            self._surplus += 1
        if self._surplus or self._health.gave_up:
            self._surplus -= bool(self._surplus)
            self._retire(connection)
            return True
        until = self._health.wait_until(now)
        if until:
            if connection is not None:
                self._rest(connection)
            self._waiting.put(until)
        return bool(until)

    def _route(self, task: Task, attempt: int, due: int) -> int:
        """Return the endpoint for an operation while some are left out; negative when it is not to be sent now."""
        now = monotonic_ns()
        endpoint = self._health.route(task, now)
        if endpoint < 0 and task[0] == ABORT:
            # Once there is an end to wait for, there is no better moment.
            return self._acquire(task)
        if endpoint == NOWHERE:
            self._waiting.put(self._health.again_at(now), task, attempt, due)
        elif endpoint == LEFT_OUT:
            why = self._health.why_out(task[4])
            self._recorder.fail(operation_of(task[0]), task[4], now, "left-out", why)
            delay = self._policy.retry(now, attempt)
            self._try_later(task, attempt, due, now, delay, failure=("left-out", why))
        return endpoint

    def _wake(self, now: int) -> None:
        while self._waiting and self._waiting.until() <= now:
            until, _, task, attempt, due = self._waiting.wake()
            if now >= self._end_ns or self._health.gave_up:
                self._miss(task, due)
                self._next(None, now)
            elif task is not None:
                self._begin(task, attempt, None, due)
            elif due and (hold := self._health.wait_until(now)):
                self._waiting.put(hold, due_ns=due)
            elif due:
                # After a pause it is not the generator that is late.
                if self._pacer is not None and until == due:
                    self._pacer.began(due, monotonic_ns())
                self._begin_due(due)
            else:
                self._next(None, now)

    def _miss(self, task: Task | None, due: int) -> None:
        if task is not None and is_part(task):
            self._transfers.fail(task)
        if self._pacer is not None and task is None and due:
            self._pacer.miss(due, self._stop_ns or NEVER_NS)

    def _forget_waiting(self) -> None:
        for wait in self._waiting.clear():
            self._miss(wait.task, wait.due_ns)

    # What failed

    def _repeat(self, connection: Connection) -> None:
        """Send the connection's request over a new connection; its clock runs on."""
        task, attempt, endpoint = connection.task, connection.attempt, connection.endpoint
        assert task is not None
        self._drop(connection)
        try:
            again = self._connections.connect(endpoint)
        except OSError as error:
            self._release(endpoint, FAILED)
            self._count_failure(task, attempt, connection.due_ns, endpoint, name_error(error))
            return
        again.due_ns = connection.due_ns
        again.task, again.attempt, again.token = task, attempt, connection.token
        again.began_ns = connection.began_ns

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
        kind, text = failure
        now = monotonic_ns()
        delay = -1
        if task[0] != ABORT and not self._policy.forgives(kind):
            self._recorder.fail(operation_of(task[0]), endpoint, now, kind, text)
            delay = self._policy.failed(endpoint, now, attempt, failure, asked_ns)
        self._try_later(task, attempt, due, now, delay, failure=failure)

    def _try_later(
        self, task: Task, attempt: int, due: int, now: int, delay: int, *, failure: tuple[str, str]
    ) -> None:
        # Through the queue, never by a direct call: a dead endpoint would become a recursion.
        if delay < 0:
            if is_part(task):
                self._transfers.fail(task, failure)
            self._policy.lose(task, failure[0])
            self._waiting.put(now)
        else:
            if is_part(task):
                self._transfers.retry(task, failure)
            self._waiting.put(now + delay, task, attempt + 1, due)

    def _unsent(self, connection: Connection, error: OSError) -> None:
        """Deal with a request that did not leave whole."""
        raise NotImplementedError
