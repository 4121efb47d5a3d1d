"""What the stages of a worker work on: what prepare makes, what the workload draws from, what cleanup removes."""

from __future__ import annotations

import os
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING, Any, Callable

from .large import read_multipart
from .naming import NumberedNames, Shards
from .own_objects import Chain, Existing, Removals, Turns, arrange
from .payload import Shape
from .planting import Trees
from .prepared_objects import Known, Numbered
from .resolution import find_missing, refuse_strangers, resolve_pools
from .room import rooms_of_folders
from .sizes import mean_size, size_by_name
from .sources import Mix
from .tasks import how_to_put
from .tree_sources import Forest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from .engine import Engine, Source
    from .entries import Created
    from .messages import RoomWire
    from .naming import Names
    from .own_objects import Missing
    from .placement import Placement

# How long a worker waits for others to remove what they have in its directories.
_TIDY_NS = 500_000_000
# What a missing object is called when it was to be deleted.
_ABSENT = frozenset({"missing", "http-404"})
# The same of a directory that was to be made, or to be removed though something is in it.
_THERE = frozenset({"exists"})
_HELD = frozenset({"not-empty"})


class StageSources:
    """Makes the sources of stages; remembers what was made, so that cleanup removes that and nothing else."""

    def __init__(self, plan: dict[str, Any], engine: Engine, placement: Placement, rng: Random) -> None:
        self._plan = plan
        self._engine = engine
        self._placement = placement
        self._rng = rng
        self._shards = Shards(plan["key_prefix_shards"])
        self._trees = Trees(plan, engine.encode, placement)
        self._made: list[Missing] = []
        self._created: list[Created] = []

    def missing(self, stage: dict[str, Any], breathe: Callable[[], None]) -> tuple[Turns, list[RoomWire]]:
        """Return what makes the objects that are missing, and the room that they need."""
        # One list of sets, or one for each endpoint that has copies of its own.
        copies: list[list[Missing]] = []
        sizes: list[float] = []
        first: list[Source] = []
        for objects in stage["objects"]:
            numbered = self._numbered(objects)._replace(how=how_to_put(stage))
            share = (objects["share"], objects["shares"])
            found = find_missing(
                numbered.names, share, self._engine, self._placement, breathe, look=stage["look"]
            )
            if not stage["create"]:
                continue
            copies, sizes = copies or [[] for _ in found], sizes or [0.0 for _ in found]
            if objects["tree"] is None:
                self._make_folders(objects["folder"], breathe)
            else:
                self._engine.make_folder(objects["folder"])
                first += self._trees.new_directories(objects)
            for place, (absent, homes) in enumerate(found):
                copies[place].append(self._trees.missing(objects, numbered, absent, homes))
                sizes[place] += absent.count * mean_size(objects["size"])
        self._made.extend(part for sets in copies for part in sets)
        multipart = read_multipart(stage["multipart"])
        files = arrange(copies, multipart, interleaved=stage["interleaved"])
        source = Turns([Chain([*first, files])]) if first else files
        return source, self._room(sizes) if stage["look"] else []

    def workload(self, stage: dict[str, Any], breathe: Callable[[], None]) -> Mix:
        """Return the mix of the workload; raises `StageFailed` when its paths match nothing."""
        for operation in stage["operations"]:
            if operation["op"] == "put" and operation["weight"] and operation["tree"] is None:
                self._make_folders(operation["path"], breathe)
        pools = resolve_pools(stage["operations"], self._engine, self._placement, breathe, self._shards)
        objects_of_prepare = [
            objects
            for other in self._plan["stages"]
            if other["kind"] == "prepare"
            for objects in other["objects"]
        ]
        known = Known(map(self._numbered, objects_of_prepare), self._shards)
        refuse_strangers(stage["operations"], pools, known.totals)
        operations = [
            dict(operation, path=self._engine.encode(operation["path"])) for operation in stage["operations"]
        ]
        mix = Mix(
            operations,
            pools,
            worker=self._plan["worker"],
            workers=self._plan["workers"],
            placement=self._placement,
            rng=self._rng,
            # Not from the seed: a second run must not meet the objects of the first.
            base=int.from_bytes(os.urandom(8), "little"),
            known=known,
            together=stage["together"],
            decode=self._engine.decode if stage["feeds"] else None,
            forest=self._forest(stage["operations"]),
        )
        self._created.extend(mix.created)
        return mix

    def removals(self, stage: dict[str, Any], breathe: Callable[[], None]) -> Chain:
        """Return what removes all that was made, and what it adopts of earlier runs."""
        removals = Removals([*self._made, *self._existing(stage, breathe)], self._created)
        return Chain([removals, *self._trees.old_directories()])

    def removed(self) -> None:
        """Take note that everything has been removed: another cleanup removes what is made after this one."""
        self._trees.sweep()
        self._made.clear()
        self._created.clear()
        self._engine.remove_folders()

    def forgiven(self, stage: dict[str, Any]) -> frozenset[str]:
        """Return the kinds of failures that are none in a stage."""
        if stage["kind"] == "prepare":
            return _THERE
        if stage["kind"] != "cleanup":
            return frozenset()
        if stage["mode"] == "best_effort":
            return frozenset({"*"})
        # Objects that the workload itself deleted are no surprise, not even in strict mode.
        deletes = any(
            operation["op"] in ("delete", "rmdir")
            for other in self._plan["stages"]
            for operation in other["operations"]
        )
        # Nor are those that were put on one endpoint only, and are looked for on all.
        somewhere = self._placement.namespace == "replicated" and bool(self._created)
        # What holds something of others is not removed.
        return _HELD | _ABSENT if deletes or somewhere or stage["mode"] == "tolerant" else _HELD

    def notes(self) -> list[str]:
        """Return what a reader of the result should know."""
        return self._trees.notes()

    def tidy(self) -> None:
        """Remove what others had their objects in while this worker cleaned up."""
        # Directories of trees may be in those of other workers, which let go of theirs at the same time.
        until_ns = monotonic_ns() + _TIDY_NS
        while any([self._trees.sweep(), self._engine.remove_folders()]):
            if self._trees.is_empty or monotonic_ns() > until_ns:
                break
            sleep(_TIDY_NS / 1e9 / 20)

    def _existing(self, stage: dict[str, Any], breathe: Callable[[], None]) -> Iterator[Existing]:
        for objects in stage["objects"] if stage["adopts"] else ():
            numbered, share = self._numbered(objects), (objects["share"], objects["shares"])
            found = find_missing(numbered.names, share, self._engine, self._placement, breathe, look=True)
            self._trees.adopt(objects, breathe)
            yield from (Existing(numbered, absent, homes) for absent, homes in found)

    def _numbered(self, objects: dict[str, Any]) -> Numbered:
        stem = f"{self._engine.encode(objects['folder'])}{objects['stem']}-"
        names: Names = (
            NumberedNames(stem, objects["count"], self._shards.count)
            if objects["tree"] is None
            else self._trees.tree(objects)
        )
        return Numbered(
            names,
            size_by_name(objects["size"], self._plan["data_seed"]),
            Shape(*objects["data"]),
        )

    def _room(self, sizes: list[float]) -> list[RoomWire]:
        """Return what is written where; ``sizes`` are those of each endpoint's copies, or one that all of them share."""
        roots = [str(endpoint["root"]) for endpoint in self._plan["endpoints"]]
        if len(sizes) < len(roots):
            sizes = [sum(sizes) / len(roots)] * len(roots)
        return rooms_of_folders(roots, [int(size) for size in sizes]) if roots[0] and any(sizes) else []

    def _make_folders(self, folder: str, breathe: Callable[[], None]) -> None:
        for place in self._shards.places_in(folder):
            breathe()
            self._engine.make_folder(place)

    def _forest(self, operations: Sequence[dict[str, Any]]) -> Forest | None:
        """Return the trees on which operations work, None when there are no such."""
        sets = next((each["tree"]["sets"] for each in operations if each["tree"] is not None), None)
        if sets is None:
            return None
        changes = any(each["op"] in ("mkdir", "rmdir") and each["weight"] for each in operations)
        trees = [self._trees.planted(objects, self._numbered(objects), assume=changes) for objects in sets]
        return Forest(trees, self._placement.homes_of_files(), self._rng)
