"""The trees of a worker: what is made of them, on which endpoints, and what is removed again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from .directories import Directories, MissingFiles, NewDirectories, OldDirectories
from .own_objects import Missing
from .sources import ANYWHERE
from .tree_sources import Planted
from .trees import Tree, read_form

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .own_objects import Absent
    from .placement import Placement
    from .sources import Homes, Numbered


class Trees:
    """Knows trees and their directories by the folder in which they are."""

    def __init__(self, plan: dict[str, Any], encode: Callable[[str], str], placement: Placement) -> None:
        # An object store has no directories: names that look like those of a tree are enough.
        self._roots = [endpoint["root"] for endpoint in plan["endpoints"] if endpoint["scheme"] != "s3"]
        self._encode = encode
        self._placement = placement
        self._trees: dict[str, Tree] = {}
        self._directories: dict[str, list[Directories]] = {}

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
            own, shares = objects["share"], objects["shares"]
            if self._placement.namespace == "replicated":
                own, shares = self._placement.sharers[directories.endpoint]
            yield NewDirectories(directories, own, shares)

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

    def sweep(self) -> None:
        """See `Directories.sweep`."""
        for each in self._all():
            each.sweep()

    def notes(self) -> list[str]:
        """See `Directories.notes`."""
        return [note for each in self._all() for note in each.notes()]

    def _all(self) -> list[Directories]:
        return [each for directories in self._directories.values() for each in directories]
