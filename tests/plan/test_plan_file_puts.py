"""How files are put is planned for files, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    target: {target}
    prepare: {{fsync: true, ensure_objects: [{{count: 1}}]}}
    workload:
      - {{op: put, weight: 1, object_size: 1, fsync: true, atomic: true}}
      - {{op: put, weight: 1, object_size: 1, atomic: true}}
      - {{op: put, weight: 1, object_size: 1}}
      - {{op: get, path: "", weight: 1}}
"""


@pytest.mark.parametrize(
    ("target", "prepare", "workload"),
    [
        ("file:///d/", (True, False), [(True, True), (False, True), (False, False), (False, False)]),
        ("direct:///d/", (True, False), [(True, True), (False, True), (False, False), (False, False)]),
        ("s3://h:1/bucket/", (False, False), [(False, False)] * 4),
    ],
)
def test_puts_of_files_are_made_as_the_suite_says(
    plan_of: Callable[..., RunPlan],
    target: str,
    prepare: tuple[bool, bool],
    workload: list[tuple[bool, bool]],
) -> None:
    first, second = plan_of(_SUITE.format(target=target)).workers[0].to_wire()["stages"]
    assert (first["fsync"], first["atomic"]) == prepare
    assert [(each["fsync"], each["atomic"]) for each in second["operations"]] == workload
