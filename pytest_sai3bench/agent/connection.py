"""One keep-alive HTTP connection: sends a request, takes the answer apart, reuses itself."""

from __future__ import annotations

import socket
from time import monotonic_ns
from typing import TYPE_CHECKING

from .poller import READ, WRITE
from .response import CHUNKED, LONGEST_HEAD, BadResponse, ChunkedBody, parse_head, parse_ordinary

if TYPE_CHECKING:
    from .payload import Payload
    from .tasks import Task
    from .verification import Check

# Linux drops up to this many bytes of a body in the kernel, without copying them to us.
MSG_TRUNC = getattr(socket, "MSG_TRUNC", 0) if hasattr(socket, "SO_DOMAIN") else 0
# Of an error's body only so much is kept: enough for code and message.
_LONGEST_ERROR = 16 << 10

IDLE, CONNECTING, HEAD, BODY = range(4)


class Closed(ConnectionError):
    """The server closed the connection before the answer was complete."""


class ConnectionFailed(OSError):
    """A connection that cannot be used; ``kind`` is one of the failure kinds of `messages`."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Connection:
    """State of one socket; the loop owns it and reads its fields.

    ``state`` is IDLE, CONNECTING, HEAD (request begun, answer's head not complete) or BODY. ``pending`` is what could
    not be sent yet. After `receive` returned True, ``status``, ``size`` (bytes of the body), ``body`` (when kept),
    ``close`` and ``head`` (of an error, or when asked for) describe the answer. ``opened_ns`` is when the connection was begun, ``began_ns`` when the operation's
    clock started (0 when it has not), ``due_ns`` when it was due under a rate (else 0), ``first_ns`` when the first byte of
    its answer had arrived (0 when that was the whole answer); ``token`` is the next page of a LIST. ``fresh`` is True until an answer came: a
    connection that was used before may have been closed by the server meanwhile, which is no error. ``crossed`` is True
    once sending had to wait for something to arrive, or the other way round, which only TLS does. With ``drops``, bodies
    that nothing looks at are dropped in the kernel, where that can be done.
    """

    __slots__ = (
        "_bodiless",
        "_chunks",
        "_drops",
        "_keep",
        "_keep_head",
        "_left",
        "_partial",
        "_plain",
        "_recv_into",
        "_send",
        "attempt",
        "base",
        "began_ns",
        "body",
        "check",
        "close",
        "crossed",
        "due_ns",
        "endpoint",
        "fd",
        "first_ns",
        "fresh",
        "head",
        "opened_ns",
        "payload",
        "pending",
        "size",
        "sock",
        "state",
        "status",
        "task",
        "token",
        "touched",
    )

    def __init__(self, sock: socket.socket, endpoint: int, *, drops: bool = True) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.endpoint = endpoint
        self.state = CONNECTING
        self.fresh = True
        self.task: Task | None = None
        self.attempt = 0
        self.base = 0
        self.began_ns = 0
        self.due_ns = 0
        self.first_ns = 0
        self.opened_ns = 0
        self.token = ""
        self.pending: memoryview | None = None
        self.payload: Payload | None = None
        self.check: Check | None = None
        self.status = 0
        self.size = 0
        self.body = b""
        self.head = b""
        self.close = False
        self.touched = False
        self.crossed = False
        self._recv_into = sock.recv_into
        self._send = sock.send
        self._drops = MSG_TRUNC if drops else 0
        self._bodiless = False
        self._keep = False
        self._keep_head = False
        self._plain = False
        self._left = 0
        self._partial = b""
        self._chunks: ChunkedBody | None = None

    @property
    def waits(self) -> int:
        """What the poller has to watch for."""
        return READ if self.pending is None else READ | WRITE

    @property
    def moved(self) -> int:
        """How many bytes of the operation's bodies have moved, as far as that is known; only changes mean something."""
        received = self.size if self._chunks is None else self._chunks.size
        return received + (self.payload.offset if self.payload is not None else 0)

    def shake(self) -> int:
        """Go on with what has to be agreed before the first request; returns what to wait for, 0 when nothing is left."""
        return 0

    def expect(
        self, *, bodiless: bool = False, keep: bool = False, check: Check | None = None, head: bool = False
    ) -> None:
        """Prepare for the answer to a new request; ``keep`` its body, ``check`` it, or only count it.

        With ``head`` that is kept of a success, too.
        """
        self.check = check
        self.state = HEAD
        self.first_ns = 0
        self.touched = False
        self._bodiless = bodiless
        self._keep = keep
        self._keep_head = head
        self._plain = not (bodiless or keep or check or head)

    def send(self, data: bytes) -> bool:
        """Send a request's first bytes; True when all of it, body included, has left."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent == len(data) and self.payload is None:
            return True
        self.pending = memoryview(data)[sent:]
        return self.flush()

    def flush(self) -> bool:
        """Send on after the socket became writable; True when everything has left."""
        pending = self.pending
        try:
            while True:
                if pending:
                    pending = pending[self._send(pending) :]
                elif self.payload is not None and (pending := self.payload.chunk()):
                    continue
                else:
                    self.pending = None
                    return True
        except BlockingIOError:
            self.pending = pending
            return False

    def receive(self, buffer: bytearray, view: memoryview) -> bool:
        """Take what has arrived; True when the answer is complete.

        ``view`` is the memoryview of ``buffer``. Raises `Closed`, `BadResponse` or OSError; then nothing more can be
        had from this connection.
        """
        try:
            if (
                self._drops
                and self._left > 0
                and self.state == BODY
                and not self._keep
                and self.check is None
            ):
                count = self._recv_into(view, min(self._left, len(view)), MSG_TRUNC)
            else:
                count = self._recv_into(view)
        except BlockingIOError:
            return False
        if not count:
            return self._end_of_stream()
        self.touched = True
        if self.state == HEAD:
            if self._partial:
                return self._take_heads(memoryview(self._partial + view[:count]))
            if self._plain:
                end = buffer.find(b"\r\n\r\n", 0, count)
                status, length = parse_ordinary(buffer, end + 2) if end > 0 else (0, 0)
                if status and length == count - end - 4:
                    self.status = status
                    self.size = length
                    self.state = IDLE
                    self.fresh = self.close = False
                    return True
            self.first_ns = monotonic_ns()
            return self._take_heads(view[:count])
        if self.state == BODY:
            return self._take_body(view[:count])
        raise BadResponse("bytes arrived that no request asked for")

    def _take_heads(self, data: memoryview) -> bool:
        """Take the answer's head off ``data``, which begins with it, and then what there is of the body."""
        while (end := (start := bytes(data[:LONGEST_HEAD])).find(b"\r\n\r\n")) >= 0:
            status, length, close = parse_head(start[:end], bodiless=self._bodiless)
            data = data[end + 4 :]
            if status == 101:
                raise BadResponse("the server switched protocols")
            if status >= 200:
                self._partial = b""
                self.status = status
                self.close = close
                self.size = 0
                self.body = b""
                self.head = start[:end] if status >= 300 or self._keep_head else b""
                self._keep = self._keep or status >= 300
                self._chunks = ChunkedBody() if length == CHUNKED else None
                self._left = length
                self.state = BODY
                return self._take_body(data)
            # Another 1xx says nothing yet: the real answer follows, or begins here.
            self.first_ns = monotonic_ns() if data else 0
        if len(data) >= LONGEST_HEAD:
            raise BadResponse(f"the answer's head is longer than {LONGEST_HEAD} bytes")
        self._partial = bytes(data)
        return False

    def _take_body(self, data: memoryview) -> bool:
        if self._chunks is not None:
            content = self._chunks.feed(bytes(data), keep=self._keep or self.check is not None)
            self._keep_some(memoryview(content))
            self.size = self._chunks.size
            return self._finish() if self._chunks.done else False
        count = len(data)
        self._keep_some(data)
        self.size += count
        if self._left < 0:
            return False
        self._left -= count
        if self._left > 0:
            return False
        if self._left < 0:
            raise BadResponse(f"the body is {-self._left} bytes longer than it says")
        return self._finish()

    def _keep_some(self, data: memoryview) -> None:
        if self.check is not None and self.status < 300:
            self.check.feed(data)
        if self._keep and data and (self.status < 300 or len(self.body) < _LONGEST_ERROR):
            self.body += bytes(data)

    def _end_of_stream(self) -> bool:
        if self.state == BODY and self._left < 0 and self._chunks is None:
            return self._finish()
        raise Closed(
            "the server closed the connection" + (" in the middle of an answer" if self.touched else "")
        )

    def _finish(self) -> bool:
        self.state = IDLE
        self.fresh = False
        return True


def name_error(error: Exception) -> tuple[str, str]:
    """Return kind and text of what went wrong on a connection."""
    if isinstance(error, ConnectionFailed):
        return error.kind, str(error)
    if isinstance(error, ConnectionRefusedError):
        return "refused", "connection refused"
    if isinstance(error, Closed):
        return "closed", str(error)
    if isinstance(error, ConnectionError):
        return "reset", "connection reset by the server"
    if isinstance(error, TimeoutError):
        return "timeout", str(error)
    if isinstance(error, BadResponse):
        return "bad-response", str(error)
    return "unreachable", str(error)
