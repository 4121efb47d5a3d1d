"""What the ticks of a worker add up to, taken in one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.results.sums import Reporter, Sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sai3bench.agent.messages import ErrorWire, TickWire


class Ticks:
    """The ticks of one worker in one phase; none of them is kept.

    ``errors`` has the failures of all, as messages have them: one for each kind, with the text of the first.
    """

    def __init__(self, reporter: Reporter, ticks: Iterable[TickWire] = ()) -> None:
        self.sums = Sums()
        self.count = 0
        self._reporter = reporter
        self._errors: dict[tuple[str, str, int, str], ErrorWire] = {}
        # First and last number of a tick with anything of a section in it.
        self._spans: dict[str, tuple[int, int]] = {}
        for tick in ticks:
            self.add(tick)

    def add(self, tick: TickWire) -> None:
        """Take a tick in."""
        self.count += 1
        self.sums.add(self._reporter, tick["sections"], tick["errors"])
        for section in tick["sections"]:
            first, last = self._spans.get(section, (tick["tick"], tick["tick"]))
            self._spans[section] = (min(first, tick["tick"]), max(last, tick["tick"]))
        for error in tick["errors"]:
            key = (error["section"], error["op"], error["endpoint"], error["kind"])
            known = self._errors.get(key)
            if known is None:
                self._errors[key] = {**error}
            else:
                known["count"] += error["count"]

    @property
    def errors(self) -> list[ErrorWire]:
        """The failures of all ticks."""
        return list(self._errors.values())

    def span(self, sections: Iterable[str]) -> int:
        """Return how many ticks lie between the first and the last in which something of ``sections`` completed."""
        spans = [self._spans[section] for section in sections if section in self._spans]
        return max(last for _, last in spans) - min(first for first, _ in spans) + 1 if spans else 0
