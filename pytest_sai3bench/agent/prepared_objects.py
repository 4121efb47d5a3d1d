"""The objects of prepare, whose names, sizes and data follow from their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, NamedTuple

from .naming import UNSHARDED, NumberedNames

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .naming import Names, Shards
    from .payload import Shape


class Numbered(NamedTuple):
    """The objects of one set of prepare: their names, size in bytes by name, shape of the data, and ``how``."""

    names: Names
    size: Callable[[str], int]
    shape: Shape
    how: int = 0


class Known:
    """The objects of prepare, to be found by name, and how names of the run are sharded."""

    def __init__(self, sets: Iterable[Numbered] = (), shards: Shards = UNSHARDED) -> None:
        self.shards = shards
        self._parse = shards.parse
        self._by_stem: dict[str, Numbered] = {}
        self._others: list[Numbered] = []
        for objects in sets:
            if isinstance(objects.names, NumberedNames):
                self._by_stem[objects.names.stem] = objects
            else:
                self._others.append(objects)

    @property
    def totals(self) -> dict[str, int]:
        """The number of objects for each stem."""
        return {stem: objects.names.total for stem, objects in self._by_stem.items()}

    def find(self, key: str) -> Numbered | None:
        """Return the set to which an object belongs, None for one that is not of prepare."""
        parsed = self._parse(key)
        objects = self._by_stem.get(parsed[0]) if parsed else None
        if objects and parsed and parsed[1] < objects.names.total:
            return objects
        return next((other for other in self._others if other.names.number(key) >= 0), None)
