"""Operations of the workload on the files and directories of trees: which of them, by the selection of paths."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .entries import Entry
from .messages import MKDIR, PUT, RMDIR
from .payload import Shape
from .shuffle import Shuffle
from .sizes import make_sampler
from .tasks import how_to_put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from .directories import Directories
    from .prepared_objects import Numbered
    from .tasks import Homes, Task
    from .trees import Tree

# How often a worker takes one of its own directories where they are partitioned.
_OWN_SHARE = 0.7
# How often another directory is looked for when one is not as an operation needs it.
_TRIES = 8


class Planted(NamedTuple):
    """A tree, its files as prepare makes them, and in a file system its directories: one for each endpoint, or one for all."""

    tree: Tree
    files: Numbered
    directories: Sequence[Directories]


class Slots(NamedTuple):
    """Which files of a directory are meant: every ``step``-th from ``first``, ``number`` in all."""

    first: int
    step: int
    number: int


def slots_of(pool: str, files_per_dir: int) -> Slots:
    """Return the files of an operation: where deletes are mixed with reads, every other one of a directory is for these."""
    if pool == "deletable":
        return Slots(1, 2, files_per_dir // 2)
    return Slots(0, 2, -(-files_per_dir // 2)) if pool == "prepared" else Slots(0, 1, files_per_dir)


class Forest:
    """Makes the entries of the workload that work on trees. All trees have the same form."""

    def __init__(self, trees: Sequence[Planted], homes: Homes, rng: Random) -> None:
        self._trees = trees
        self._homes = homes
        self._rng = rng

    def entry(self, operation: dict[str, Any]) -> Entry:
        """Return the entry of an operation of the plan."""
        op, tree = operation["op"], self._trees[0].tree
        slots = slots_of(operation["pool"], tree.form.files_per_dir)
        if op in ("mkdir", "rmdir"):
            bare = op == "rmdir" and not operation["recursive"]
            choose = make_choice(
                operation["tree"], range(tree.first if bare else 0, tree.directories), self._rng, foreign=True
            )
            return _TreeDirectories(operation, self._trees, choose, self._homes, self._rng)
        if op == "delete":
            return _TreeDeletes(operation, self._trees, slots, self._homes, self._rng)
        choose = make_choice(operation["tree"], range(tree.first, tree.directories), self._rng)
        pick = _make_pick(choose, slots, tree, self._rng)
        make = _TreePuts if op == "put" else _TreeReads
        return make(operation, self._trees, pick, self._homes, self._rng)


def _make_pick(choose: Callable[[], int], slots: Slots, tree: Tree, rng: Random) -> Callable[[], int]:
    """Return a function that picks any of some files of the directory that is chosen, by its number."""
    begin, files, draw = tree.first, tree.form.files_per_dir, rng.random
    first, step, number = slots
    return lambda: (choose() - begin) * files + first + step * int(draw() * number)


def make_choice(
    selection: dict[str, Any], among: range, rng: Random, *, foreign: bool = False
) -> Callable[[], int]:
    """Return a function that chooses a directory as the selection of paths says.

    ``foreign``: what is not taken from one's own directories with ``weighted`` is taken from those of others only.
    """
    start, share, draw = among.start, selection["share"], rng.random
    shares = selection["shares"]
    own = range(start + (share - start) % shares, among.stop, shares)
    length, owned = len(among), len(own)

    def choose_any() -> int:
        return start + int(draw() * length)

    def choose_own() -> int:
        return own[int(draw() * owned)]

    def choose_foreign() -> int:
        while (number := choose_any()) in own:
            pass
        return number

    wanted = {"exclusive": 1.0, "partitioned": _OWN_SHARE, "weighted": 1 - selection["overlap"]}
    chance = wanted.get(selection["kind"], 0.0) if owned else 0.0
    if not chance:
        return choose_any
    others = choose_any
    if foreign and selection["kind"] == "weighted" and owned < length:
        others = choose_foreign
    return choose_own if chance == 1 else lambda: choose_own() if draw() < chance else others()


class _TreeReads(Entry):
    """GET and STAT of any file of a directory."""

    def __init__(
        self,
        operation: dict[str, Any],
        trees: Sequence[Planted],
        pick: Callable[[], int],
        homes: Homes,
        rng: Random,
    ) -> None:
        super().__init__(operation["op"])
        self._trees = trees
        self._count = len(trees)
        self._pick = pick
        self._homes = homes
        self._random = rng.random
        self._verifies = operation["verify"]

    def _plant(self) -> Planted:
        return self._trees[int(self._random() * self._count) if self._count > 1 else 0]

    def draw(self) -> Task | None:
        planted, number = self._plant(), self._pick()
        name = planted.tree.name(number)
        if self._verifies:
            return (self.op, name, planted.files.size(name), planted.files.shape, self._homes(number))
        return (self.op, name, 0, None, self._homes(number))


class _TreePuts(_TreeReads):
    """PUT of any file of a directory anew, over what is there."""

    def __init__(self, operation: dict[str, Any], *parts: Any) -> None:
        super().__init__(operation, *parts)
        self.op = PUT | how_to_put(operation)
        self._size = make_sampler(operation["size"], parts[-1])
        self._shape = Shape(*operation["data"])

    def draw(self) -> Task | None:
        planted, number = self._plant(), self._pick()
        return (self.op, planted.tree.name(number), self._size(), self._shape, self._homes(number))


class _TreeDeletes(Entry):
    """DELETE: each file in the directories of this worker once, in random order."""

    def __init__(
        self, operation: dict[str, Any], trees: Sequence[Planted], slots: Slots, homes: Homes, rng: Random
    ) -> None:
        super().__init__(operation["op"])
        tree, selection = trees[0].tree, operation["tree"]
        self._trees = [planted.tree for planted in trees]
        self._slots = slots
        self._directories = tree.own_directories(selection["share"], selection["shares"])
        self._first, self._files = tree.first, tree.form.files_per_dir
        self._homes = homes
        self._order = Shuffle(len(trees) * len(self._directories) * slots.number, rng)
        self._next = count().__next__

    def draw(self) -> Task | None:
        position = self._next()
        if position >= len(self._order):
            return None
        rest, slot = divmod(self._order[position], self._slots.number)
        which, place = divmod(rest, len(self._directories))
        slot = self._slots.first + self._slots.step * slot
        number = (self._directories[place] - self._first) * self._files + slot
        return (self.op, self._trees[which].name(number), 0, None, self._homes(number))


class _TreeDirectories(Entry):
    """MKDIR and RMDIR of any directory; of one that is as the operation needs it, if that is soon found."""

    def __init__(
        self,
        operation: dict[str, Any],
        trees: Sequence[Planted],
        choose: Callable[[], int],
        homes: Homes,
        rng: Random,
    ) -> None:
        super().__init__(operation["op"])
        self._trees = trees
        self._choose = choose
        self._homes = homes
        self._random = rng.random
        self._recursive = operation["recursive"]
        self._unwanted = self.op == MKDIR

    def draw(self) -> Task | None:
        planted = self._trees[int(self._random() * len(self._trees))]
        for _ in range(_TRIES):
            number = self._choose()
            endpoint = self._homes(number)
            directories = planted.directories[max(endpoint, 0)]
            if directories.present[number] != self._unwanted:
                break
        act: Callable[[str, int], None] = directories.make_any
        if self.op == RMDIR:
            act = partial(directories.remove_any, recursive=self._recursive)
        return (self.op, planted.tree.directory(number), 0, (act, number), endpoint)
