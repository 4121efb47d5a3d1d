"""The event loop of HTTP backends: one thread, non-blocking sockets, a small state machine per connection.

What the lanes do is in `http_lanes`. Nothing in either logs, locks or waits, except in ``poll``.
"""

from __future__ import annotations

from time import monotonic_ns, time
from typing import TYPE_CHECKING

from .balance import FAILED
from .connection import CONNECTING, ConnectionFailed, name_error
from .http_lanes import HttpLanes
from .large import ABORT, RANGE, is_part
from .messages import GET, LIST, PUT
from .poller import WRITE, make_fine_wait
from .recorder import series_base
from .response import BadResponse, retry_after_ns
from .s3_requests import describe_error, next_token

if TYPE_CHECKING:
    from .connection import Connection
    from .engine import Control, Load
    from .messages import ContactWire
    from .tasks import Task

_CHORE_NS = 50_000_000
_EVENTS = 256
# After a stop: how long requests in flight may take to end, and after that the removal of what they left.
DRAIN_NS = ABORT_NS = 1_000_000_000


class HttpLoop(HttpLanes):
    """Keeps ``lanes`` operations going over the connections of one worker."""

    def open(self, lanes: int = 0) -> None:
        """Open the connections that so many lanes will need, so that the start is no storm of handshakes.

        With 0 there are as many as before. Failures are left to the operations that need the connection: there they are counted.
        """
        self._lanes = lanes or self._lanes
        self._connections.note_kept()
        self._connections.connect_share(self._wanted())
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

    def _wanted(self) -> int:
        """Return how many connections the lanes can use."""
        return self._lanes

    def run(self, load: Load) -> int:
        """Work until the source is empty or the window ends, and every operation that was begun has ended.

        Returns the number of operations that a stop cut off.
        """
        self._take_up(load)
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
