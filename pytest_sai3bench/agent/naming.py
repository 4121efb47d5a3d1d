"""Names of objects that follow from a number, so that none has to be kept.

Those of prepare are ``<stem>00000000.dat`` and so on, those of puts ``obj_`` and a number that looks random. With
``key_prefix_shards`` each is in a folder of its shard: the number modulo the number of shards, in hexadecimal digits.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Callable, Protocol

from .pools import NamePool, numbered_name, parse_numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PUT = "obj_"
_MASK = (1 << 64) - 1
# Odd, so that multiplication modulo 2^64 maps counters to distinct numbers; this one (2^64 over the golden ratio)
# also scatters neighbours.
_SCATTER = 0x9E3779B97F4A7C15


class Share(Protocol):
    """The numbers of objects for which one worker cares, like a range of them."""

    def __len__(self) -> int: ...

    def __contains__(self, number: int, /) -> bool: ...

    def __getitem__(self, position: int, /) -> int: ...

    def index(self, number: int, /) -> int:
        """Return the position of a number."""


class Names(Protocol):
    """The names of ``total`` objects, which are numbered from 0.

    They lie in some folders, or, where they are ``deep``, anywhere below these.
    """

    total: int
    deep: bool

    @property
    def name(self) -> Callable[[int], str]:
        """What returns the name of an object."""

    def number(self, name: str) -> int:
        """Return the number of an object, -1 when the name is none of these."""

    def places(self) -> Iterator[str]:
        """Yield the folders in which they are."""

    def share(self, own: int, shares: int) -> Share:
        """Return the numbers of those that belong to one of so many workers."""


class NumberedNames:
    """Implements `Names` for a set of prepare; ``stem`` is folder and kind, as in ``data/prepared-``."""

    deep = False

    def __init__(self, stem: str, total: int, shards: int = 0) -> None:
        self.stem = stem
        self.total = total
        self.name: Callable[[int], str] = (
            partial(sharded_name, shards, stem) if shards else partial(numbered_name, stem)
        )
        self._shards = shards
        self._parse = partial(parse_sharded, shards) if shards else parse_numbered

    def number(self, name: str) -> int:
        """See `Names.number`."""
        parsed = self._parse(name)
        return parsed[1] if parsed and parsed[0] == self.stem and parsed[1] < self.total else -1

    def places(self) -> Iterator[str]:
        """See `Names.places`."""
        folder = self.stem[: self.stem.rfind("/") + 1]
        if not self._shards:
            yield folder
        for shard in range(min(self._shards, self.total)):
            yield folder + _folder_of(shard)

    def share(self, own: int, shares: int) -> range:
        """See `Names.share`: every n-th."""
        return range(own, self.total, shares)


class Shards:
    """How the names of a run are sharded: in so many folders, or not at all when ``count`` is 0."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.parse: Callable[[str], tuple[str, int] | None] = (
            partial(parse_sharded, count) if count else parse_numbered
        )
        self.put_name: Callable[[str, int, int], str] = (
            partial(_sharded_put_name, count) if count else scattered_name
        )

    def pool(self, names: Iterable[str]) -> NamePool:
        """Return a pool of names."""
        return _ShardedPool(names, self) if self.count else NamePool(names)

    def places_in(self, folder: str) -> Iterator[str]:
        """Yield the folders in which objects are that patterns and puts know as those of ``folder``."""
        yield folder
        for shard in range(self.count):
            yield folder + _folder_of(shard)

    def without(self, name: str) -> str:
        """Return a name without the folder of its shard, as patterns mean it; any other name as it is."""
        folder, slash, last = name.rpartition("/")
        outer, between, shard = folder.rpartition("/")
        return outer + between + last if slash and self._is_one(shard) else name

    def within(self, name: str) -> str:
        """Return a name with the folder of its shard; one without a number as it is."""
        folder, slash, last = name.rpartition("/")
        digits = last[len(_PUT) :]
        if last.startswith(_PUT) and digits.isdecimal():
            number = int(digits)
        else:
            parsed = parse_numbered(name)
            if parsed is None:
                return name
            number = parsed[1]
        return f"{folder}{slash}{_folder_of(number % self.count)}{last}"

    def _is_one(self, folder: str) -> bool:
        try:
            shard = int(folder, 16)
        except ValueError:
            return False
        return 0 <= shard < self.count and _folder_of(shard) == f"{folder}/"


class _ShardedPool(NamePool):
    def __init__(self, names: Iterable[str], shards: Shards) -> None:
        self._parse = shards.parse
        self._named = partial(sharded_name, shards.count)
        super().__init__(names)

    def __getitem__(self, position: int) -> str:
        stem, number = self._find(position)
        return stem if number < 0 else self._named(stem, number)


def scattered_name(folder: str, base: int, number: int) -> str:
    """Name of the PUT ``number``; ``base`` is a random 64-bit number of the worker and run."""
    return f"{folder}{_PUT}{(base + number * _SCATTER) & _MASK}"


def _sharded_put_name(shards: int, folder: str, base: int, number: int) -> str:
    scattered = (base + number * _SCATTER) & _MASK
    return f"{folder}{_folder_of(scattered % shards)}{_PUT}{scattered}"


def sharded_name(shards: int, stem: str, number: int) -> str:
    """Return the name that prepare gives to an object in one of so many shards, see `numbered_name`."""
    cut = stem.rfind("/") + 1
    return f"{stem[:cut]}{number % shards:02x}/{stem[cut:]}{number:08d}.dat"


def parse_sharded(shards: int, name: str) -> tuple[str, int] | None:
    """Return stem and number when ``name`` is one that `sharded_name` makes, else None."""
    parsed = parse_numbered(name)
    if parsed is None:
        return None
    stem, number = parsed
    folder, _, kind = stem.rpartition("/")
    outer, slash, shard = folder.rpartition("/")
    return (f"{outer}{slash}{kind}", number) if f"{shard}/" == _folder_of(number % shards) else None


def _folder_of(shard: int) -> str:
    return f"{shard:02x}/"


UNSHARDED = Shards(0)
