"""Stages of the plan: objects, operations, and what each worker has of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.plan.model import ErrorPolicy
from pytest_sai3bench.plan.work import SizePlan
from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.plan.work import ObjectSet

_MIXED = """
    target: file:///mnt/
    prepare:
      ensure_objects:
        - {base_uri: unprepared-data/, count: 10, size_spec: 4KiB}
    workload:
      - {op: get, path: "unprepared-data/*", weight: 1}
      - {op: put, path: new, weight: 1, object_size: 1MiB}
      - {op: list, path: unprepared-data, weight: 1}
      - {op: delete, path: "unprepared-data/prepared-*", weight: 1}
"""


def _objects(worker: WorkerPlan) -> tuple[ObjectSet, ...]:
    return worker.stages[0].objects


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(agents=st.integers(1, 7), count=st.integers(0, 40))
def test_shares_are_a_partition_of_the_objects(
    plan_of: Callable[..., RunPlan], agents: int, count: int
) -> None:
    plan = plan_of(
        f"""
        target: file:///mnt/
        distributed: {{agents: [{", ".join(["{address: localhost}"] * agents)}]}}
        prepare: {{ensure_objects: [{{count: {count}, size_spec: 1}}]}}
        workload: [{{op: put, weight: 1, object_size: 1}}]
        """
    )

    shares = [objects for worker in plan.workers for objects in _objects(worker)]
    assert len(shares) == agents
    assert {replace(objects, share=0) for objects in shares} == {replace(shares[0], share=0)}
    taken = [i for objects in shares for i in range(count) if i % objects.shares == objects.share]
    assert sorted(taken) == list(range(count))


def test_deletes_beside_reads_get_objects_of_their_own(plan_of: Callable[..., RunPlan]) -> None:
    prepare, workload = plan_of(_MIXED).workers[0].stages

    assert [(each.folder, each.stem, each.count, each.where) for each in prepare.objects] == [
        ("unprepared-data/", "prepared", 10, "s.yaml:4"),
        ("unprepared-data/", "deletable", 10, "s.yaml:4"),
    ]
    assert [(each.op, each.path, each.pool, each.where) for each in workload.operations] == [
        ("get", "unprepared-data/*", "prepared", "s.yaml:6"),
        ("put", "new/", "prepared", "s.yaml:7"),
        ("list", "unprepared-data/", "prepared", "s.yaml:8"),
        ("delete", "unprepared-data/deletable-*", "deletable", "s.yaml:9"),
    ]


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("{op: delete,", "{op: stat,"),  # nothing is deleted
        ('"unprepared-data/prepared-*", weight: 1', '"unprepared-data/prepared-*", weight: 0'),
        ("{op: get,", "{op: delete,"),  # nothing is read
    ],
)
def test_without_a_mix_there_is_one_set(plan_of: Callable[..., RunPlan], written: str, instead: str) -> None:
    prepare, workload = plan_of(_MIXED.replace(written, instead)).workers[0].stages

    assert [each.stem for each in prepare.objects] == ["prepared"]
    assert {each.pool for each in workload.operations} == {"all"}
    assert workload.operations[-1].path == "unprepared-data/prepared-*"


def test_without_prepare_deletes_and_reads_share_what_is_there(plan_of: Callable[..., RunPlan]) -> None:
    (workload,) = (
        plan_of(
            """
            target: file:///mnt/
            workload:
              - {op: get, path: "data/*", weight: 1}
              - {op: delete, path: "data/prepared-*", weight: 1}
            """
        )
        .workers[0]
        .stages
    )

    assert [(each.path, each.pool) for each in workload.operations] == [
        ("data/*", "all"),
        ("data/prepared-*", "all"),
    ]


def test_a_list_takes_a_prefix_in_an_object_store(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: s3://h:1/bucket/
        workload: [{op: list, path: data/pre, weight: 1}]
        """
    )

    assert plan.workers[0].stages[0].operations[0].path == "data/pre"


def test_sizes_are_planned_as_they_are_written(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: file:///mnt/
        prepare:
          ensure_objects:
            - {count: 1, min_size: 0, max_size: 8}
        workload:
          - {op: put, weight: 1, object_size: 4KiB}
          - {op: put, weight: 1, size_spec: {type: lognormal, mean: 1000, std_dev: 500, min: 10, max: 2000}}
        """
    )

    prepare, workload = plan.workers[0].stages
    assert [each.size for each in prepare.objects] == [SizePlan("uniform", 0, 8)]
    assert [each.size for each in workload.operations] == [
        SizePlan("fixed", 4096, 4096),
        SizePlan("lognormal", 10, 2000, 1000.0, 500.0),
    ]
    assert [each.size and each.size.expected for each in workload.operations] == [4096, 1000]


def test_a_suite_that_only_cleans_up_has_no_other_stage(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: file:///mnt/
        prepare: {ensure_objects: [{count: 7, size_spec: 1}], cleanup_only: true, cleanup_mode: strict}
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )
    (stage,) = plan.workers[0].stages
    assert (stage.kind, stage.mode, stage.adopts, stage.objects[0].count) == ("cleanup", "strict", True, 7)
    assert "cleanup: objects of prepare that are there, at most 7 objects, 7 B\n" in dry_run(plan)


@pytest.mark.parametrize(
    ("written", "interleaved"),
    [("", False), ("prepare_strategy: sequential", False), ("prepare_strategy: parallel", True)],
)
def test_sets_come_one_after_another_or_in_turns(
    plan_of: Callable[..., RunPlan], written: str, *, interleaved: bool
) -> None:
    plan = plan_of(
        f"""
        target: file:///mnt/
        prepare: {{ensure_objects: [{{count: 1, size_spec: 1}}], {written}}}
        workload: [{{op: put, weight: 1, object_size: 1}}]
        """
    )
    assert plan.workers[0].to_wire()["stages"][0]["interleaved"] is interleaved


@pytest.mark.parametrize(
    ("flags", "look_and_create"),
    [
        ("", (True, True)),
        ("force_overwrite: true", (False, True)),
        ("skip_verification: true", (False, False)),
        ("force_overwrite: true, skip_verification: true", (False, True)),
    ],
)
def test_prepare_looks_and_creates_as_it_is_told(
    plan_of: Callable[..., RunPlan], flags: str, look_and_create: tuple[bool, bool]
) -> None:
    plan = plan_of(
        f"""
        target: file:///mnt/
        warmup: 2s
        duration: 10s
        prepare:
          {{ensure_objects: [{{count: 1, size_spec: 1}}], cleanup: true, cleanup_mode: strict,
            post_prepare_delay: 3s, {flags}}}
        workload: [{{op: put, weight: 1, object_size: 1}}]
        """
    )

    prepare, workload, cleanup = plan.workers[0].stages
    assert (prepare.kind, prepare.delay_s) == ("prepare", 3.0)
    assert (prepare.look, prepare.create) == look_and_create
    assert (workload.kind, workload.warmup_s, workload.duration_s) == ("workload", 2.0, 10.0)
    assert (cleanup.kind, cleanup.mode, cleanup.objects) == ("cleanup", "strict", prepare.objects)


def test_the_duration_can_be_replaced(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_MIXED, duration_s=1.5)

    assert plan.workers[0].stages[1].duration_s == 1.5


def test_workers_differ_in_seed_and_lanes(plan_of: Callable[..., RunPlan]) -> None:
    text = """
        target: file:///mnt/
        seed: {seed}
        concurrency: 8
        distributed:
          agents:
            - {{address: 127.0.0.1, id: a}}
            - {{address: localhost, id: b, concurrency_override: 3}}
        workload: [{{op: put, weight: 1, object_size: 1}}]
    """
    plans = [plan_of(text.format(seed=seed)) for seed in (0, 0, 1)]

    assert [
        [(each.agent, each.address, each.worker, each.workers, each.lanes) for each in plan.workers]
        for plan in plans
    ] == [[("a", "127.0.0.1", 0, 2, 8), ("b", "localhost", 1, 2, 3)]] * 3
    first, again, other = ([worker.seed for worker in plan.workers] for plan in plans)
    assert first == again
    assert len({*first, *other}) == 4


def test_what_happens_after_errors_is_planned_in_seconds(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: file:///mnt/
        error_handling:
          max_total_errors: 7
          error_rate_threshold: 2.5
          backoff_duration: 1500ms
          error_rate_window: 4s
          retry_on_error: true
          max_retries: 2
          initial_retry_delay_ms: 250
          max_retry_delay_ms: 750
          retry_backoff_multiplier: 3
          retry_jitter_factor: 0
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )

    assert plan.workers[0].errors == ErrorPolicy(
        max_total_errors=7,
        error_rate_threshold=2.5,
        backoff_s=1.5,
        error_rate_window_s=4.0,
        retry_on_error=True,
        max_retries=2,
        initial_retry_delay_s=0.25,
        max_retry_delay_s=0.75,
        retry_backoff_multiplier=3.0,
        retry_jitter_factor=0.0,
    )
