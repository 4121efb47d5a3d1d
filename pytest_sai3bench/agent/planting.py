"""The trees of a worker: what is made of them, on which endpoints, and what is removed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .directories import Directories, MissingFiles, NewDirectories, OldDirectories
from .own_objects import Missing
from .tasks import ANYWHERE
from .tree_sources import Planted
from .trees import Tree, read_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .own_objects import Absent
    from .placement import Placement
    from .prepared_objects import Numbered
    from .tasks import Homes


class Trees:
    """Knows trees and their directories by the folder in which they are."""

    def __init__(self, plan: dict[str, Any], encode: Callable[[str], str], placement: Placement) -> None:
        # An object store has no directories: names that look like those of a tree are enough.
        self._roots = [endpoint["root"] for endpoint in plan["endpoints"] if endpoint["scheme"] != "s3"]
        self._encode = encode
        self._placement = placement
        self._trees: dict[str, Tree] = {}
        self._directories: dict[str, list[Directories]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether there are no directories of trees."""
        return not self._directories

    def tree(self, objects: dict[str, Any]) -> Tree:
        """Return the tree of a set of prepare."""
        folder = self._encode(objects["folder"])
        if folder not in self._trees:
            self._trees[folder] = Tree(folder, read_form(objects["tree"]), self._encode)
        return self._trees[folder]

    def _directories_of(self, tree: Tree) -> list[Directories]:
        if tree.folder not in self._directories:
            apart = self._placement.namespace != "shared"
            self._directories[tree.folder] = [
                Directories(tree, root, endpoint if apart else ANYWHERE)
                for endpoint, root in enumerate(self._roots if apart else self._roots[:1])
            ]
        return self._directories[tree.folder]

    def new_directories(self, objects: dict[str, Any]) -> Iterator[NewDirectories]:
        """Yield what makes the directories for which this worker cares."""
        for directories in self._directories_of(self.tree(objects)):
            yield NewDirectories(directories, *self._share(objects, directories))

    def adopt(self, objects: dict[str, Any], breathe: Callable[[], None]) -> None:
        """See `Directories.adopt`; nothing where a set of prepare is no tree."""
        if objects["tree"] is None:
            return
        for directories in self._directories_of(self.tree(objects)):
            own, shares = self._share(objects, directories)
            directories.adopt(own, shares, breathe)

    def _share(self, objects: dict[str, Any], directories: Directories) -> Sequence[int]:
        if self._placement.namespace == "replicated":
            return self._placement.sharers[directories.endpoint]
        return objects["share"], objects["shares"]

    def missing(self, objects: dict[str, Any], numbered: Numbered, absent: Absent, homes: Homes) -> Missing:
        """Return what makes the objects of a set that are missing, of trees or not."""
        if objects["tree"] is None or not self._roots:
            return Missing(numbered, absent, homes)
        directories = self._directories_of(self.tree(objects))
        return MissingFiles(numbered, absent, homes, directories=directories)

    def planted(self, objects: dict[str, Any], files: Numbered, *, assume: bool) -> Planted:
        """Return a tree for the workload; with ``assume`` all of its directories are taken to be there."""
        tree = self.tree(objects)
        directories: Sequence[Directories] = self._directories_of(tree) if assume else ()
        for each in directories:
            each.assume_all()
        return Planted(tree, files, directories)

    def old_directories(self) -> list[OldDirectories]:
        """Return what removes the directories that this worker made."""
        return [OldDirectories(each) for each in self._all()]

    def sweep(self) -> bool:
        """See `Directories.sweep`."""
        # All of them, whatever the first one says.
        return sum(each.sweep() for each in self._all()) > 0

    def notes(self) -> list[str]:
        """Return what is to be said of operations that had nothing to do; call it once, at the end of a stage."""
        counts = [each.useless() for each in self._all()]
        made, removed = (sum(each[place] for each in counts) for place in range(2))
        notes = (
            (made, f"{made} of mkdir had nothing to do: the directory was there already"),
            (removed, f"{removed} of rmdir had nothing to do: the directory was gone already"),
        )
        return [note for number, note in notes if number]

    def _all(self) -> list[Directories]:
        return [each for directories in self._directories.values() for each in directories]
