"""Operations that take several requests: how their tasks are marked, and what is known of one under way.

A source adds `LARGE` to the kind of such a task and puts a `Large` in the place of its shape. The loop makes requests
of it: each is a task of its own, whose kind is one of those below and which has a `Part` in that place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .messages import GET, KIND_MASK, PUT

if TYPE_CHECKING:
    from .connection import Connection
    from .payload import Shape
    from .tasks import Task

LARGE = 1 << 10
# Kinds of requests, above those of all operations: part of a GET, and of a PUT.
RANGE, CREATE, PART, COMPLETE, ABORT = range(16, 21)


class Ranges(NamedTuple):
    """How a large object is read: ``parallel`` ranges of ``size`` bytes at a time, if it has at least ``least`` bytes.

    ``timeout_ns`` is the time limit of a range, 0 for that of any request.
    """

    size: int
    parallel: int
    least: int = 0
    timeout_ns: int = 0

    def divides(self, size_bytes: int) -> bool:
        """Tell whether an object is read in several ranges."""
        return size_bytes > self.size and size_bytes >= self.least

    @property
    def first(self) -> int:
        """How much to ask for first of an object of unknown size; whole ranges, as of those of known size."""
        return -(-max(self.size, self.least) // self.size) * self.size


class Multipart(NamedTuple):
    """How an object of at least ``threshold`` bytes is written: ``parallel`` parts of ``part_size`` bytes at a time."""

    part_size: int
    parallel: int
    threshold: int

    def divide(self, task: Task) -> Task:
        """Return a PUT as one in parts if its object is large enough."""
        op, key, size, shape, place = task
        return task if size < self.threshold else (op | LARGE, key, size, Large(self, shape), place)


class Large(NamedTuple):
    """What a task of several requests holds besides key and size: how, and the shape of the data (None for any)."""

    how: Ranges | Multipart
    shape: Shape | None


class Part:
    """One request of a transfer, about ``length`` bytes from ``offset`` on; ``moved`` are those that came or went.

    Those of uploads have a ``number``, from 1.
    """

    __slots__ = ("length", "moved", "number", "offset", "transfer")

    def __init__(self, transfer: Transfer, offset: int = 0, length: int = 0, number: int = 0) -> None:
        self.transfer = transfer
        self.number = number
        self.offset = offset
        self.length = length
        self.moved = 0


class Transfer:
    """An operation under way that takes several requests; ``whole`` is its task.

    ``endpoint`` is that of its first request, ``began_ns`` when that was sent, ``due_ns`` when the operation was due (or
    0), ``first_ns`` when the first byte of any answer had arrived. ``place`` is the endpoint it is bound to, if any. ``in_flight`` requests were begun and are not answered, or wait for another attempt; ``requests`` were begun in
    all. ``left_behind`` is what may remain in the storage when it is done, empty as a rule. Once ``failed`` it begins none any more that would complete it. ``queued`` belongs to `transfers.Transfers`.
    """

    __slots__ = (
        "began_ns",
        "bytes",
        "due_ns",
        "endpoint",
        "failed",
        "first_ns",
        "in_flight",
        "key",
        "left_behind",
        "order",
        "parallel",
        "place",
        "queued",
        "requests",
        "shape",
        "size",
        "timeout_ns",
        "whole",
    )

    def __init__(self, order: int, task: Task) -> None:
        self.whole = task
        _, self.key, self.size, large, self.place = task
        self.order = order
        self.parallel: int = large.how.parallel
        self.shape: Shape | None = large.shape
        self.timeout_ns = 0
        self.endpoint = 0
        self.began_ns = 0
        self.due_ns = 0
        self.first_ns = 0
        self.in_flight = 0
        self.requests = 0
        self.bytes = 0
        self.failed = False
        self.queued = False
        self.left_behind = ""

    @property
    def wants(self) -> bool:
        """Whether there is a request that can be begun now."""
        raise NotImplementedError

    @property
    def begun(self) -> bool:
        """Whether every request that moves data has been begun."""
        raise NotImplementedError

    @property
    def done(self) -> bool:
        """Whether nothing is under way and nothing is left to begin."""
        return not self.in_flight and not self.wants

    def next(self) -> Task:
        """Return the next request; only while it ``wants`` one."""
        raise NotImplementedError

    def take(self, task: Task, connection: Connection) -> tuple[str, str] | None:
        """Take the answer to a request; returns kind and text of what is wrong with it, None when nothing is."""
        raise NotImplementedError


def operation_of(kind: int) -> int:
    """Return the index in `OPERATIONS` of what a task is, or is part of."""
    if RANGE <= kind < LARGE:
        return GET if kind == RANGE else PUT
    return kind & KIND_MASK


def is_part(task: Task) -> bool:
    """Tell whether a task is one request of an operation of several."""
    return RANGE <= task[0] < LARGE


def read_multipart(options: dict[str, Any] | None) -> Multipart | None:
    """Return what a plan says about writing large objects, None when it says nothing."""
    return Multipart(options["part_size"], options["parallel"], options["threshold"]) if options else None


def read_ranges(options: dict[str, Any]) -> Ranges:
    """Return what a plan says about reading large objects."""
    return Ranges(options["size"], options["parallel"], options["least"], int(options["timeout_s"] * 1e9))
