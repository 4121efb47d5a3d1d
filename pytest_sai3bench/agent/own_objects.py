"""The objects a run makes itself: prepare's missing ones, and what cleanup removes.

Sources of tasks like those in `sources`.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Callable

from .messages import DELETE, PUT
from .pools import numbered_name
from .sources import everywhere, scattered_name

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from .large import Multipart
    from .sources import Created, Homes, Numbered, Task


class Missing:
    """PUTs of the numbered objects that prepare found missing, each where ``homes`` says."""

    def __init__(self, numbered: Numbered, numbers: array[int], homes: Homes = everywhere) -> None:
        self.stem = numbered.stem
        self.homes = homes
        self._numbered = numbered
        self._numbers = numbers
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next PUT, or None at the end."""
        position = self._next()
        if position >= len(self._numbers):
            return None
        number, numbered = self._numbers[position], self._numbered
        name = numbered_name(self.stem, number)
        return (PUT | numbered.how, name, numbered.size(name), numbered.shape, self.homes(number))

    def issued(self) -> array[int]:
        """Return the numbers of the objects that may have been made; call it once, when no more are taken."""
        return self._numbers[: self._next()]


class Removals:
    """DELETEs of everything this worker made: what was ``missing`` before prepare, and ``created`` by the workload."""

    def __init__(self, missing: Sequence[Missing], created: Sequence[Created]) -> None:
        # How many objects, and for the position of each its name and place.
        self._parts: list[tuple[int, Callable[[int], tuple[str, int]]]] = []
        for objects in missing:
            numbers = objects.issued()
            self._parts.append((len(numbers), _numbered_part(objects, numbers)))
        for part in created:
            issued = part.issued()
            self._parts += [(issued, _created_part(part, homes)) for homes in part.places]
        self.total = sum(length for length, _ in self._parts)
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next DELETE, or None at the end."""
        position = self._next()
        for length, at in self._parts:
            if position < length:
                name, place = at(position)
                return (DELETE, name, 0, None, place)
            position -= length
        return None


def _numbered_part(objects: Missing, numbers: array[int]) -> Callable[[int], tuple[str, int]]:
    return lambda position: (
        numbered_name(objects.stem, numbers[position]),
        objects.homes(numbers[position]),
    )


def _created_part(part: Created, homes: Homes) -> Callable[[int], tuple[str, int]]:
    return lambda position: (scattered_name(part.folder, part.base, position), homes(position))


class Chain:
    """One source after another; with ``multipart`` large objects are written in parts."""

    def __init__(self, parts: Sequence[Missing], multipart: Multipart | None = None) -> None:
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

    def __init__(self, parts: Sequence[Chain]) -> None:
        self._parts = tuple(parts)
        self._next = count().__next__

    def take(self) -> Task | None:
        """Return the next task; once a source is empty the next one stands in."""
        start = self._next()
        for step in range(len(self._parts)):
            task = self._parts[(start + step) % len(self._parts)].take()
            if task is not None:
                return task
        return None
