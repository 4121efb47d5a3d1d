"""How large objects are moved is planned for object stores, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.model import RangesPlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_RANGES = """
    target: {target}
    workload:
      - {{op: get, path: "a/*", weight: 1, range: {{size: 1MiB}}}}
      - {{op: get, path: "b/*", weight: 1, range: {{size: 5, parallel: 7}}}}
      - {{op: get, path: "c/*", weight: 1}}
      - {{op: stat, path: "c/*", weight: 1}}
"""


@pytest.mark.parametrize(
    ("target", "ranges"),
    [
        ("s3://h:1/bucket/", [RangesPlan(1 << 20, 4), RangesPlan(5, 7), None, None]),
        ("file:///d/", [None] * 4),
        ("direct:///d/", [None] * 4),
    ],
)
def test_gets_are_divided_as_their_entries_say(
    plan_of: Callable[..., RunPlan], target: str, ranges: list[RangesPlan | None]
) -> None:
    stage = plan_of(_RANGES.format(target=target)).workers[0].stages[0]
    assert [operation.ranges for operation in stage.operations] == ranges
    assert [operation.to_wire()["ranges"] for operation in stage.operations] == [
        planned and planned.to_wire() for planned in ranges
    ]
