"""Which stages of a run come before its load, which make it, and which come after."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.plan.work import StagePlan


class Parts(NamedTuple):
    """Numbers of stages, counted from 0: before the first workload, from there to the last one, and after it."""

    before: tuple[int, ...]
    during: tuple[int, ...]
    after: tuple[int, ...]


def split(stages: Sequence[StagePlan]) -> Parts:
    """Return the parts of a run; without any workload, cleanup and what follows it come after."""
    numbers = range(len(stages))
    loads = [number for number in numbers if stages[number].kind == "workload"]
    if loads:
        first, end = loads[0], loads[-1] + 1
    else:
        first = end = next((number for number in numbers if stages[number].kind == "cleanup"), len(stages))
    return Parts(tuple(numbers[:first]), tuple(numbers[first:end]), tuple(numbers[end:]))
