"""The entries of a workload: each draws operations of one kind, or changes what another one draws."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from .feeding import Feed, View, choose, feeding
from .gates import Gate, Guarded
from .large import LARGE, Large
from .messages import OPERATIONS
from .pools import PlacedPool
from .tasks import ANYWHERE, everywhere

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from .large import Multipart, Ranges
    from .payload import Shape
    from .pools import NamePool
    from .prepared_objects import Known
    from .tasks import Homes, Task

Pool = Union["NamePool", PlacedPool]


class Created(NamedTuple):
    """Objects that PUTs of one workload entry may have made: enough to name each of them again.

    ``issued`` returns how many; call it when no more are drawn. ``places`` say where they have to be removed.
    """

    name: Callable[[int], str]
    issued: Callable[[], int]
    places: Sequence[Homes]


class Entry:
    """One entry of the workload: draws its next task, or None when it has run out of objects."""

    def __init__(self, op: str) -> None:
        self.op = OPERATIONS.index(op)

    def draw(self) -> Task | None:
        """Return the next task, None when there is none left."""
        raise NotImplementedError


class Reads(Entry):
    """GET and STAT: any object of the pool, with replacement."""

    def __init__(self, op: str, pool: NamePool, rng: Random) -> None:
        super().__init__(op)
        self._pool = pool
        self._length = len(pool)
        self._random = rng.random

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        return (self.op, self._pool[int(self._random() * self._length)], 0, None, ANYWHERE)


class PlacedReads(Entry):
    """GET and STAT of objects that are each on one endpoint."""

    def __init__(self, op: str, pool: PlacedPool, rng: Random) -> None:
        super().__init__(op)
        self._at = pool.at
        self._length = len(pool)
        self._random = rng.random

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        name, place = self._at(int(self._random() * self._length))
        return (self.op, name, 0, None, place)


class VerifiedReads(Entry):
    """GET like another entry, of objects of prepare that must come back as they were written."""

    def __init__(self, op: str, reads: Entry, known: Known) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._find = known.find

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        task = self._reads()
        assert task is not None
        _, key, _, _, place = task
        objects = self._find(key)
        assert objects is not None
        return (self.op, key, objects.size(key), objects.shape, place)


class LargeReads(Entry):
    """GET like another entry; of large objects, and of those of unknown size, by ranges."""

    def __init__(self, op: str, reads: Entry, ranges: Ranges, known: Known) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._ranges = ranges
        self._find = known.find

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        task = self._reads()
        assert task is not None
        op, key, _, shape, place = task
        objects = self._find(key)
        size = objects.size(key) if objects else -1
        if size >= 0 and not self._ranges.divides(size):
            return task
        return (op | LARGE, key, size, Large(self._ranges, shape), place)


class Lists(Entry):
    """LIST: always the same folder, on the endpoints in turn where they do not show the same."""

    def __init__(self, op: str, folder: str, homes: Homes) -> None:
        super().__init__(op)
        self._folder = folder
        self._homes = homes
        self._counter = count()

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        return (self.op, self._folder, 0, None, self._homes(next(self._counter)))


class Deletes(Entry):
    """DELETE: each object of this worker's part of the pool once, in random order."""

    def __init__(self, op: str, pool: Pool, worker: int, workers: int, rng: Random) -> None:
        super().__init__(op)
        self._at = pool.at if isinstance(pool, PlacedPool) else lambda position: (pool[position], ANYWHERE)
        self._order = pool.share(worker, workers)
        rng.shuffle(self._order)
        self._next = count().__next__

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        position = self._next()
        if position >= len(self._order):
            return None
        name, place = self._at(self._order[position])
        return (self.op, name, 0, None, place)


class Puts(Entry):
    """PUT: a new object every time."""

    def __init__(self, op: str, name: Callable[[int], str], size: Callable[[], int], shape: Shape) -> None:
        super().__init__(op)
        self._name = name
        self._size = size
        self._shape = shape
        self._homes: Homes = everywhere
        self._counter = count()
        self._next = self._counter.__next__

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        return (self.op, self._name(self._next()), self._size(), self._shape, ANYWHERE)

    def created(self, places: Sequence[Homes]) -> Created:
        """Return what may have been made, to be removed at ``places``."""
        # Reading the counter uses a number up, which costs nothing once the workload is over.
        return Created(self._name, self._counter.__next__, places)

    def feed(self) -> Feed:
        """Return the feed for readers of new objects."""
        return Feed(self._name, self._homes)

    def draw_numbered(self) -> tuple[int, Task]:
        """Return the number of the next new object, and its task."""
        number = next(self._counter)
        return number, (self.op, self._name(number), self._size(), self._shape, self._homes(number))


class PlacedPuts(Puts):
    """PUT of objects that each have their place."""

    def __init__(self, *parts: Any, homes: Homes) -> None:
        super().__init__(*parts)
        self._homes = homes

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        number = next(self._counter)
        return (self.op, self._name(number), self._size(), self._shape, self._homes(number))


class LargePuts(Entry):
    """PUT like another entry; of large objects in parts."""

    def __init__(self, op: str, puts: Entry, multipart: Multipart) -> None:
        super().__init__(op)
        self._puts = puts.draw
        self._divide = multipart.divide

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        task = self._puts()
        assert task is not None
        return self._divide(task)


class FedPuts(Entry):
    """PUT like another entry; tells the readers of new objects when they are there."""

    def __init__(self, op: str, puts: Puts, multipart: Multipart | None) -> None:
        super().__init__(op)
        self.feed = puts.feed()
        self.gates: tuple[Gate, ...] = ()
        self._puts = puts.draw_numbered
        self._divide = multipart.divide if multipart else None

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        number, task = self._puts()
        return feeding(self.feed, number, self._divide(task) if self._divide else task, self.gates)


class FedReads(Entry):
    """GET and STAT like another entry, also of new objects that the pattern matches."""

    def __init__(self, op: str, reads: Entry, length: int, views: list[View], rng: Random) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._length = length
        self._views = views
        self._rng = rng

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        found = choose(self._views, self._length, self._rng)
        return (self.op, found[0], 0, None, found[1]) if found else self._reads()


class GatedEntry(Entry):
    """Operations like those of another entry, which wait for gates."""

    def __init__(self, op: str, entry: Entry, gates: tuple[Gate, ...]) -> None:
        super().__init__(op)
        self._entry = entry.draw
        self._gates = gates

    def draw(self) -> Task | None:
        """See `Entry.draw`."""
        task = self._entry()
        return Guarded(task, self._gates) if task else None
