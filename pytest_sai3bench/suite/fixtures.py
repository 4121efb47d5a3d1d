"""Values of pytest's fixtures in a suite: known only when it runs, so not wherever tests are named or selected by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.places import Finding, dotted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_sai3bench.errors import Location
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place

# What tests are called, how many there are, and which of them are to run.
_KNOWN_AT_COLLECTION = ("fixtures", "markers", "matrix", "name", "skip", "thresholds", "xfail")


def misplaced(waiting: Mapping[Place, tuple[str, ...]], fixtures: Collection[str]) -> Iterator[Finding]:
    """Yield what is wrong with the places that wait for values of fixtures; ``fixtures`` are those of the suite."""
    for place, names in waiting.items():
        if place[0] in _KNOWN_AT_COLLECTION:
            message = f"the value of a fixture is not known when tests are collected: expected '{place[0]}' written out"
            yield Finding(place, message)
            continue
        for name in dict.fromkeys(name.split(".")[1] for name in names):
            if name not in fixtures:
                yield Finding(place, f"'{name}' is no fixture of this suite: expected it in 'fixtures'")


def describe_waiting(loaded: LoadedSuite) -> list[tuple[Location, str]]:
    """Return each place that waits: where it is written, and for which fixtures."""
    return [
        (loaded.where(place), f"{dotted(place)} waits for {' and '.join(dict.fromkeys(names))}")
        for place, names in loaded.waiting.items()
    ]
