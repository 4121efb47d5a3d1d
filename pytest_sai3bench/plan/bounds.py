"""How many operations of a workload are under way in a worker: of each entry, of several together, and in all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_sai3bench.plan.cores import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.plan.work import OperationPlan


class Bounds(NamedTuple):
    """The operations with their bounds; ``lanes`` and ``together`` as in `pytest_sai3bench.plan.work.StagePlan`."""

    operations: tuple[OperationPlan, ...]
    lanes: int
    together: int


def divide_bounds(
    operations: Sequence[OperationPlan], concurrency: int, *, process: int, processes: int
) -> Bounds:
    """Return what the bounds of an agent come to in one of its processes.

    The ``most`` of each operation is that of the agent. One that is above its ``concurrency`` has lanes of its own, apart
    from the others, which share those of the agent. Bounds that cannot be reached, as there are no more lanes, are left
    out: nothing has to watch them.
    """
    share = spread(concurrency, processes)[process]
    divided = [
        replace(
            operation,
            most=operation.most and spread(operation.most, processes)[process],
            apart=operation.most > concurrency,
        )
        for operation in operations
    ]
    active = [operation for operation in divided if operation.weight]
    others = [operation for operation in active if not operation.apart]
    together = min(share, sum(operation.most or share for operation in others))
    lanes = together + sum(operation.most for operation in active if operation.apart)
    return Bounds(
        tuple(
            replace(operation, most=operation.most if operation.most < lanes else 0) for operation in divided
        ),
        lanes if lanes != share else 0,
        together if 0 < together < lanes else 0,
    )
