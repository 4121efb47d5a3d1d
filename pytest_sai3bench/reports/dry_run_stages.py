"""The stages of a suite as a dry run shows them: what each has of its own, around what it does."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_sai3bench.units import format_count, format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.plan.work import StagePlan


def frame(position: int, stages: Sequence[StagePlan], body: Sequence[str]) -> list[str]:
    """Return the lines on one stage from the plans that all workers have for it; ``body`` says what it does.

    Without a name it is no stage of the suite, and the body is all.
    """
    first = stages[0]
    if not first.name:
        return list(body)
    return [
        f"stage {position} {first.name}, {first.where}{', '.join(['', *_rules(first)])}",
        *(f"  {line}" for line in body or _idle(first)),
        *(f"  {line}" for line in _bounds(stages)),
    ]


def _idle(stage: StagePlan) -> Iterator[str]:
    if stage.kind == "validation":
        yield "validation: every agent checks its endpoints"
    else:
        yield f"custom: every agent runs {shlex.join(stage.command)}"


def _rules(stage: StagePlan) -> Iterator[str]:
    if stage.barrier != "all_or_nothing":
        yield f"barrier {stage.barrier}"
    if stage.timeout_s:
        yield f"at most {format_seconds(stage.timeout_s)}"
    if stage.optional:
        yield "optional"


def _bounds(stages: Sequence[StagePlan]) -> Iterator[str]:
    if stages[0].most_ops is not None:
        yield f"ends after {format_count(sum(stage.most_ops or 0 for stage in stages))} operations"
