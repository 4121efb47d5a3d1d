"""Directory trees in a plan: what they look like, which worker makes what of them, and which paths it takes.

Frozen values, like those of `work`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pytest_sai3bench.agent.trees import Form, Tree
from pytest_sai3bench.errors import Problem
from pytest_sai3bench.suite.directories import NO_DIRECTORIES
from pytest_sai3bench.suite.places import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.plan.model import WorkerPlan
    from pytest_sai3bench.plan.work import ObjectSet
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place

Selection = Literal["random", "partitioned", "exclusive", "weighted"]
CreationMode = Literal["isolated", "coordinator", "concurrent"]


@dataclass(frozen=True)
class TreePlan:
    """A tree: ``width`` directories in each, ``depth`` levels of them; files in those of the last level or everywhere.

    ``mask`` names a directory, see `pytest_sai3bench.agent.trees.Form`.
    """

    width: int
    depth: int
    files_per_dir: int
    everywhere: bool
    mask: str

    @property
    def form(self) -> Form:
        """The tree as agents know it."""
        return Form(**self.to_wire())

    def own_files(self, share: int, shares: int) -> int:
        """Return how many files belong to one of so many workers."""
        return len(Tree("", self.form).share(share, shares))

    def own_directories(self, share: int, shares: int) -> int:
        """Return how many directories belong to one of so many workers."""
        return len(range(share, self.form.directories, shares)) if shares else 0

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class SelectionPlan:
    """Which directories an operation takes: of the trees of ``sets``, by ``kind``.

    A worker's own are those whose number modulo ``shares`` is ``share``; ``overlap`` is how likely others are with
    ``weighted``.
    """

    sets: tuple[ObjectSet, ...]
    kind: Selection = "random"
    overlap: float = 0.3
    share: int = 0
    shares: int = 1

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "sets": [objects.to_wire() for objects in self.sets],
            "kind": self.kind,
            "overlap": self.overlap,
            "share": self.share,
            "shares": self.shares,
        }


class TreeShares(NamedTuple):
    """What a worker has of the trees: it is number ``process`` of the ``processes`` of one of so many ``agents``."""

    mode: CreationMode
    agent: int
    agents: int
    process: int
    processes: int

    @property
    def taken(self) -> tuple[int, int]:
        """Its share of the directories, and of how many: agents by number, each agent's by its processes."""
        if self.mode == "isolated":
            return self.process, self.processes
        return self.agent + self.agents * self.process, self.agents * self.processes

    @property
    def made(self) -> tuple[int, int]:
        """The same of those that it makes; of no shares when others make them."""
        if self.mode == "coordinator":
            return (self.process, self.processes) if self.agent == 0 else (0, 0)
        return self.taken

    @property
    def prefix(self) -> str:
        """The folder of its agent's own tree, empty where all agents have the same."""
        return f"agent-{self.agent + 1}/" if self.mode == "isolated" and self.agents > 1 else ""


def check_trees(loaded: LoadedSuite, workers: Sequence[WorkerPlan]) -> Iterator[Problem]:
    """Yield what trees and their directories cannot be had with."""
    suite, first = loaded.suite, workers[0]
    changes = [
        (index, operation)
        for index, operation in enumerate(suite.workload)
        if operation.op in ("mkdir", "rmdir") and operation.weight
    ]
    for index, operation in changes:
        place: Place = ("workload", index, "op")
        if first.endpoints[0].scheme == "s3":
            yield _problem(loaded, place, NO_DIRECTORIES.format(operation.op))
        elif first.namespace == "replicated":
            text = f"'{operation.op}' changes one endpoint only: expected another namespace than replicated"
            yield _problem(loaded, place, text)
    if suite.prepare.directory_structure is None or len({worker.agent for worker in workers}) == 1:
        return
    mode = suite.distributed.tree_creation_mode if suite.distributed else "concurrent"
    mode_place: Place = ("distributed", "tree_creation_mode")
    if first.namespace == "replicated" and mode != "concurrent":
        text = f"'{mode}' cannot be had with namespace: replicated, where agents make the copies on their endpoints"
        yield _problem(loaded, mode_place, f"{text}: expected concurrent")
    uris = {tuple(endpoint.uri for endpoint in worker.endpoints) for worker in workers}
    if first.namespace == "independent" and mode != "isolated" and len(uris) > 1:
        text = (
            f"'{mode}' cannot be had with namespace: independent and agents with different endpoints, which cannot "
            "reach each other's files: expected isolated"
        )
        yield _problem(loaded, mode_place, text)


def _problem(loaded: LoadedSuite, place: Place, text: str) -> Problem:
    return Problem(loaded.where(place), dotted(place), text)
