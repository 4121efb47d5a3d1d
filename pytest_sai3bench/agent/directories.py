"""The directories of a tree in a file system: making and removing them, and which of them the run made."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Callable

from .engine import OperationFailed
from .messages import MKDIR, RMDIR
from .own_objects import Missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tasks import Task
    from .trees import Tree

# Others may remove a directory, or what it is in, while one looks at it.
_TRIES = 16


class Directories:
    """The directories of a tree: two bytes for each.

    ``endpoint`` is the only one that shows them, or `sources.ANYWHERE`; ``root`` is where they are found. ``present`` says which are there as far as this
    worker knows, ``made`` which of them it made and has not removed. Bytes are set and read by many threads, each in one step.
    """

    def __init__(self, tree: Tree, root: str, endpoint: int) -> None:
        self.tree = tree
        self.endpoint = endpoint
        self.present = bytearray(tree.directories)
        self.root = root
        self.made = bytearray(tree.directories)
        self._useless = {MKDIR: count(), RMDIR: count()}

    def make(self, root: str, number: int) -> bool:
        """Make a directory and what it is in; False when it is there already. Raises OSError."""
        path, parent = root + self.tree.directory(number), self.tree.form.parent(number)
        tries = _TRIES
        while True:
            tries -= 1
            try:
                os.mkdir(path)
            except FileExistsError:
                if os.path.isdir(path):
                    self.present[number] = 1
                    return False
                if os.path.lexists(path) or not tries:
                    raise
            except FileNotFoundError:
                # The folder of the tree itself was there before the load.
                if parent < 0 or not tries:
                    raise
                self.make(root, parent)
            else:
                self.present[number] = self.made[number] = 1
                return True

    def make_any(self, root: str, number: int) -> None:
        """Make a directory for a workload, where one that is there is as good."""
        if not self.make(root, number):
            next(self._useless[MKDIR])

    def make_missing(self, root: str, number: int) -> None:
        """Make a directory for prepare, where one that is there is no operation: raises `OperationFailed`."""
        if not self.make(root, number):
            raise OperationFailed("exists", "the directory is there already")

    def remove_any(self, root: str, number: int, *, recursive: bool) -> None:
        """Remove a directory for a workload, where one that is gone is as good. Raises OSError."""
        path = root + self.tree.directory(number)
        try:
            if recursive:
                _remove_all(path)
            else:
                os.rmdir(path)
        except FileNotFoundError:
            next(self._useless[RMDIR])
        for part in self.tree.form.below(number) if recursive else [range(number, number + 1)]:
            self.present[part.start : part.stop] = bytes(len(part))

    def remove_own(self, root: str, number: int) -> None:
        """Remove a directory for cleanup; raises OSError, also when something is in it."""
        os.rmdir(root + self.tree.directory(number))
        self.made[number] = 0

    def sweep(self) -> bool:
        """Remove what cleanup could not, since others were still in it; True when something stays, as it holds anything."""
        stays = False
        number = self.made.rfind(1)
        while number >= 0:
            try:
                os.rmdir(self.root + self.tree.directory(number))
            except FileNotFoundError:
                self.made[number] = 0
            except OSError:
                stays = True
            else:
                self.made[number] = 0
            number = self.made.rfind(1, 0, number)
        return stays

    def adopt(self, own: int, shares: int, breathe: Callable[[], None]) -> None:
        """Count those of a worker's share that are there as made by this run."""
        for position, number in enumerate(self.share(own, shares)):
            if position % 1000 == 0:
                breathe()
            self.made[number] = os.path.isdir(self.root + self.tree.directory(number))

    def share(self, own: int, shares: int) -> range:
        """Return the directories that belong to one of so many workers; none where ``shares`` is 0."""
        return range(own, self.tree.directories, shares) if shares else range(0)

    def assume_all(self) -> None:
        """Take all to be there, as they are after prepare, whoever made them."""
        self.present[:] = b"\1" * len(self.present)

    def useless(self) -> tuple[int, int]:
        """Return how many MKDIRs and RMDIRs had nothing to do since the last time."""
        made, removed = (next(self._useless[op]) for op in (MKDIR, RMDIR))
        self._useless = {MKDIR: count(), RMDIR: count()}
        return made, removed


def _remove_all(path: str) -> None:
    """Remove a directory with all that is in it, while others may do the same; raises OSError when it is not there."""
    tries = _TRIES
    while True:
        tries -= 1
        try:
            _empty(path)
            os.rmdir(path)
        except OSError as error:
            # Others may put something in just before a directory is removed.
            if error.errno != errno.ENOTEMPTY or not tries:
                raise
        else:
            return


def _empty(path: str) -> None:
    with os.scandir(path) as entries:
        for entry in entries:
            inner = f"{path}{entry.name}"
            # What another has removed meanwhile is gone, too.
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    _empty(f"{inner}/")
                    os.rmdir(inner)
                else:
                    os.unlink(inner)


class NewDirectories:
    """MKDIRs of the directories that belong to a worker, outer ones first."""

    def __init__(self, directories: Directories, own: int, shares: int) -> None:
        self._directories = directories
        self._numbers = directories.share(own, shares)
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next MKDIR, or None at the end."""
        position = self._next()
        if position >= len(self._numbers):
            return None
        directories, number = self._directories, self._numbers[position]
        made = (directories.make_missing, number)
        return (MKDIR, directories.tree.directory(number), 0, made, directories.endpoint)


class MissingFiles(Missing):
    """PUTs of a tree's files; makes the directory of one where a lane was faster than the one that does it."""

    def __init__(self, *parts: Any, directories: Sequence[Directories]) -> None:
        super().__init__(*parts)
        self._directories = directories

    def _put(self, number: int) -> Task:
        task = super()._put(number)
        place = max(task[4], 0)
        directories = self._directories[place]
        directory = directories.tree.directory_of(number)
        if not directories.present[directory]:
            # What is wrong with it the PUT will say.
            with suppress(OSError):
                directories.make(directories.root, directory)
        return task


class OldDirectories:
    """RMDIRs of the directories that the run made, inner ones first."""

    def __init__(self, directories: Directories) -> None:
        self._directories = directories
        self._positions = count().__next__

    def take(self) -> Task | None:
        """Return the next RMDIR, or None at the end."""
        directories = self._directories
        made, last = directories.made, directories.tree.directories - 1
        while (position := self._positions()) <= last:
            number = last - position
            if made[number]:
                gone = (directories.remove_own, number)
                return (RMDIR, directories.tree.directory(number), 0, gone, directories.endpoint)
        return None
