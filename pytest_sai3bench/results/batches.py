"""The measured time of a workload in a few batches, however long it is: what is known about how it varies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.results.model import total_by_key
from pytest_sai3bench.results.windows import Window, join

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 32
"""Batches of a run; when there are more, neighbours are joined."""


class Batches:
    """Takes pieces of the measured time in; all batches but the last have the same number of them."""

    def __init__(self) -> None:
        self._complete: list[Window] = []
        self._open: list[Window] = []
        self._pieces = 1
        self._taken = 0

    def add(self, piece: Window) -> None:
        """Take in the next piece; one without length is a part of the tail."""
        piece = replace(
            piece, series=total_by_key((replace(key, bucket=0), tally) for key, tally in piece.series.items())
        )
        if not piece.window_s:
            # It belongs to the time before it.
            target = self._open or self._complete
            if target:
                target[-1] = join([target[-1], piece])
            return
        self._open = [join([*self._open, piece])]
        self._taken += 1
        if self._taken < self._pieces:
            return
        self._complete.append(self._open.pop())
        self._taken = 0
        if len(self._complete) == MOST:
            self._complete = list(self._halved())
            self._pieces *= 2

    @property
    def windows(self) -> tuple[Window, ...]:
        """The batches so far. A rest that is shorter than the others belongs to the last."""
        if self._open and self._complete:
            return (*self._complete[:-1], join([self._complete[-1], *self._open]))
        return (*self._complete, *self._open)

    def _halved(self) -> Iterator[Window]:
        for number in range(0, MOST, 2):
            yield join(self._complete[number : number + 2])
