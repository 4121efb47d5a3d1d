"""Where operations come from: what one is, and the mix of the workload; those of prepare and cleanup are `own_objects`.

A source hands out tasks until it has no more; `take` may be called from many threads. Positions are taken from
`itertools.count`, whose ``next`` is one C call and so needs no lock.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from itertools import accumulate, count
from threading import Lock
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Union

from .feeding import Feed, View, choose, feeding
from .gates import Gate, Guarded
from .large import LARGE, Large, read_multipart, read_ranges
from .messages import ATOMIC, FSYNC, OPERATIONS
from .naming import UNSHARDED, NumberedNames
from .patterns import parse_pattern
from .payload import Shape
from .pools import PlacedPool
from .sizes import make_sampler

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from .large import Multipart, Ranges
    from .naming import Names, Shards
    from .placement import Placement
    from .pools import NamePool
    from .tree_sources import Forest

# One operation: index in `OPERATIONS` (for PUTs of files with `FSYNC` and `ATOMIC`) and key relative to the endpoint; for
# PUTs size in bytes and shape of the data (None for plain), for GETs the same of what must come back (None for whatever
# does); last the endpoint on which it has to be done, or `ANYWHERE`. Of operations that take several requests see
# `large`, whose details take the place of the shape. A bare tuple, since making one costs a tenth of making anything with
# names.
Task = tuple[int, str, int, Any, int]
Pool = Union["NamePool", PlacedPool]

ANYWHERE = -1
# Says for the number of an object on which endpoint it is.
Homes = Callable[[int], int]


def everywhere(_number: int) -> int:
    """Return `ANYWHERE` for any object."""
    return ANYWHERE


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


class _Reads(Entry):
    """GET and STAT: any object of the pool, with replacement."""

    def __init__(self, op: str, pool: NamePool, rng: Random) -> None:
        super().__init__(op)
        self._pool = pool
        self._length = len(pool)
        self._random = rng.random

    def draw(self) -> Task | None:
        return (self.op, self._pool[int(self._random() * self._length)], 0, None, ANYWHERE)


class _PlacedReads(Entry):
    """GET and STAT of objects that are each on one endpoint."""

    def __init__(self, op: str, pool: PlacedPool, rng: Random) -> None:
        super().__init__(op)
        self._at = pool.at
        self._length = len(pool)
        self._random = rng.random

    def draw(self) -> Task | None:
        name, place = self._at(int(self._random() * self._length))
        return (self.op, name, 0, None, place)


class _VerifiedReads(Entry):
    """GET like another entry, of objects of prepare that must come back as they were written."""

    def __init__(self, op: str, reads: Entry, known: Known) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._find = known.find

    def draw(self) -> Task | None:
        task = self._reads()
        assert task is not None
        _, key, _, _, place = task
        objects = self._find(key)
        assert objects is not None
        return (self.op, key, objects.size(key), objects.shape, place)


class _LargeReads(Entry):
    """GET like another entry; of large objects, and of those of unknown size, by ranges."""

    def __init__(self, op: str, reads: Entry, ranges: Ranges, known: Known) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._ranges = ranges
        self._find = known.find

    def draw(self) -> Task | None:
        task = self._reads()
        assert task is not None
        op, key, _, shape, place = task
        objects = self._find(key)
        size = objects.size(key) if objects else -1
        if size >= 0 and not self._ranges.divides(size):
            return task
        return (op | LARGE, key, size, Large(self._ranges, shape), place)


class _Lists(Entry):
    """LIST: always the same folder, on the endpoints in turn where they do not show the same."""

    def __init__(self, op: str, folder: str, homes: Homes) -> None:
        super().__init__(op)
        self._folder = folder
        self._homes = homes
        self._counter = count()

    def draw(self) -> Task | None:
        return (self.op, self._folder, 0, None, self._homes(next(self._counter)))


class _Deletes(Entry):
    """DELETE: each object of this worker's part of the pool once, in random order."""

    def __init__(self, op: str, pool: Pool, worker: int, workers: int, rng: Random) -> None:
        super().__init__(op)
        self._at = pool.at if isinstance(pool, PlacedPool) else lambda position: (pool[position], ANYWHERE)
        self._order = pool.share(worker, workers)
        rng.shuffle(self._order)
        self._next = count().__next__

    def draw(self) -> Task | None:
        position = self._next()
        if position >= len(self._order):
            return None
        name, place = self._at(self._order[position])
        return (self.op, name, 0, None, place)


class _Puts(Entry):
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
        return (self.op, self._name(self._next()), self._size(), self._shape, ANYWHERE)

    def created(self, places: Sequence[Homes]) -> Created:
        # Reading the counter uses a number up, which costs nothing once the workload is over.
        return Created(self._name, self._counter.__next__, places)

    def feed(self) -> Feed:
        return Feed(self._name, self._homes)

    def draw_numbered(self) -> tuple[int, Task]:
        number = next(self._counter)
        return number, (self.op, self._name(number), self._size(), self._shape, self._homes(number))


class _PlacedPuts(_Puts):
    """PUT of objects that each have their place."""

    def __init__(self, *parts: Any, homes: Homes) -> None:
        super().__init__(*parts)
        self._homes = homes

    def draw(self) -> Task | None:
        number = next(self._counter)
        return (self.op, self._name(number), self._size(), self._shape, self._homes(number))


class _LargePuts(Entry):
    """PUT like another entry; of large objects in parts."""

    def __init__(self, op: str, puts: Entry, multipart: Multipart) -> None:
        super().__init__(op)
        self._puts = puts.draw
        self._divide = multipart.divide

    def draw(self) -> Task | None:
        task = self._puts()
        assert task is not None
        return self._divide(task)


class _FedPuts(Entry):
    """PUT like another entry; tells the readers of new objects when they are there."""

    def __init__(self, op: str, puts: _Puts, multipart: Multipart | None) -> None:
        super().__init__(op)
        self.feed = puts.feed()
        self.gates: tuple[Gate, ...] = ()
        self._puts = puts.draw_numbered
        self._divide = multipart.divide if multipart else None

    def draw(self) -> Task | None:
        number, task = self._puts()
        return feeding(self.feed, number, self._divide(task) if self._divide else task, self.gates)


class _FedReads(Entry):
    """GET and STAT like another entry, also of new objects that the pattern matches."""

    def __init__(self, op: str, reads: Entry, length: int, views: list[View], rng: Random) -> None:
        super().__init__(op)
        self._reads = reads.draw
        self._length = length
        self._views = views
        self._rng = rng

    def draw(self) -> Task | None:
        found = choose(self._views, self._length, self._rng)
        return (self.op, found[0], 0, None, found[1]) if found else self._reads()


class _GatedEntry(Entry):
    """Operations like those of another entry, which wait for gates."""

    def __init__(self, op: str, entry: Entry, gates: tuple[Gate, ...]) -> None:
        super().__init__(op)
        self._entry = entry.draw
        self._gates = gates

    def draw(self) -> Task | None:
        task = self._entry()
        return Guarded(task, self._gates) if task else None


class Mix:
    """Operations of the workload, drawn at random by weight.

    An entry that has run out of objects (deletes) drops out and its share goes to the others; `notes` says so.
    Of the entries that are not ``apart`` at most so many operations ``together`` are under way, 0 for any number. With
    ``decode``, which gives names as paths of the plan are written, reads choose among new objects, too.
    """

    def __init__(
        self,
        operations: Sequence[dict[str, Any]],
        pools: Sequence[Pool | None],
        *,
        worker: int,
        workers: int,
        placement: Placement,
        rng: Random,
        base: int,
        known: Known,
        together: int = 0,
        decode: Callable[[str], str] | None = None,
        forest: Forest | None = None,
    ) -> None:
        self._known = known
        self._forest = forest
        self._placement = placement
        self._notes: list[str] = []
        self.created: list[Created] = []
        self._rng = rng
        self._dropping = Lock()
        self._decode = decode
        self._feeds: list[Feed] = []
        self._views: list[tuple[str, list[View]]] = []
        self._entries: list[tuple[Entry, int, str]] = []
        shared = Gate(together) if together else None
        numbered = [each for each in enumerate(operations) if each[1]["weight"]]
        # PUTs first: reads have to know them all.
        entries = {
            place: self._make(operation, pools[place], worker, workers, base)
            for place, operation in sorted(numbered, key=lambda each: each[1]["op"] != "put")
        }
        for place, operation in numbered:
            entry = entries[place]
            gates = [Gate(operation["most"])] if operation["most"] else []
            if shared and not operation["apart"]:
                gates.append(shared)
            if isinstance(entry, _FedPuts):
                entry.gates = tuple(gates)
            elif gates:
                entry = _GatedEntry(operation["op"], entry, tuple(gates))
            self._entries.append((entry, operation["weight"], operation["where"]))
        self._weigh()

    def _make(
        self, operation: dict[str, Any], pool: Pool | None, worker: int, workers: int, base: int
    ) -> Entry:
        op, path, homes = operation["op"], operation["path"], self._placement.homes_of_new()
        if operation["tree"] is not None:
            assert self._forest is not None
            return self._divide(operation, self._forest.entry(operation))
        if op == "put":
            folder = path if not path or path.endswith("/") else path + "/"
            sampler = make_sampler(operation["size"], self._rng)
            # Every entry needs numbers of its own: two may write into the same folder.
            shape = Shape(*operation["data"])
            name = partial(self._known.shards.put_name, folder, base + (len(self.created) << 40))
            parts = (op, name, sampler, shape)
            puts = _Puts(*parts)
            if self._placement.is_single:
                puts = _PlacedPuts(*parts, homes=homes)
            puts.op |= how_to_put(operation)
            self.created.append(puts.created(self._placement.places_of_new()))
            if self._decode:
                fed = _FedPuts(op, puts, read_multipart(operation["multipart"]))
                self._feeds.append(fed.feed)
                return fed
            return self._divide(operation, puts)
        if op == "list":
            return _Lists(op, path, homes)
        assert pool is not None
        if op == "delete":
            return _Deletes(op, pool, worker, workers, self._rng)
        reads: Entry
        if isinstance(pool, PlacedPool):
            reads = _PlacedReads(op, pool, self._rng)
        else:
            reads = _Reads(op, pool, self._rng)
        if self._decode and not operation["verify"]:
            views = self._views_of(operation, self._decode)
            reads = _FedReads(op, reads, len(pool), views, self._rng)
        if operation["verify"]:
            reads = _VerifiedReads(op, reads, self._known)
        return self._divide(operation, reads)

    def _divide(self, operation: dict[str, Any], entry: Entry) -> Entry:
        """Return an entry that moves large objects in parts, if that is wanted."""
        if operation["ranges"]:
            return _LargeReads(operation["op"], entry, read_ranges(operation["ranges"]), self._known)
        multipart = read_multipart(operation["multipart"])
        return _LargePuts(operation["op"], entry, multipart) if multipart else entry

    @property
    def notes(self) -> list[str]:
        """What a reader of the result should know."""
        counted = ((where, sum(view.count for view in views)) for where, views in self._views)
        return self._notes + [
            f"{where} chose among {count} new objects, too, at the end" for where, count in counted if count
        ]

    def _views_of(self, operation: dict[str, Any], decode: Callable[[str], str]) -> list[View]:
        pattern, plain = parse_pattern(decode(operation["path"])), self._known.shards.without

        def matches(name: str) -> bool:
            return pattern.matches(plain(decode(name)))

        views = [View(feed, matches) for feed in self._feeds]
        for view in views:
            view.feed.views.append(view)
        self._views.append((f"{operation['where']}: {operation['op']}", views))
        return views

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
                    self._notes.append(f"{where}: delete ran out of objects before the time was up")
            self._entries = [item for item in self._entries if item[0].draw != draw]
            self._weigh()


def how_to_put(options: dict[str, Any]) -> int:
    """Return what is added to `PUT` for an operation, or a stage, with these options."""
    return (FSYNC if options["fsync"] else 0) | (ATOMIC if options["atomic"] else 0)


class Numbered(NamedTuple):
    """The objects of one set of prepare: their names, size in bytes by name, shape of the data, and ``how``."""

    names: Names
    size: Callable[[str], int]
    shape: Shape
    how: int = 0


class Known:
    """The objects of prepare, to be found by name, and how names of the run are sharded."""

    def __init__(self, sets: Iterable[Numbered] = (), shards: Shards = UNSHARDED) -> None:
        self.shards = shards
        self._parse = shards.parse
        self._by_stem: dict[str, Numbered] = {}
        self._others: list[Numbered] = []
        for objects in sets:
            if isinstance(objects.names, NumberedNames):
                self._by_stem[objects.names.stem] = objects
            else:
                self._others.append(objects)

    @property
    def totals(self) -> dict[str, int]:
        """The number of objects for each stem."""
        return {stem: objects.names.total for stem, objects in self._by_stem.items()}

    def find(self, key: str) -> Numbered | None:
        """Return the set to which an object belongs, None for one that is not of prepare."""
        parsed = self._parse(key)
        objects = self._by_stem.get(parsed[0]) if parsed else None
        if objects and parsed and parsed[1] < objects.names.total:
            return objects
        return next((other for other in self._others if other.names.number(key) >= 0), None)
