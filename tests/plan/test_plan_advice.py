"""What a dry run warns of."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.advice import give_advice

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """\
target: file:///mnt/
duration: 50s
warmup: 10s
prepare:
  cleanup: true
  ensure_objects:
    - {base_uri: data/, count: 100, size_spec: 1KiB}
    - {base_uri: data/deep/, count: 9, size_spec: 1KiB}
workload:
"""


def _advice(plan_of: Callable[..., RunPlan], text: str) -> list[str]:
    return list(give_advice(plan_of(dedent(text))))


@pytest.mark.parametrize(
    "path",
    [
        "data/",
        "data/*",
        "data/prepared-*",
        "data/prepared-0000009*",
        "data/prepared-00000099.dat",
        "*/deep/*",
        "data/deep/prepared-00000008.dat",
        "*/prepared-*",
        "file:///mnt/data/",
    ],
)
@pytest.mark.parametrize("op", ["get", "stat"])
def test_objects_of_prepare_are_something_to_read(
    plan_of: Callable[..., RunPlan], op: str, path: str
) -> None:
    text = f"{_SUITE}  - {{op: {op}, path: '{path}', weight: 1}}\n"

    assert _advice(plan_of, text) == []


@pytest.mark.parametrize(
    "path",
    [
        "other/",
        "other/*",
        "data",
        "data/deep",
        "data/prepared-000001*",
        "data/prepared-00000100.dat",
        "data/prepared-00000099",
        "prepared-*",
        "*/deeper/*",
        "data/deletable-*",
    ],
)
@pytest.mark.parametrize("op", ["get", "stat", "delete"])
def test_nothing_to_read_is_told(plan_of: Callable[..., RunPlan], op: str, path: str) -> None:
    text = f"{_SUITE}  - {{op: {op}, path: '{path}', weight: 1}}\n"

    assert _advice(plan_of, text) == [
        f"s.yaml:10: {op} {path} needs objects that prepare does not make: without any the run fails"
    ]


def test_what_is_put_and_listed_and_never_done_needs_nothing(plan_of: Callable[..., RunPlan]) -> None:
    text = """
        target: file:///mnt/
        workload:
          - {op: put, path: new/, weight: 1, object_size: 1}
          - {op: list, path: new/, weight: 1}
          - {op: get, path: new/*, weight: 0}
    """

    assert _advice(plan_of, text) == []


def test_the_objects_of_puts_are_not_read_by_the_same_run(plan_of: Callable[..., RunPlan]) -> None:
    text = """
        target: file:///mnt/
        workload:
          - {op: put, path: new/, weight: 1, object_size: 1}
          - {op: get, path: new/, weight: 1}
          - {op: get, path: "", weight: 1}
    """

    assert _advice(plan_of, text) == [
        "s.yaml:4: get new/ needs objects that prepare does not make: without any the run fails",
        "s.yaml:5: get (no path) needs objects that prepare does not make: without any the run fails",
    ]


def test_large_sets_are_looked_into_as_far_as_it_is_quick(plan_of: Callable[..., RunPlan]) -> None:
    text = f"{_SUITE}  - {{op: get, path: data/no-such-*, weight: 1}}\n"

    assert len(_advice(plan_of, text.replace("100,", '"100,000",'))) == 1
    assert _advice(plan_of, text.replace("100,", '"100,001",')) == []


def test_objects_that_are_taken_to_be_there_are_told(plan_of: Callable[..., RunPlan]) -> None:
    text = f"{_SUITE}  - {{op: get, path: data/, weight: 1}}\n"
    skipping = text.replace("cleanup: true", "skip_verification: true")

    assert _advice(plan_of, skipping) == [
        "prepare takes its objects to be there (skip_verification): without any the run fails"
    ]
    puts = skipping.replace("op: get", "object_size: 1, op: put")
    assert _advice(plan_of, puts) == []


def test_deletes_that_outrun_their_objects_are_told(plan_of: Callable[..., RunPlan]) -> None:
    text = _SUITE + "  - {op: delete, path: data/, weight: 1}\n  - {op: get, path: data/, weight: 3}\n"

    assert _advice(plan_of, text) == [
        (
            "s.yaml:10: delete data/ has 100 objects, each once: at 1,000 operations/s they last 400 ms of 1m, then the "
            "others share its weight"
        )
    ]
    # Two pools of 100 objects: 6 operations a second for 60 s are 90 deletes.
    assert _advice(plan_of, text + "io_rate: {iops: 6}\n") == []
    assert _advice(plan_of, text + "io_rate: {iops: 7}\n") == [
        (
            "s.yaml:10: delete data/ has 100 objects, each once: at 7 operations/s they last 57.1 s of 1m, then the "
            "others share its weight"
        )
    ]


@pytest.mark.parametrize(
    ("objects", "left"),
    [
        ("{count: 9999, size_spec: 1KiB}", ""),
        ('{count: "10,000", size_spec: 1KiB}', "10,000 objects, 9.77 MiB"),
        ("{count: 1023, size_spec: 1MiB}", ""),
        ("{count: 1024, size_spec: 1MiB}", "1,024 objects, 1 GiB"),
    ],
)
@pytest.mark.parametrize(
    "way", ["", "  force_overwrite: true\n", "  cleanup: true\n", "  skip_verification: true\n"]
)
def test_much_that_stays_is_told(plan_of: Callable[..., RunPlan], objects: str, left: str, way: str) -> None:
    text = f"""\
target: file:///mnt/
workload: [{{op: put, weight: 1, object_size: 1}}]
prepare:
{way}  ensure_objects: [{objects}]
"""
    stays = left and not ("cleanup" in way or "skip" in way)

    assert _advice(plan_of, text) == ([f"cleanup is off: up to {left} of prepare stay"] if stays else [])


@pytest.mark.parametrize(
    ("iops", "size", "left"),
    [
        ("max", "1GiB", ""),
        ("99", "1KiB", ""),
        ("100", "1KiB", "10,000 new objects, 9.77 MiB"),
        ("10", "1MiB", ""),
        ("11", "1MiB", "1,100 new objects, 1.07 GiB"),
    ],
)
@pytest.mark.parametrize("cleanup", ["true", "false"])
def test_what_puts_leave_behind_is_told(
    plan_of: Callable[..., RunPlan], iops: str, size: str, left: str, cleanup: str
) -> None:
    """A third of the operations of 300 s."""
    text = f"""\
target: file:///mnt/
duration: 290s
warmup: 10s
io_rate: {{iops: {iops}}}
concurrency: 512
prepare: {{cleanup: {cleanup}}}
workload:
  - {{op: put, weight: 1, object_size: {size}}}
  - {{op: list, path: new/, weight: 2}}
"""
    stays = left and cleanup == "false"
    assert _advice(plan_of, text) == ([f"cleanup is off: about {left} of puts stay"] if stays else [])


@pytest.mark.parametrize(("iops", "told"), [(3200, False), (3201, True), (32_000, True), ("max", False)])
def test_a_rate_that_leaves_little_time_is_told(
    plan_of: Callable[..., RunPlan], iops: int | str, *, told: bool
) -> None:
    """Two agents of 16 lanes."""
    text = f"""\
target: file:///mnt/
io_rate: {{iops: {iops}}}
distributed: {{agents: [{{address: localhost}}, {{address: localhost}}]}}
workload: [{{op: list, path: new/, weight: 1}}]
"""
    advice = _advice(plan_of, text)
    assert bool(advice) is told
    if iops == 32_000:
        assert advice == [
            (
                "32,000 operations/s over 32 lanes leave 1 ms for each: if they take longer on average the rate is not "
                "reached; raise concurrency"
            )
        ]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("data/", True),
        ("data/prepared-0000009*", True),
        ("data/prepared-00000099.dat", True),
        ("data/03/", True),
        ("data/03/prepared-00000013.dat", False),
        ("data/03/prepared-00000003.dat", True),
        ("data/0*/prepared-*", True),
        ("data/10/", False),
        ("data/f*/prepared-*", False),
    ],
)
def test_paths_may_leave_out_the_shard(plan_of: Callable[..., RunPlan], path: str, *, found: bool) -> None:
    text = f"{_SUITE}  - {{op: get, path: '{path}', weight: 1}}\n".replace(
        "prepare:\n", "prepare:\n  key_prefix_shards: 16\n"
    )
    plan = plan_of(dedent(text))

    assert [worker.key_prefix_shards for worker in plan.workers] == [16]
    assert (list(give_advice(plan)) == []) is found
