"""How large objects are moved is planned for object stores, and for nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.work import MultipartPlan, RangesPlan

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


@pytest.mark.parametrize(
    ("engine", "planned"),
    [
        ("{enabled: true}", RangesPlan(64 << 20, 16, 16 << 20, 30.0)),
        ("{enabled: false, chunk_size: 1}", None),
        (
            "{enabled: true, chunk_size: 8388608, max_concurrent_ranges: 3, min_split_size: 9MiB, range_timeout_secs: 5}",
            RangesPlan(8 << 20, 3, 9 << 20, 5.0),
        ),
    ],
)
def test_the_range_engine_is_for_gets_without_ranges_of_their_own(
    plan_of: Callable[..., RunPlan], engine: str, planned: RangesPlan | None
) -> None:
    text = _RANGES.format(target="s3://h:1/bucket/") + f"    range_engine: {engine}\n"
    stage = plan_of(text).workers[0].stages[0]
    assert [operation.ranges for operation in stage.operations] == [
        RangesPlan(1 << 20, 4),
        RangesPlan(5, 7),
        planned,
        None,
    ]


@pytest.mark.parametrize(
    ("blocks", "planned"),
    [
        ("s3dlio_optimization: {enable_range_downloads: true}", RangesPlan(64 << 20, 16, 64 << 20, 30.0)),
        ("s3dlio_optimization: {range_threshold_mb: 4}", None),
        (
            (
                "s3dlio_optimization: {enable_range_downloads: true, range_threshold_mb: 32, range_concurrency: 8, "
                "chunk_size_mb: 4, gcs_project: x}"
            ),
            RangesPlan(4 << 20, 8, 32 << 20, 30.0),
        ),
        (
            "range_engine: {enabled: true}\n    s3dlio_optimization: {enable_range_downloads: true, chunk_size_mb: 4}",
            RangesPlan(64 << 20, 16, 16 << 20, 30.0),
        ),
        (
            "range_engine: {enabled: false}\n    s3dlio_optimization: {enable_range_downloads: true, chunk_size_mb: 4}",
            RangesPlan(4 << 20, 16, 64 << 20, 30.0),
        ),
    ],
)
def test_ranges_may_be_asked_for_in_the_words_of_s3dlio(
    plan_of: Callable[..., RunPlan], blocks: str, planned: RangesPlan | None
) -> None:
    stage = plan_of(_RANGES.format(target="s3://h:1/bucket/") + f"    {blocks}\n").workers[0].stages[0]
    assert stage.operations[2].ranges == planned


_MULTIPART = """
    target: {target}
    prepare: {{ensure_objects: [{{count: 1, size_spec: 1GiB}}]}}
    workload:
      - {{op: put, weight: 1, object_size: 1GiB, multipart: {{threshold: 1, part_size: 6MiB, parallel: 2}}}}
      - {{op: put, weight: 1, object_size: 1GiB}}
      - {{op: get, path: "c/*", weight: 1}}
"""
_OWN, _SHARED = MultipartPlan(6 << 20, 2, 1), MultipartPlan(8 << 20, 4, 16 << 20)


@pytest.mark.parametrize(
    ("target", "shared", "prepare", "workload"),
    [
        ("s3://h:1/bucket/", "", None, [_OWN, None, None]),
        ("s3://h:1/bucket/", "multipart: {}", _SHARED, [_OWN, _SHARED, None]),
        ("file:///d/", "multipart: {}", None, [None, None, None]),
    ],
)
def test_objects_are_written_in_parts_as_the_suite_says(
    plan_of: Callable[..., RunPlan],
    target: str,
    shared: str,
    prepare: MultipartPlan | None,
    workload: list[MultipartPlan | None],
) -> None:
    first, second = plan_of(_MULTIPART.format(target=target) + f"    {shared}\n").workers[0].stages
    assert first.multipart == prepare
    assert first.to_wire()["multipart"] == (prepare and prepare.to_wire())
    assert [operation.multipart for operation in second.operations] == workload
    assert [operation.to_wire()["multipart"] for operation in second.operations] == [
        planned and planned.to_wire() for planned in workload
    ]
