"""What a plan says of the work itself: operations, objects, sizes, data, stages.

Frozen values, like those of `model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_sai3bench.plan.trees import SelectionPlan, TreePlan

StageKind = Literal["validation", "prepare", "workload", "custom", "cleanup"]
Barrier = Literal["all_or_nothing", "majority", "best_effort"]


@dataclass(frozen=True)
class SizePlan:
    """How large an object is, in bytes: always ``low`` when fixed, else drawn from a distribution in [low, high].

    ``mean`` and ``std_dev`` (bytes, linear space) apply to ``lognormal``.
    """

    kind: Literal["fixed", "uniform", "lognormal"]
    low: int
    high: int
    mean: float = 0.0
    std_dev: float = 0.0

    @property
    def expected(self) -> float:
        """Mean size in bytes (for ``lognormal`` before the cut at ``low`` and ``high``)."""
        if self.kind == "lognormal":
            return self.mean
        return (self.low + self.high) / 2

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "kind": self.kind,
            "low": self.low,
            "high": self.high,
            "mean": self.mean,
            "std_dev": self.std_dev,
        }


@dataclass(frozen=True)
class DataPlan:
    """What the data of objects are like: all zero bytes, or one of ``dedup`` blocks new, one of ``compress`` bytes random."""

    zero: bool = False
    dedup: int = 1
    compress: int = 1

    def to_wire(self) -> list[Any]:
        """Return the fields in their order, as `pytest_sai3bench.agent.payload.Shape` has them."""
        return [self.zero, self.dedup, self.compress]


PLAIN_DATA = DataPlan()


@dataclass(frozen=True)
class RangesPlan:
    """How large objects are read: ``parallel`` ranges of ``size`` bytes at a time, from ``least`` bytes on.

    ``timeout_s`` is the time limit of a range, 0 for that of any request.
    """

    size: int
    parallel: int
    least: int = 0
    timeout_s: float = 0.0

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class MultipartPlan:
    """How objects of at least ``threshold`` bytes are written: ``parallel`` parts of ``part_size`` bytes at a time."""

    part_size: int
    parallel: int
    threshold: int

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class OperationPlan:
    """One entry of the workload.

    ``pool`` says which objects of prepare the path may match: ``all``; or, when deletes are mixed with reads, the
    ``prepared`` ones for reads and the ``deletable`` ones for deletes. ``path`` is relative to every endpoint: an exact
    name, a folder (slash at the end, or empty for the whole endpoint), or a pattern with ``*``. ``where`` is file:line
    for messages. At most ``most`` of its operations are under way in a worker, 0 when only the lanes bound them; those
    that are ``apart`` do not count among the ones that are bounded together.
    """

    op: str
    path: str
    weight: int
    where: str
    size: SizePlan | None = None
    pool: Literal["all", "prepared", "deletable"] = "all"
    data: DataPlan = PLAIN_DATA
    fsync: bool = False
    atomic: bool = False
    verify: bool = False
    ranges: RangesPlan | None = None
    multipart: MultipartPlan | None = None
    most: int = 0
    apart: bool = False
    tree: SelectionPlan | None = None
    recursive: bool = False

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "op": self.op,
            "path": self.path,
            "weight": self.weight,
            "where": self.where,
            "size": self.size.to_wire() if self.size else None,
            "pool": self.pool,
            "fsync": self.fsync,
            "atomic": self.atomic,
            "data": self.data.to_wire(),
            "verify": self.verify,
            "ranges": self.ranges.to_wire() if self.ranges else None,
            "multipart": self.multipart.to_wire() if self.multipart else None,
            "most": self.most,
            "apart": self.apart,
            "tree": self.tree.to_wire() if self.tree else None,
            "recursive": self.recursive,
        }


@dataclass(frozen=True)
class ObjectSet:
    """Objects ``<folder><stem>-%08d.dat`` for index 0 … count-1 that prepare makes sure of.

    A worker cares for the indices ``i`` with ``i % shares == share``. With a ``tree`` they are its files, and the worker
    cares for directories by that rule, and for the files in them; of no shares it cares for none.
    """

    folder: str
    stem: Literal["prepared", "deletable", "file"]
    count: int
    size: SizePlan
    where: str
    share: int = 0
    shares: int = 1
    data: DataPlan = PLAIN_DATA
    tree: TreePlan | None = None

    @property
    def own_count(self) -> int:
        """How many of the objects the worker cares for."""
        if self.tree:
            return self.tree.own_files(self.share, self.shares)
        return len(range(self.share, self.count, self.shares))

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "folder": self.folder,
            "stem": self.stem,
            "count": self.count,
            "size": self.size.to_wire(),
            "where": self.where,
            "share": self.share,
            "shares": self.shares,
            "data": self.data.to_wire(),
            "tree": self.tree.to_wire() if self.tree else None,
        }


@dataclass(frozen=True)
class RatePlan:
    """How many operations a run begins per second, all workers together; a worker takes ``share`` of ``shares``."""

    per_s: int
    distribution: Literal["exponential", "uniform", "deterministic"]
    share: int = 0
    shares: int = 1

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class StagePlan:
    """One stage of a worker; ``duration_s``, ``warmup_s`` and ``rate`` apply to the workload, the rest to the others.

    The measured window lasts ``duration_s``; the warm-up comes before it. Prepare may ``look`` which objects exist and
    ``create`` those that do not (all of them when it does not look). It takes the sets one after another, or in turns
    when ``interleaved``; ``delay_s`` is a rest after it, ``fsync`` and ``atomic`` say how it makes files, ``multipart``
    how it writes large objects. Cleanup removes what the run made; one that ``adopts`` also objects of the sets that it
    finds.

    ``lanes`` are those of this stage, 0 for those of the worker. Of the operations that are not ``apart`` at most so many
    ``together`` are under way, 0 when only the lanes bound them. Where it ``feeds``, reads choose among the objects of
    puts that have succeeded, too.

    A workload with ``most_ops`` ends after so many operations of this worker. ``command`` is what a custom stage runs,
    once for each agent. ``name`` is that of the suite, empty where the suite has no stages. ``barrier`` says how many
    agents have to come through, ``timeout_s`` how long it may take (0 where nothing limits it); the failure of an
    ``optional`` stage does not end the run. ``where`` is file:line for messages.
    """

    kind: StageKind
    duration_s: float = 0.0
    warmup_s: float = 0.0
    operations: tuple[OperationPlan, ...] = ()
    objects: tuple[ObjectSet, ...] = ()
    look: bool = True
    create: bool = True
    mode: Literal["strict", "tolerant", "best_effort"] = "tolerant"
    delay_s: float = 0.0
    rate: RatePlan | None = None
    fsync: bool = False
    atomic: bool = False
    multipart: MultipartPlan | None = None
    lanes: int = 0
    together: int = 0
    feeds: bool = False
    interleaved: bool = False
    adopts: bool = False
    most_ops: int | None = None
    command: tuple[str, ...] = ()
    name: str = ""
    barrier: Barrier = "all_or_nothing"
    timeout_s: float = 0.0
    optional: bool = False
    where: str = ""

    @property
    def label(self) -> str:
        """What the stage is called in reports."""
        return self.name or self.kind

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "kind": self.kind,
            "duration_s": self.duration_s,
            "warmup_s": self.warmup_s,
            "operations": [operation.to_wire() for operation in self.operations],
            "objects": [objects.to_wire() for objects in self.objects],
            "look": self.look,
            "create": self.create,
            "mode": self.mode,
            "delay_s": self.delay_s,
            "rate": self.rate.to_wire() if self.rate else None,
            "fsync": self.fsync,
            "atomic": self.atomic,
            "multipart": self.multipart.to_wire() if self.multipart else None,
            "lanes": self.lanes,
            "together": self.together,
            "feeds": self.feeds,
            "interleaved": self.interleaved,
            "adopts": self.adopts,
            "most_ops": self.most_ops,
            "command": list(self.command),
        }
