"""New objects of the workload for its readers: a PUT that has succeeded adds its object to those that reads choose among.

Objects are kept as numbers, and of these only where they begin and end and which ones between are missing: so memory does
not grow with what is written. Everything but `choose` is called by one thread at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from .gates import Guarded

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from .gates import Gate
    from .tasks import Homes, Task

# So many numbers may be ahead of one that is still under way, and so many may be missing.
_MOST_AHEAD = 4096
_MOST_MISSING = 65536
# A pattern that matches fewer of the new objects is as good as one that matches none.
_TRIES = 1000


class View:
    """The objects of one feed that a reader may choose: those that its pattern matches; ``count`` are there now."""

    def __init__(self, feed: Feed, matches: Callable[[str], bool]) -> None:
        self.count = 0
        self.feed = feed
        self._matches = matches
        # As long as it is so, a name need not be looked at again.
        self._all = True

    def note(self, number: int) -> None:
        """Note that an object is there."""
        if self._matches(self.feed.name(number)):
            self.count += 1
        else:
            self._all = False

    def choose(self, rng: Random) -> tuple[str, int] | None:
        """Return name and place of one of the objects, all with the same chance; None when none was found."""
        feed = self.feed
        for _ in range(_TRIES):
            # Another thread may be moving the borders: whatever was there once is there still.
            first = feed.first
            number = first + int(rng.random() * (feed.end - first))
            if number in feed.missing:
                continue
            name = feed.name(number)
            if self._all or self._matches(name):
                return name, feed.home(number)
        return None


class Feed:
    """The objects of one entry of PUTs that are there: numbers from ``first`` to before ``end``, but for the ``missing``.

    ``name`` and ``home`` say what an object is called, and on which endpoint it is.
    """

    def __init__(self, name: Callable[[int], str], home: Homes) -> None:
        self.name = name
        self.home = home
        self.first = 0
        self.end = 0
        self.missing: set[int] = set()
        self.views: list[View] = []
        self._ahead: dict[int, bool] = {}

    def put(self, number: int, *, succeeded: bool) -> None:
        """Note how a PUT has ended."""
        if number >= self.end:
            self._ahead[number] = succeeded
            self._move_on()
        elif succeeded and number in self.missing:
            # It was left behind, but has succeeded after all.
            self.missing.discard(number)
            self._note(number)

    def _move_on(self) -> None:
        while self._ahead:
            succeeded = self._ahead.pop(self.end, None)
            if succeeded is None and len(self._ahead) <= _MOST_AHEAD:
                return
            # In this order, since others may be choosing.
            if not succeeded:
                self.missing.add(self.end)
            self.end += 1
            if succeeded:
                self._note(self.end - 1)
            if len(self.missing) > _MOST_MISSING:
                self._forget()

    def _forget(self) -> None:
        """Begin anew: what is there so far is not chosen any more."""
        self.first = self.end
        self.missing = set()
        for view in self.views:
            view.count = 0

    def _note(self, number: int) -> None:
        for view in self.views:
            view.note(number)


class FedTask(Guarded):
    """A PUT that tells its feed how it has ended."""

    feed: Feed
    number: int

    def leave(self, *, succeeded: bool) -> None:
        """See `Guarded.leave`."""
        super().leave(succeeded=succeeded)
        self.feed.put(self.number, succeeded=succeeded)


def feeding(feed: Feed, number: int, task: Task, gates: tuple[Gate, ...]) -> FedTask:
    """Return a PUT that feeds, with the gates of its entry."""
    fed = FedTask(task, gates)
    fed.feed = feed
    fed.number = number
    return fed


def choose(views: Sequence[View], others: int, rng: Random) -> tuple[str, int] | None:
    """Return name and place of a new object, or None for one of so many ``others``: any object with the same chance."""
    counts = [view.count for view in views]
    at = int(rng.random() * (others + sum(counts))) - others
    if at >= 0:
        for view, number in zip(views, counts):
            if at < number:
                return view.choose(rng)
            at -= number
    return None
