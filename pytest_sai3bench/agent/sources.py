"""Where operations come from: the workload's mix, prepare's missing objects, cleanup's own objects.

A source hands out tasks until it has no more; `take` may be called from many threads. Positions are taken from
`itertools.count`, whose ``next`` is one C call and so needs no lock.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, count
from threading import Lock
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .large import LARGE, Large, read_ranges
from .messages import ATOMIC, DELETE, FSYNC, OPERATIONS, PUT
from .payload import Shape
from .pools import numbered_name, parse_numbered
from .sizes import make_sampler

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping, Sequence
    from random import Random

    from .large import Ranges
    from .pools import NamePool

_MASK = (1 << 64) - 1
# Odd, so that multiplication modulo 2^64 maps counters to distinct numbers; this one (2^64 over the golden ratio)
# also scatters neighbours.
_SCATTER = 0x9E3779B97F4A7C15


# One operation: index in `OPERATIONS` (for PUTs of files with `FSYNC` and `ATOMIC`) and key relative to the endpoint; for
# PUTs size in bytes and shape of the data (None for plain), for GETs the same of what must come back (None for whatever
# does); last the endpoint on which it has to be done, or `ANYWHERE`. Of operations that take several requests see
# `large`, whose details take the place of the shape. A bare tuple, since making one costs a tenth of making anything with
# names.
Task = tuple[int, str, int, Any, int]

ANYWHERE = -1


class Created(NamedTuple):
    """Objects that PUTs of one workload entry may have made: enough to name each of them again.

    ``issued`` returns how many; call it when no more are drawn.
    """

    folder: str
    base: int
    issued: Callable[[], int]


def scattered_name(folder: str, base: int, number: int) -> str:
    """Name of the PUT ``number``; ``base`` is a random 64-bit number of the worker and run."""
    return f"{folder}obj_{(base + number * _SCATTER) & _MASK}"


class _Entry:
    """One entry of the workload: draws its next task, or None when it has run out of objects."""

    def __init__(self, op: str) -> None:
        self.op = OPERATIONS.index(op)

    def draw(self) -> Task | None:
        raise NotImplementedError


class _Reads(_Entry):
    """GET and STAT: any object of the pool, with replacement."""

    def __init__(self, op: str, pool: NamePool, rng: Random) -> None:
        super().__init__(op)
        self._pool = pool
        self._length = len(pool)
        self._random = rng.random

    def draw(self) -> Task | None:
        return (self.op, self._pool[int(self._random() * self._length)], 0, None, ANYWHERE)


class _VerifiedReads(_Entry):
    """GET of objects of prepare that must come back as they were written."""

    def __init__(self, op: str, pool: NamePool, numbered: Mapping[str, Numbered], rng: Random) -> None:
        super().__init__(op)
        self._pool = pool
        self._numbered = numbered
        self._random = rng.random

    def draw(self) -> Task | None:
        key = self._pool[int(self._random() * len(self._pool))]
        parsed = parse_numbered(key)
        assert parsed is not None
        objects = self._numbered[parsed[0]]
        return (self.op, key, objects.size(key), objects.shape, ANYWHERE)


class _LargeReads(_Entry):
    """GET like another entry; of large objects, and of those of unknown size, by ranges."""

    def __init__(self, op: str, reads: _Entry, ranges: Ranges, numbered: Mapping[str, Numbered]) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._ranges = ranges
        self._numbered = numbered

    def draw(self) -> Task | None:
        task = self._reads()
        assert task is not None
        op, key, _, shape, place = task
        size = size_of(key, self._numbered)
        if size >= 0 and not self._ranges.divides(size):
            return task
        return (op | LARGE, key, size, Large(self._ranges, shape), place)


class _Lists(_Entry):
    """LIST: always the same folder."""

    def __init__(self, op: str, folder: str) -> None:
        super().__init__(op)
        self._task = (self.op, folder, 0, None, ANYWHERE)

    def draw(self) -> Task | None:
        return self._task


class _Deletes(_Entry):
    """DELETE: each object of this worker's part of the pool once, in random order."""

    def __init__(self, op: str, pool: NamePool, worker: int, workers: int, rng: Random) -> None:
        super().__init__(op)
        self._pool = pool
        self._order = pool.share(worker, workers)
        rng.shuffle(self._order)
        self._next = count().__next__

    def draw(self) -> Task | None:
        position = self._next()
        if position >= len(self._order):
            return None
        return (self.op, self._pool[self._order[position]], 0, None, ANYWHERE)


class _Puts(_Entry):
    """PUT: a new object every time."""

    def __init__(self, op: str, folder: str, size: Callable[[], int], shape: Shape, base: int) -> None:
        super().__init__(op)
        self._folder = folder
        self._size = size
        self._shape = shape
        self._base = base
        self._counter = count()

    def draw(self) -> Task | None:
        name = scattered_name(self._folder, self._base, next(self._counter))
        return (self.op, name, self._size(), self._shape, ANYWHERE)

    def created(self) -> Created:
        # Reading the counter uses a number up, which costs nothing once the workload is over.
        return Created(self._folder, self._base, self._counter.__next__)


class Mix:
    """Operations of the workload, drawn at random by weight.

    An entry that has run out of objects (deletes) drops out and its share goes to the others; ``notes`` says so.
    """

    def __init__(
        self,
        operations: Sequence[dict[str, Any]],
        pools: Sequence[NamePool | None],
        *,
        worker: int,
        workers: int,
        rng: Random,
        base: int,
        numbered: Mapping[str, Numbered],
    ) -> None:
        self._numbered = numbered
        self.notes: list[str] = []
        self.created: list[Created] = []
        self._rng = rng
        self._dropping = Lock()
        self._entries: list[tuple[_Entry, int, str]] = []
        for operation, pool in zip(operations, pools):
            if not operation["weight"]:
                continue
            entry = self._make(operation, pool, worker, workers, base)
            self._entries.append((entry, operation["weight"], operation["where"]))
        self._weigh()

    def _make(
        self, operation: dict[str, Any], pool: NamePool | None, worker: int, workers: int, base: int
    ) -> _Entry:
        op, path = operation["op"], operation["path"]
        if op == "put":
            folder = path if not path or path.endswith("/") else path + "/"
            sampler = make_sampler(operation["size"], self._rng)
            # Every entry needs numbers of its own: two may write into the same folder.
            shape = Shape(*operation["data"])
            puts = _Puts(op, folder, sampler, shape, base + (len(self.created) << 40))
            puts.op |= how_to_put(operation)
            self.created.append(puts.created())
            return puts
        if op == "list":
            return _Lists(op, path)
        assert pool is not None
        if op == "delete":
            return _Deletes(op, pool, worker, workers, self._rng)
        reads: _Entry = _Reads(op, pool, self._rng)
        if operation["verify"]:
            reads = _VerifiedReads(op, pool, self._numbered, self._rng)
        if operation["ranges"]:
            reads = _LargeReads(op, reads, read_ranges(operation["ranges"]), self._numbered)
        return reads

    def _weigh(self) -> None:
        cumulative = list(accumulate(weight for _, weight, _ in self._entries))
        # One tuple, replaced as a whole: other threads may be drawing.
        self._table = (
            [entry.draw for entry, _, _ in self._entries],
            cumulative,
            cumulative[-1] if cumulative else 0,
        )

    def take(self) -> Task | None:
        """Return the next task, or None when nothing is left to do."""
        while True:
            draws, cumulative, weight = self._table
            if not draws:
                return None
            place = bisect_right(cumulative, self._rng.random() * weight) if len(draws) > 1 else 0
            task = draws[place]()
            if task is not None:
                return task
            self._drop(draws[place])

    def _drop(self, draw: Callable[[], Task | None]) -> None:
        with self._dropping:
            for entry, _, where in self._entries:
                # Another thread may have been faster.
                if entry.draw == draw:
                    self.notes.append(f"{where}: delete ran out of objects before the time was up")
            self._entries = [item for item in self._entries if item[0].draw != draw]
            self._weigh()


def how_to_put(options: dict[str, Any]) -> int:
    """Return what is added to `PUT` for an operation, or a stage, with these options."""
    return (FSYNC if options["fsync"] else 0) | (ATOMIC if options["atomic"] else 0)


class Numbered(NamedTuple):
    """The ``total`` objects ``<stem><number>.dat`` of prepare: size in bytes by name, shape of the data, and ``how``."""

    stem: str
    total: int
    size: Callable[[str], int]
    shape: Shape
    how: int = 0


def size_of(key: str, numbered: Mapping[str, Numbered]) -> int:
    """Return the size of an object of prepare in bytes, -1 for any other; ``numbered`` has all sets by their stem."""
    parsed = parse_numbered(key)
    objects = numbered.get(parsed[0]) if parsed else None
    if parsed is None or objects is None or parsed[1] >= objects.total:
        return -1
    return objects.size(key)


class Missing:
    """PUTs of the numbered objects that prepare found missing."""

    def __init__(self, numbered: Numbered, numbers: array[int]) -> None:
        self.stem = numbered.stem
        self._numbered = numbered
        self._numbers = numbers
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next PUT, or None at the end."""
        position = self._next()
        if position >= len(self._numbers):
            return None
        name = numbered_name(self.stem, self._numbers[position])
        return (PUT | self._numbered.how, name, self._numbered.size(name), self._numbered.shape, ANYWHERE)

    def issued(self) -> array[int]:
        """Return the numbers of the objects that may have been made; call it once, when no more are taken."""
        return self._numbers[: self._next()]


class Removals:
    """DELETEs of everything this worker made: what was ``missing`` before prepare, and ``created`` by the workload."""

    def __init__(self, missing: Sequence[Missing], created: Sequence[Created]) -> None:
        self._parts: list[tuple[int, Callable[[int], str]]] = []
        for objects in missing:
            numbers = objects.issued()
            self._parts.append((len(numbers), _numbered_part(objects.stem, numbers)))
        for part in created:
            self._parts.append((part.issued(), _created_part(part)))
        self.total = sum(length for length, _ in self._parts)
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next DELETE, or None at the end."""
        position = self._next()
        for length, name in self._parts:
            if position < length:
                return (DELETE, name(position), 0, None, ANYWHERE)
            position -= length
        return None


def _numbered_part(stem: str, numbers: array[int]) -> Callable[[int], str]:
    return lambda position: numbered_name(stem, numbers[position])


def _created_part(part: Created) -> Callable[[int], str]:
    return lambda position: scattered_name(part.folder, part.base, position)


class Chain:
    """One source after another."""

    def __init__(self, parts: Sequence[Missing]) -> None:
        self._parts = tuple(parts)

    def take(self) -> Task | None:
        """Return the next task of the first part that has one left."""
        for part in self._parts:
            task = part.take()
            if task is not None:
                return task
        return None
