"""Names of existing objects, in little memory: those of prepare as numbers, all others as text."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Callable
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_NUMBERED = re.compile(r"(.*?(?:prepared|deletable)-)(\d{8,10})\.dat", re.DOTALL)
_MOST = 1 << 32


def numbered_name(stem: str, number: int) -> str:
    """Name that prepare gives to object ``number``; ``stem`` is folder and kind, as in ``data/prepared-``."""
    return f"{stem}{number:08d}.dat"


def parse_numbered(name: str) -> tuple[str, int] | None:
    """Return stem and number when ``name`` is one that `numbered_name` makes, else None."""
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return None
    stem, number = match.group(1), int(match.group(2))
    return (stem, number) if number < _MOST and numbered_name(stem, number) == name else None


def spread_key(key: str, places: int) -> int:
    """Return one of so many ``places`` for a key: always the same one, and any with the same chance for different keys."""
    # CRC-32, since it is fast and the same everywhere. It leaves the names that prepare gives close together, until a
    # product with an odd number (2^32 over the golden ratio) has carried their differences into the upper bits.
    return ((crc32(key.encode()) * 0x9E3779B1 & 0xFFFFFFFF) * places) >> 32


class NamePool:
    """A fixed list of names with cheap access by position; four bytes for a name that follows prepare's naming."""

    # What other namings replace.
    _parse: Callable[[str], tuple[str, int] | None] = staticmethod(parse_numbered)
    _named: Callable[[str, int], str] = staticmethod(numbered_name)

    def __init__(self, names: Iterable[str]) -> None:
        numbers: dict[str, array[int]] = {}
        self._texts: list[str] = []
        for name in names:
            numbered = self._parse(name)
            if numbered is None:
                self._texts.append(name)
                continue
            stem, number = numbered
            if stem not in numbers:
                numbers[stem] = array("I")
            numbers[stem].append(number)
        self._texts.sort()
        self._numbers = sorted(numbers.items())
        # Position at which each stem ends; after the last one come the texts.
        self._ends = list(accumulate(len(values) for _, values in self._numbers))
        self._length = (self._ends[-1] if self._ends else 0) + len(self._texts)
        # The common case, all names from one prepare, needs no search.
        self._only = self._numbers[0] if len(self._numbers) == 1 and not self._texts else None

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: int) -> str:
        if self._only is not None:
            stem, values = self._only
            return f"{stem}{values[position]:08d}.dat"
        stem, number = self._find(position)
        return stem if number < 0 else f"{stem}{number:08d}.dat"

    def _find(self, position: int) -> tuple[str, int]:
        """Return stem and number of a name, or the name and -1."""
        place = bisect_right(self._ends, position)
        before = self._ends[place - 1] if place else 0
        if place == len(self._ends):
            return self._texts[position - before], -1
        stem, values = self._numbers[place]
        return stem, values[position - before]

    def strangers(self, known: Mapping[str, int]) -> Iterator[str]:
        """Yield the names that are not those of prepare's objects 0 … n-1; ``known`` gives n for each stem."""
        for stem, values in self._numbers:
            end = known.get(stem, 0)
            yield from (self._named(stem, number) for number in values if number >= end)
        yield from self._texts

    def share_in_order(self, worker: int, workers: int) -> array[int]:
        """Return the positions of every n-th name in the order of all names.

        For endpoints that have not all objects: their numbers may have gaps, which a division by number would not see.
        """
        order: list[int] = []
        start = 0
        for _, values in self._numbers:
            order += sorted(range(start, start + len(values)), key=lambda place: values[place - start])
            start += len(values)
        order += range(start, self._length)
        return array("I", order[worker::workers])

    def share(self, worker: int, workers: int) -> array[int]:
        """Return the positions of the names that one of several workers cares for.

        Hosts may list the same folder in different order: so objects of prepare are divided by their number, others by
        their place in the order of names.
        """
        mine = array("I")
        start = 0
        for _, values in self._numbers:
            mine.extend(start + place for place, number in enumerate(values) if number % workers == worker)
            start += len(values)
        mine.extend(range(start + worker, self._length, workers))
        return mine


class PlacedPool:
    """The names on several endpoints, each with the endpoint on which it is; a name may be on more than one.

    ``sharers`` says for each endpoint which of the workers that drive it this one is, and how many they are.
    """

    def __init__(self, pools: Sequence[NamePool], sharers: Sequence[Sequence[int]]) -> None:
        self._pools = pools
        self._sharers = sharers
        self._ends = list(accumulate(map(len, pools)))

    def __len__(self) -> int:
        return self._ends[-1]

    def at(self, position: int) -> tuple[str, int]:
        """Return a name, and the endpoint on which it is."""
        place = bisect_right(self._ends, position)
        before = self._ends[place - 1] if place else 0
        return self._pools[place][position - before], place

    def strangers(self, known: Mapping[str, int]) -> Iterator[str]:
        """See `NamePool.strangers`."""
        for pool in self._pools:
            yield from pool.strangers(known)

    def share(self, _worker: int, _workers: int) -> array[int]:
        """Return the positions of the names that this worker cares for: of each endpoint its share of those."""
        mine = array("I")
        for pool, end, (worker, workers) in zip(self._pools, self._ends, self._sharers):
            start = end - len(pool)
            mine.extend(start + position for position in pool.share_in_order(worker, workers))
        return mine
