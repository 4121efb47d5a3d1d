"""The log of every operation: noted on the hot path, put into words beside it, and sent in pieces to the controller.

Nothing is written on the host. What is on its way is bounded: when the controller is slow, or this process too busy, the
log has gaps, which are counted, and the load goes on.
"""

from __future__ import annotations

import re
import zlib
from base64 import b64encode
from collections import deque
from itertools import count
from threading import Semaphore, Thread
from time import gmtime, monotonic, monotonic_ns, sleep, strftime, time_ns
from typing import TYPE_CHECKING, Any, Callable
from urllib.parse import unquote

from .messages import GET, OPERATIONS, PUT, STAT

if TYPE_CHECKING:
    from .messages import Message

COLUMNS = (
    "idx",
    "thread",
    "op",
    "client_id",
    "n_objects",
    "bytes",
    "endpoint",
    "file",
    "error",
    "start",
    "first_byte",
    "end",
    "duration_ns",
)
# As sai3-bench calls them.
_NAMES = tuple("HEAD" if op == STAT else name.upper() for op, name in enumerate(OPERATIONS))
# About 200 bytes each, half a minute of a fast loop.
_MOST_WAITING = 500_000
_PIECE_BYTES = 256 << 10
# Pieces that the controller has not taken.
_MOST_UNTAKEN = 4
# After so many lines the others may have the interpreter: it is not taken from a thread for 5 ms.
_LINES_AT_ONCE = 50
_PAUSE_S = 0.05
_NS_PER_S = 1_000_000_000
_BORDERS = re.compile(r"[\t\r\n]")


class OpLog:
    """The log of one worker, at most ``max_bytes`` of its plan long as it is sent (compressed); any thread may `add`."""

    def __init__(self, plan: dict[str, Any], send: Callable[[Message], None]) -> None:
        self._left_bytes = int(plan["op_log_bytes"])
        self._client = _clean(str(plan["agent"]))
        self._endpoints = [_clean(str(endpoint["uri"])) for endpoint in plan["endpoints"]]
        self._quoted = plan["endpoints"][0]["scheme"] == "s3"
        self._send = send
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._most = _MOST_WAITING
        self._drop = count().__next__
        self._dropped = self._cut_off = 0
        self._lines = 0
        self._untaken = Semaphore(_MOST_UNTAKEN)
        # How often `finish` was called, and the last call for which all has been sent.
        self._asked = self._answered = 0
        self._hopeless = False
        # What is to be added to the monotonic clock for the time since the epoch. In a run the controller says it, so that
        # the logs of all hosts go by one clock.
        self.epoch_ns = time_ns() - monotonic_ns()
        self._second = (-1, "")
        Thread(target=self._work, daemon=True).start()

    def add(self, *entry: Any) -> None:
        """Note an attempt, in a plain tuple, since a named one takes three times as long to make.

        It holds the thread, operation (index in `OPERATIONS`), endpoint, key, bytes, the instants of begin, first byte
        (0 when nothing is known of it) and end in ns of the monotonic clock, the number of objects and the error.
        """
        if len(self._waiting) < self._most:
            self._waiting.append(entry)
        else:
            self._drop()

    def taken(self) -> None:
        """Note that the controller has taken a piece."""
        self._untaken.release()

    def finish(self, limit_s: float) -> list[str]:
        """Send what is left of a stage, in bounded time; return what there is to say about gaps."""
        self._asked += 1
        give_up = monotonic() + limit_s
        while self._answered < self._asked:
            self._hopeless = monotonic() > give_up
            sleep(_PAUSE_S)
        self._hopeless = False
        self._count_drops()
        notes = []
        if self._dropped:
            notes.append(
                f"op_log: {self._dropped} operations are missing, they came faster than they could be written"
            )
        if self._cut_off:
            notes.append(f"op_log: {self._cut_off} operations are missing after max_size was reached")
        self._dropped = self._cut_off = 0
        return notes

    def _count_drops(self) -> None:
        dropped, self._drop = self._drop(), count().__next__
        if self._most:
            self._dropped += dropped
        else:
            self._cut_off += dropped

    def _work(self) -> None:
        lines: list[bytes] = []
        size = 0
        while True:
            asked = self._asked
            while self._waiting and size < _PIECE_BYTES:
                for _ in range(min(len(self._waiting), _LINES_AT_ONCE)):
                    lines.append(self._line(self._waiting.popleft()))
                    size += len(lines[-1])
                sleep(0)
            if size >= _PIECE_BYTES or (lines and asked > self._answered):
                self._send_piece(lines)
                lines, size = [], 0
            else:
                self._answered = asked
                sleep(_PAUSE_S)

    def _send_piece(self, lines: list[bytes]) -> None:
        # Each piece is a file of its own: so those of several workers can stand one after the other in one.
        packer = zlib.compressobj(1, wbits=31)
        piece = packer.compress(b"".join(lines)) + packer.flush()
        if len(piece) > self._left_bytes:
            if self._most:
                self._count_drops()
                self._most = self._left_bytes = 0
            self._cut_off += len(lines)
            return
        while not self._untaken.acquire(timeout=_PAUSE_S):
            if self._hopeless:
                self._dropped += len(lines)
                return
        self._left_bytes -= len(piece)
        self._send({"type": "op_log", "piece": b64encode(piece).decode("ascii")})

    def _line(self, entry: tuple[Any, ...]) -> bytes:
        thread, op, endpoint, key, size_bytes, began_ns, first_ns, ended_ns, objects, error = entry
        self._lines += 1
        if self._quoted and "%" in key:
            key = unquote(key, errors="surrogateescape")
        if not key.isprintable():
            key = _clean(key)
        began, first = self._time(began_ns), ""
        if op == PUT:
            first = began
        elif op == GET:
            # Nothing is known of the first byte of an answer that came in one piece, but that it was the last, too.
            first = self._time(first_ns or ended_ns)
        return (
            f"{self._lines}\t{thread}\t{_NAMES[op]}\t{self._client}\t{objects}\t{size_bytes}\t"
            f"{self._endpoints[endpoint]}\t{key}\t{_clean(error) if error else ''}\t{began}\t{first}\t"
            f"{self._time(ended_ns)}\t{ended_ns - began_ns}\n"
        ).encode(errors="surrogateescape")

    def _time(self, ns: int) -> str:
        """Return an instant of the monotonic clock as RFC 3339 has it."""
        second, fraction = divmod(ns + self.epoch_ns, _NS_PER_S)
        if second != self._second[0]:
            self._second = (second, strftime("%Y-%m-%dT%H:%M:%S", gmtime(second)))
        return f"{self._second[1]}.{fraction:09d}Z"


def _clean(text: str) -> str:
    """Return a text without what would be taken for the end of a cell or line."""
    return _BORDERS.sub(lambda match: f"%{ord(match[0]):02X}", text)
