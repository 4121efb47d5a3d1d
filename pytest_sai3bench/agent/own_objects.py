"""The objects a run makes itself: prepare's missing ones, and what cleanup removes. And bounds to how much is done.

Sources of tasks like that of the workload in `sources`.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Callable

from .messages import DELETE, PUT
from .tasks import everywhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .engine import Source
    from .entries import Created
    from .large import Multipart
    from .naming import Share
    from .prepared_objects import Numbered
    from .tasks import Homes, Task


class Absent:
    """The numbers of a share of objects that do not exist: all of them, until one is found.

    What is found takes a bit for each object of the share, what is not takes nothing.
    """

    def __init__(self, share: Share) -> None:
        self._share = share
        self._present: bytearray | None = None

    def __len__(self) -> int:
        return len(self._share)

    def __iter__(self) -> Iterator[int]:
        return (number for number in map(self.at, range(len(self._share))) if number >= 0)

    @property
    def count(self) -> int:
        """How many there are."""
        present = 0 if self._present is None else bin(int.from_bytes(self._present, "little")).count("1")
        return len(self._share) - present

    def find(self, number: int) -> None:
        """Take out an object that exists; one of another share is none of ours."""
        if number not in self._share:
            return
        if self._present is None:
            self._present = bytearray(len(self._share) // 8 + 1)
        position = self._share.index(number)
        self._present[position >> 3] |= 1 << (position & 7)

    def found_at(self, position: int) -> int:
        """Return the number at a position of the share, -1 when that object does not exist."""
        return self._share[position] if self.at(position) < 0 else -1

    def at(self, position: int) -> int:
        """Return the number at a position of the share, -1 when that object exists."""
        if self._present is not None and self._present[position >> 3] >> (position & 7) & 1:
            return -1
        return self._share[position]


class Existing:
    """The objects of a set that are there, although this run did not make them; to be removed as those of `Missing`."""

    def __init__(self, numbered: Numbered, absent: Absent, homes: Homes) -> None:
        self.name = numbered.names.name
        self.homes = homes
        self.number_at = absent.found_at
        self._length = len(absent)

    def issued(self) -> int:
        """Return how many positions there are."""
        return self._length


class Missing:
    """PUTs of the objects that prepare found missing, each where ``homes`` says."""

    def __init__(self, numbered: Numbered, absent: Absent, homes: Homes = everywhere) -> None:
        self.name = numbered.names.name
        self.homes = homes
        self.number_at = absent.at
        self._numbered = numbered
        self._length = len(absent)
        self._next = count().__next__
        self.passed = 0

    def take(self) -> Task | None:
        """Return the next PUT, or None at the end."""
        while (position := self._next()) < self._length:
            number = self.number_at(position)
            if number >= 0:
                return self._put(number)
        return None

    def _put(self, number: int) -> Task:
        numbered, name = self._numbered, self.name(number)
        return (PUT | numbered.how, name, numbered.size(name), numbered.shape, self.homes(number))

    def issued(self) -> int:
        """Return how many positions were passed, whose objects may have been made; call it when no more are taken."""
        self.passed = min(self._next(), self._length)
        return self.passed


class Removals:
    """DELETEs of everything this worker made: what was ``missing`` before prepare, and ``created`` by the workload."""

    def __init__(self, missing: Sequence[Missing | Existing], created: Sequence[Created]) -> None:
        # How many positions, and for each its name and place: None where there is nothing to remove.
        self._parts: list[tuple[int, Callable[[int], tuple[str, int] | None]]] = []
        earlier: dict[tuple[str, int], list[Missing]] = {}
        for objects in missing:
            issued = objects.issued()
            if not issued:
                # A tree may have no files, and then no names of them.
                continue
            # Several prepares make the same objects again.
            same = earlier.setdefault((objects.name(0), objects.homes(0)), [])
            self._parts.append((issued, _missing_part(objects, tuple(same))))
            if isinstance(objects, Missing):
                same.append(objects)
        for part in created:
            issued = part.issued()
            self._parts += [(issued, _created_part(part, homes)) for homes in part.places]
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next DELETE, or None at the end."""
        while True:
            position = self._next()
            for length, at in self._parts:
                if position < length:
                    found = at(position)
                    break
                position -= length
            else:
                return None
            if found is not None:
                name, place = found
                return (DELETE, name, 0, None, place)


def _missing_part(
    objects: Missing | Existing, earlier: Sequence[Missing]
) -> Callable[[int], tuple[str, int] | None]:
    def at(position: int) -> tuple[str, int] | None:
        number = objects.number_at(position)
        if number < 0 or any(position < other.passed and other.number_at(position) >= 0 for other in earlier):
            return None
        return (objects.name(number), objects.homes(number))

    return at


def _created_part(part: Created, homes: Homes) -> Callable[[int], tuple[str, int] | None]:
    return lambda position: (part.name(position), homes(position))


class Chain:
    """One source after another; with ``multipart`` large objects are written in parts."""

    def __init__(self, parts: Sequence[Source], multipart: Multipart | None = None) -> None:
        self._parts = tuple(parts)
        self._multipart = multipart

    def take(self) -> Task | None:
        """Return the next task of the first part that has one left."""
        for part in self._parts:
            task = part.take()
            if task is not None:
                return self._multipart.divide(task) if self._multipart else task
        return None


class Turns:
    """A task of each source in its turn, so that all have been taken from evenly at any moment."""

    def __init__(self, parts: Sequence[Chain | Turns]) -> None:
        self._parts = tuple(parts)
        self._next = count().__next__
        self._taken = count().__next__

    def take(self) -> Task | None:
        """Return the next task; once a source is empty the next one stands in."""
        start = self._next()
        for step in range(len(self._parts)):
            task = self._parts[(start + step) % len(self._parts)].take()
            if task is not None:
                self._taken()
                return task
        return None

    def issued(self) -> int:
        """Return how many tasks were taken; call it once, when no more are."""
        return self._taken()


def arrange(copies: Sequence[Sequence[Missing]], multipart: Multipart | None, *, interleaved: bool) -> Turns:
    """Return all sets of each copy in turns: of one copy set after set, or an object of each if ``interleaved``."""
    if interleaved:
        return Turns([Turns([Chain([each], multipart) for each in sets]) for sets in copies])
    return Turns([Chain(sets, multipart) for sets in copies])


class AtMost:
    """The first ``most`` tasks of a source."""

    def __init__(self, source: Source, most: int) -> None:
        self._source = source
        self._most = most
        self._next = count().__next__

    @property
    def notes(self) -> Sequence[str]:
        """What the source has to say."""
        notes: Sequence[str] = getattr(self._source, "notes", ())
        return notes

    def take(self) -> Task | None:
        """Return the next task, None after the last."""
        return self._source.take() if self._next() < self._most else None
