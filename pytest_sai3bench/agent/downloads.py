"""Reading one large object by ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .large import RANGE, Part, Ranges, Transfer
from .response import find_field
from .verification import wrong_size

if TYPE_CHECKING:
    from .connection import Connection
    from .large import Large
    from .tasks import Task

_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18})").fullmatch
BEYOND_THE_END = 416


class Download(Transfer):
    """A GET; ``size`` is -1 until the first answer tells it.

    A known size is where prepare was told to make the object. When answers say something else they are right, and the
    rest of the ranges follows them, unless the content is verified.
    """

    __slots__ = ("_how", "_offset")

    def __init__(self, order: int, task: Task) -> None:
        super().__init__(order, task)
        large: Large = task[3]
        assert isinstance(large.how, Ranges)
        self._how = large.how
        self._offset = 0
        self.timeout_ns = large.how.timeout_ns

    @property
    def wants(self) -> bool:
        """See `Transfer.wants`."""
        left = self._offset < self.size if self.size >= 0 else not self._offset
        return left and self.in_flight < self.parallel and not self.failed

    @property
    def begun(self) -> bool:
        """See `Transfer.begun`."""
        return 0 <= self.size <= self._offset

    def next(self) -> Task:
        """See `Transfer.next`."""
        length = self._how.first if self.size < 0 else min(self._how.size, self.size - self._offset)
        part = Part(self, self._offset, length)
        self._offset += length
        self.in_flight += 1
        self.requests += 1
        return (RANGE, self.key, self.size, part, self.place)

    def take(self, task: Task, connection: Connection) -> tuple[str, str] | None:
        """See `Transfer.take`."""
        part: Part = task[3]
        total, problem = _read_answer(part, connection)
        if problem:
            return "bad-response", problem
        if self.shape is not None and total != self.size:
            return wrong_size(self.key, total, self.size)
        self.size = total
        self.bytes += part.moved
        return None


def tells_size(task: Task, connection: Connection) -> bool:
    """Tell whether an answer with an error says no more than that the object ends before the range."""
    return (
        task[0] == RANGE
        and connection.status == BEYOND_THE_END
        and _CONTENT_RANGE(find_field(connection.head, "content-range")) is not None
    )


def _read_answer(part: Part, connection: Connection) -> tuple[int, str]:
    """Note what came and return the size of the whole object, or what is wrong with the answer."""
    if connection.status == 200:
        # Allowed when everything was asked for; else the server knows no ranges.
        part.moved = connection.size
        if part.offset or part.moved > part.length:
            return 0, "a range was asked for, the whole object came"
        return part.moved, ""
    field = find_field(connection.head, "content-range")
    match = _CONTENT_RANGE(field)
    if match is None:
        return (
            0,
            f"no range and size of the object can be read from the answer: Content-Range: {field[:40]!r}",
        )
    total = int(match[3])
    if connection.status == BEYOND_THE_END and total <= part.offset:
        return total, ""
    asked = part.offset, min(part.offset + part.length, total) - 1
    if (
        match[1] is None
        or (int(match[1]), int(match[2])) != asked
        or connection.size != asked[1] - asked[0] + 1
    ):
        return 0, f"bytes {asked[0]}-{asked[1]} were asked for, {connection.size} came as {field!r}"
    part.moved = connection.size
    return total, ""
