"""The event loop of HTTP backends: one thread, non-blocking sockets, a small state machine per connection.

A *lane* is one operation in flight; ``lanes`` of them are kept going. Each operation asks the balancer for its
endpoint and takes an idle connection to it, or opens one. Nothing here logs, locks or waits, except in ``poll``.
"""

from __future__ import annotations

from time import monotonic_ns, time
from typing import TYPE_CHECKING

from .balance import FAILED
from .connection import CONNECTING, ConnectionFailed, name_error
from .connections import Connections
from .health import LEFT_OUT, NOWHERE
from .large import ABORT, RANGE, is_part, operation_of
from .messages import GET, LIST, PUT
from .outgoing import Outgoing
from .poller import WRITE, make_fine_wait
from .recorder import NEVER_NS, Recorder, series_base
from .response import BadResponse, retry_after_ns
from .s3_requests import describe_error, next_token
from .transfers import Transfers
from .waiting import Waiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .connection import Connection
    from .engine import Control, Load
    from .messages import ContactWire
    from .pacing import Pacer
    from .payload import Pool
    from .s3_requests import S3Requests
    from .sources import Task
    from .tls import TlsClient

_BUFFER_BYTES = 256 << 10
_CHORE_NS = 50_000_000
_EVENTS = 256
# After a stop: how long requests in flight may take to end, and after that the removal of what they left.
DRAIN_NS = ABORT_NS = 1_000_000_000


class HttpLoop:
    """Keeps ``lanes`` operations going over the connections of one worker."""

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
        self._lanes = self._connects = lanes
        self._transfers = Transfers(self._endpoints)
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

    def open(self) -> None:
        """Open the connections that the lanes will need, so that the start is no storm of handshakes.

        Failures are left to the operations that need the connection: there they are counted.
        """
        self._connections.note_kept()
        self._connections.connect_share(self._connects)
        give_up = monotonic_ns() + self._connect_timeout_ns
        while (opening := self._connections.opening()) and monotonic_ns() < give_up:
            for fd, _ in self._poller.poll(0.05, _EVENTS):
                connection = self._by_fd.get(fd)
                if connection is None:
                    continue
                # Of those that are open already, the server has closed some meanwhile.
                self._readable(connection)
        for connection in opening:
            self._drop(connection)

    def run(self, load: Load) -> int:
        """Work until the source is empty or the window ends, and every operation that was begun has ended.

        Returns the number of operations that a stop cut off.
        """
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
        now = monotonic_ns()
        for _ in range(self._lanes):
            self._next(None, now)
        try:
            self._work(now, load.control)
        finally:
            # After an error of ours: what is still on its way must not reach the next stage.
            self._forget_waiting()
            for connection in [each for each in self._by_fd.values() if each.task is not None]:
                self._drop(connection)
        self._recorder.flush()
        return self._cut_off

    def _work(self, now: int, control: Control) -> None:
        poll, by_fd = self._poller.poll, self._by_fd
        # Only a rate needs to be woken to the microsecond.
        wait = make_fine_wait(self._poller) if self._pacer else None
        chores_ns = 0
        while self._busy:
            pause_ns = (self._waiting.until() if self._waiting else now + _CHORE_NS) - now
            pause_s = min(max(pause_ns, 0), _CHORE_NS) / 1e9
            if wait and pause_s:
                wait(pause_s)
                pause_s = 0
            for fd, mask in poll(pause_s, _EVENTS):
                connection = by_fd.get(fd)
                if connection is None:
                    continue
                if mask & WRITE:
                    self._writable(connection)
                    # It may be gone now, and its number already that of another.
                    if mask == WRITE or by_fd.get(fd) is not connection:
                        continue
                self._readable(connection)
            now = monotonic_ns()
            if self._waiting and self._waiting.until() <= now:
                self._wake(now)
            if now >= chores_ns:
                chores_ns = now + _CHORE_NS
                self._chores(now, control)
            if self._ready:
                self._call_lanes()

    def contacts(self) -> list[ContactWire]:
        """Return how each endpoint was reached since `open`."""
        return self._connections.contacts.to_wire()

    @property
    def left_behind(self) -> list[str]:
        """What may remain in the storage of the uploads of the last stage, though it should not."""
        return self._transfers.left_behind

    def close(self) -> None:
        """Close every connection."""
        self._connections.close()

    # Lanes

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

    # Events

    def _writable(self, connection: Connection) -> None:
        if connection.state == CONNECTING:
            self._establish(connection)
            return
        try:
            if connection.flush() or connection.crossed:
                self._poller.modify(connection.fd, connection.waits)
        except OSError as error:
            self._unsent(connection, error)
            return
        if connection.crossed:
            self._readable(connection)

    def _establish(self, connection: Connection) -> None:
        """Go on with a connection that is not ready for requests."""
        try:
            if not self._connections.establish(connection):
                return
        except OSError as error:
            self._broken(connection, error)
            return
        if connection.task is None:
            self._rest(connection)
        else:
            self._request(connection)

    def _unsent(self, connection: Connection, error: OSError) -> None:
        """Deal with a request that did not leave whole; the answer that says why may have arrived before the end."""
        try:
            complete = connection.receive(self._buffer, self._view)
        except ConnectionFailed as failure:
            complete, error = False, failure
        except (OSError, BadResponse):
            complete = False
        if complete:
            connection.close = True
            self._complete(connection)
        else:
            self._broken(connection, error)

    def _readable(self, connection: Connection) -> None:
        if connection.state == CONNECTING:
            self._establish(connection)
            return
        try:
            complete = connection.receive(self._buffer, self._view)
        except (OSError, BadResponse) as error:
            self._broken(connection, error)
            return
        if complete:
            self._complete(connection)
        elif connection.crossed:
            self._poller.modify(connection.fd, connection.waits)

    def _complete(self, connection: Connection) -> None:
        now = monotonic_ns()
        task = connection.task
        assert task is not None
        op = task[0]
        endpoint = connection.endpoint
        if connection.pending is not None:
            # An answer to a request that has not left whole: what is left of it may not be taken for a new one.
            connection.close = True
        elif connection.payload is not None:
            self._outgoing.payloads.append(connection.payload)
            connection.payload = None
        connection.token = ""
        if connection.status >= 300 and not (op >= RANGE and self._transfers.accepts(connection)):
            self._release(endpoint, FAILED)
            text = describe_error(connection.status, connection.body)
            self._connections.leave(connection)
            self._count_failure(
                task,
                connection.attempt,
                connection.due_ns,
                endpoint,
                (f"http-{connection.status}", text),
                asked_ns=_asked_to_wait(connection),
            )
            return
        if (
            connection.check is not None
            and connection.status < 300
            and (problem := connection.check.finish())
        ):
            self._release(endpoint, FAILED)
            self._connections.leave(connection)
            self._count_failure(task, connection.attempt, connection.due_ns, endpoint, problem)
            return
        if op > PUT:
            if op >= RANGE:
                self._take_part(connection, now)
                return
            if op == LIST:
                connection.token = next_token(connection.body)
                if connection.token and connection.close:
                    self._repeat(connection)
                    return
                if connection.token:
                    self._request(connection)
                    return
        size = connection.size if op == GET else task[2]
        base = series_base(op, endpoint, self._endpoints)
        latency_ns = now - connection.began_ns
        if connection.first_ns and op == GET:
            first_ns = connection.first_ns - connection.began_ns
            self._recorder.record_pieces(base, now, latency_ns, size, first_ns)
        else:
            self._record(base, now, latency_ns, size)
        if connection.due_ns:
            self._recorder.respond(base, size, now - connection.due_ns)
        self._worked[endpoint] = now
        self._release(endpoint, latency_ns)
        connection.began_ns = 0
        if connection.close:
            self._drop(connection)
            self._next(None, now)
        else:
            self._next(connection, now)

    def _take_part(self, connection: Connection, now: int) -> None:
        """Go on with an operation that takes several requests, one of which was answered."""
        task, endpoint = connection.task, connection.endpoint
        assert task is not None
        latency_ns = now - connection.began_ns
        problem = self._transfers.take(connection, now)
        if not problem:
            self._worked[endpoint] = now
        self._release(endpoint, FAILED if problem else latency_ns)
        if problem is not None:
            self._connections.leave(connection)
            self._count_failure(task, connection.attempt, 0, endpoint, problem)
            return
        connection.began_ns = 0
        if connection.close:
            self._drop(connection)
            self._next(None, now)
        else:
            self._next(connection, now)

    def _broken(self, connection: Connection, error: Exception) -> None:
        """Deal with a connection that failed; the operation on it, if any, fails or is sent once more."""
        task, attempt, endpoint = connection.task, connection.attempt, connection.endpoint
        if task is None:
            self._connections.drop_idle(connection)
            return
        if isinstance(error, ConnectionError) and not connection.fresh and not connection.touched:
            # The server closed a kept connection while the request was on its way: every S3 request may be repeated.
            self._repeat(connection)
            return
        self._drop(connection)
        self._release(endpoint, FAILED)
        self._count_failure(task, attempt, connection.due_ns, endpoint, name_error(error))

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
            self._waiting.put(now)
        else:
            if is_part(task):
                self._transfers.retry(task, failure)
            self._waiting.put(now + delay, task, attempt + 1, due)

    # Time

    def _chores(self, now: int, control: Control) -> None:
        self._recorder.roll(now)
        if control.check(now) and not self._stop_ns:
            self._stop_ns = now
            self._end_ns = 0
        if now >= self._end_ns or self._health.gave_up:
            # Lanes that pause or wait for a retry have nothing to wait for any more.
            self._busy -= len(self._waiting)
            self._forget_waiting()
        self._look(now)
        ejected, patience_ns = self._health.ejected(), self._health.rules.give_up_ns
        overdue_ns = now - self._stop_ns - DRAIN_NS if self._stop_ns else 0
        if self._stop_ns or self._health.gave_up:
            # What has begun is waited for, but a large object may be far from its end.
            self._cut_off += self._transfers.give_up(begun=overdue_ns > 0)
        if overdue_ns > ABORT_NS:
            self._transfers.abandon()
        for connection in list(self._by_fd.values()):
            task = connection.task
            if task is None:
                continue
            age_ns = now - connection.began_ns
            if overdue_ns > (ABORT_NS if task[0] == ABORT else 0):
                self._drop(connection)
                self._release(connection.endpoint, FAILED)
                self._busy -= 1
                if is_part(task):
                    self._transfers.fail(task)
                else:
                    self._cut_off += 1
            elif connection.state == CONNECTING and now - connection.opened_ns > self._connect_timeout_ns:
                text = f"no connection within {self._connect_timeout_ns / 1e9:g} s"
                self._broken(connection, TimeoutError(text))
            elif age_ns > (limit_ns := self._limit_ns(task)):
                self._broken(connection, TimeoutError(f"no answer within {limit_ns / 1e9:g} s"))
            elif ejected[connection.endpoint] and age_ns > patience_ns:
                text = f"no answer for {age_ns / 1e9:.1f} s, the endpoint is ejected"
                self._broken(connection, TimeoutError(text))

    def _limit_ns(self, task: Task) -> int:
        limit_ns: int = task[3].transfer.timeout_ns if is_part(task) else 0
        return limit_ns or self._request_timeout_ns

    def _look(self, now: int) -> None:
        """See how the endpoints are; what is stuck at a silent one holds no lane, so that the others keep their load."""
        connections, health = self._connections, self._health
        if self._endpoints == 1 and not health.trouble:
            return
        health.look(now, connections.oldest_ns(), connections.moved)
        stuck = connections.stuck(health.silent(), now - health.rules.suspect_ns) if health.trouble else 0
        change = stuck - self._lent
        if change < 0:
            self._surplus -= change
        elif now < self._end_ns and not health.gave_up:
            kept = min(change, self._surplus)
            self._surplus -= kept
            self._busy += change - kept
            for _ in range(change - kept):
                self._waiting.put(now)
        else:
            return
        self._lent = stuck


def _asked_to_wait(connection: Connection) -> int:
    """Return how long the server that could not serve asks to be left alone, in ns."""
    return retry_after_ns(connection.head, time()) if connection.status in {429, 503} else 0
