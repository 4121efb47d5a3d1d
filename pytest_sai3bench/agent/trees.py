"""Directory trees: names of their directories and files, each computed from a number.

Directories are numbered from 0 in level order, files in the order of the directories that hold them. A directory belongs
to the worker ``own`` of ``shares`` when its number modulo ``shares`` is ``own``, and so do the files in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "file_"
_END = ".dat"


class Form(NamedTuple):
    """What a tree looks like: ``width`` directories in each, ``depth`` levels of them, files in the last or in all.

    ``mask`` names a directory: ``%d`` stands in it twice, for level and place, both from 1.
    """

    width: int
    depth: int
    files_per_dir: int
    everywhere: bool
    mask: str

    @property
    def directories(self) -> int:
        """How many directories there are: the sum of width^level."""
        return self.first_of_level(self.depth + 1)

    @property
    def first(self) -> int:
        """The first directory that has files."""
        return 0 if self.everywhere else self.first_of_level(self.depth)

    @property
    def files(self) -> int:
        """How many files there are."""
        return (self.directories - self.first) * self.files_per_dir

    def first_of_level(self, level: int) -> int:
        """Return the first directory of a level; levels are counted from 1."""
        if self.width == 1:
            return level - 1
        return int((self.width**level - self.width) // (self.width - 1))

    def below(self, directory: int) -> Iterator[range]:
        """Yield a directory, and for each level below it those that are in it."""
        first = last = directory
        while first < self.directories:
            yield range(first, last + 1)
            first, last = self._child(first), self._child(last) + self.width - 1

    def _child(self, directory: int) -> int:
        # Each has so many children, and the first level has no parent.
        return (directory + 1) * self.width

    def parent(self, directory: int) -> int:
        """Return the directory that holds another, -1 for those of the first level."""
        return directory // self.width - 1


class Tree:
    """Implements `naming.Names` for the files of a tree below ``folder``, which has a slash at the end or is empty."""

    deep = True

    def __init__(self, folder: str, form: Form, encode: Callable[[str], str] = str) -> None:
        self.folder = folder
        self.form = form
        self.total = form.files
        self.directories = form.directories
        self.first = form.first
        self._width = form.width
        self._files = form.files_per_dir
        self._begin, self._between, self._end = (encode(part) for part in form.mask.split("%d"))
        self._levels = [form.first_of_level(level) for level in range(1, form.depth + 1)]

    def directory(self, number: int) -> str:
        """Return the path of a directory, with a slash at the end."""
        path, width = "", self._width
        level = len(self._levels)
        while level and self._levels[level - 1] > number:
            level -= 1
        begin, between, end = self._begin, self._between, self._end
        while number >= 0:
            path = f"{begin}{level}{between}{number % width + 1}{end}/{path}"
            number = number // width - 1
            level -= 1
        return self.folder + path

    def directory_of(self, number: int) -> int:
        """Return the directory that holds a file."""
        return self.first + number // self._files

    def name(self, number: int) -> str:
        """See `naming.Names.name`."""
        return f"{self.directory(self.first + number // self._files)}{_FILE}{number:08d}{_END}"

    def number(self, name: str) -> int:
        """See `naming.Names.number`."""
        last = name[name.rfind("/") + 1 :]
        digits = last[len(_FILE) : -len(_END)]
        if not (digits.isascii() and digits.isdecimal()):
            return -1
        number = int(digits)
        return number if number < self.total and self.name(number) == name else -1

    def places(self) -> Iterator[str]:
        """See `naming.Names.places`."""
        yield self.folder

    def share(self, own: int, shares: int) -> OwnFiles:
        """See `naming.Names.share`."""
        return OwnFiles(self, self.own_directories(own, shares))

    def own_directories(self, own: int, shares: int) -> range:
        """Return those directories with files that belong to a worker; none at all where ``shares`` is 0."""
        if not shares:
            return range(0)
        return range(self.first + (own - self.first) % shares, self.directories, shares)


class OwnFiles:
    """The numbers of the files in some directories, in their order."""

    def __init__(self, tree: Tree, directories: range) -> None:
        self._directories = directories
        self._first = tree.first
        self._files = tree.form.files_per_dir

    def __len__(self) -> int:
        return len(self._directories) * self._files

    def __contains__(self, number: int) -> bool:
        return self._first + number // self._files in self._directories

    def __getitem__(self, position: int) -> int:
        place, file = divmod(position, self._files)
        return (self._directories[place] - self._first) * self._files + file

    def index(self, number: int) -> int:
        """Return the position of a number."""
        place, file = divmod(number, self._files)
        return self._directories.index(self._first + place) * self._files + file


def read_form(wire: dict[str, Any]) -> Form:
    """Return the form of a plan's tree."""
    return Form(**wire)
