"""Places inside a document, and the lines of the file where they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_sai3bench.errors import Location, Problem, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

Place = tuple[str | int, ...]
"""The keys and list indices that lead to a value: ``("workload", 1, "weight")``."""

SPELLINGS = {
    "warmup": ("warmup", "warmup_period"),
    "size_spec": ("size_spec", "size_distribution"),
    "interval": ("interval", "interval_seconds"),
}
"""The keys under which a field may be written, where they are more than its name."""


class Finding(NamedTuple):
    """Something to say about a place; what is ``tolerated`` is a warning, or an error in strict mode."""

    place: Place
    message: str
    severity: Literal["error", "warning", "tolerated"] = "error"


@dataclass(frozen=True)
class Marks:
    """Line and column, both from 1, of every place of one file."""

    file: str
    positions: Mapping[Place, tuple[int, int]]

    def where(self, place: Place) -> Location:
        """Return where a place is written, or else the nearest place around it that is."""
        place = self.written(place)
        while place and place not in self.positions:
            place = place[:-1]
        return Location(self.file, *self.positions.get(place, (1, 1)))

    def written(self, place: Place) -> Place:
        """Return a place with its last key as the file spells it."""
        spellings = SPELLINGS.get(str(place[-1]), ()) if place else ()
        return next((other for key in spellings if (other := (*place[:-1], key)) in self.positions), place)

    def locate(self, finding: Finding, *, strict: bool) -> Problem:
        """Return a finding as a problem of the file."""
        tolerated: Severity = "error" if strict else "warning"
        severity = tolerated if finding.severity == "tolerated" else finding.severity
        return Problem(
            self.where(finding.place), dotted(self.written(finding.place)), finding.message, severity
        )


def dotted(place: Place) -> str:
    """Return a place as text: ``workload[1].weight``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")
