"""Where the operations of a workload come from: a mix of its entries; those of prepare and cleanup are `own_objects`.

A source hands out tasks until it has no more; `take` may be called from many threads. Positions are taken from
`itertools.count`, whose ``next`` is one C call and so needs no lock.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING, Any, Callable

from .entries import (
    Deletes,
    FedPuts,
    FedReads,
    GatedEntry,
    LargePuts,
    LargeReads,
    Lists,
    PlacedPuts,
    PlacedReads,
    Puts,
    Reads,
    VerifiedReads,
)
from .feeding import View
from .gates import Gate
from .large import read_multipart, read_ranges
from .patterns import parse_pattern
from .payload import Shape
from .pools import PlacedPool
from .sizes import make_sampler
from .tasks import how_to_put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from .entries import Created, Entry, Pool
    from .feeding import Feed
    from .placement import Placement
    from .prepared_objects import Known
    from .tasks import Task
    from .tree_sources import Forest


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
            if isinstance(entry, FedPuts):
                entry.gates = tuple(gates)
            elif gates:
                entry = GatedEntry(operation["op"], entry, tuple(gates))
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
            puts = Puts(*parts)
            if self._placement.is_single:
                puts = PlacedPuts(*parts, homes=homes)
            puts.op |= how_to_put(operation)
            self.created.append(puts.created(self._placement.places_of_new()))
            if self._decode:
                fed = FedPuts(op, puts, read_multipart(operation["multipart"]))
                self._feeds.append(fed.feed)
                return fed
            return self._divide(operation, puts)
        if op == "list":
            return Lists(op, path, homes)
        assert pool is not None
        if op == "delete":
            return Deletes(op, pool, worker, workers, self._rng)
        reads: Entry
        if isinstance(pool, PlacedPool):
            reads = PlacedReads(op, pool, self._rng)
        else:
            reads = Reads(op, pool, self._rng)
        if self._decode and not operation["verify"]:
            views = self._views_of(operation, self._decode)
            reads = FedReads(op, reads, len(pool), views, self._rng)
        if operation["verify"]:
            reads = VerifiedReads(op, reads, self._known)
        return self._divide(operation, reads)

    def _divide(self, operation: dict[str, Any], entry: Entry) -> Entry:
        """Return an entry that moves large objects in parts, if that is wanted."""
        if operation["ranges"]:
            return LargeReads(operation["op"], entry, read_ranges(operation["ranges"]), self._known)
        multipart = read_multipart(operation["multipart"])
        return LargePuts(operation["op"], entry, multipart) if multipart else entry

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
