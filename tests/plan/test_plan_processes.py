"""``processes``: what belongs to an agent is divided among its workers without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.agent.cores import physical_cores
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.plan.cores import spread
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_TWO_AGENTS = """
concurrency: 7
processes: 3
distributed:
  agents:
    - {address: localhost, id: a, target_override: "file:///a/"}
    - {address: "localhost:7761", id: b, target_override: "file:///b/", concurrency_override: 2}
prepare: {ensure_objects: [{base_uri: data/, count: 11, size_spec: 1}]}
workload: [{op: get, path: "data/*", weight: 1}]
"""


@given(amount=st.integers(1, 10_000), parts=st.integers(1, 200))
def test_a_division_is_without_loss_and_even(amount: int, parts: int) -> None:
    shares = spread(amount, parts)

    assert (len(shares), sum(shares)) == (parts, amount)
    assert max(shares) - min(shares) <= 1
    assert shares == sorted(shares, reverse=True)


def test_lanes_and_objects_are_divided_and_no_process_is_without_a_lane(
    plan_of: Callable[..., RunPlan],
) -> None:
    plan = plan_of(_TWO_AGENTS)

    assert [(each.title, each.worker, each.workers, each.lanes) for each in plan.workers] == [
        ("a (worker 1 of 3)", 0, 5, 3),
        ("a (worker 2 of 3)", 1, 5, 2),
        ("a (worker 3 of 3)", 2, 5, 2),
        ("b (worker 1 of 2)", 3, 5, 1),
        ("b (worker 2 of 2)", 4, 5, 1),
    ]
    assert [each.endpoints[0].uri for each in plan.workers] == ["file:///a/"] * 3 + ["file:///b/"] * 2
    assert len({each.seed for each in plan.workers}) == 5
    objects = [each.stages[0].objects[0] for each in plan.workers]
    assert [(one.share, one.shares) for one in objects] == [(share, 5) for share in range(5)]
    numbers = [n for one in objects for n in range(one.share, one.count, one.shares)]
    assert sorted(numbers) == list(range(11))


def test_fewer_processes_than_asked_for_are_noted_once_for_each_agent(
    plan_of: Callable[..., RunPlan],
) -> None:
    assert plan_of(_TWO_AGENTS).notes == (
        "port 7761 of localhost:7761 is not used: b needs no open port",
        "b has 2 instead of 3 processes: each keeps at least one operation going; raise concurrency",
        "the load is uneven: 7 operations at a time on file:///a/, 2 on file:///b/",
    )


@pytest.mark.parametrize(
    ("written", "lanes"),
    [("1", [5]), ("single", [5]), ("2", [3, 2]), ("'2'", [3, 2]), ("auto", [2, 2, 1]), ("AUTO", [2, 2, 1])],
)
def test_how_many_processes_can_be_written(tmp_path: Path, written: str, lanes: list[int]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        f"target: file:///a/\nconcurrency: 5\nprocesses: {written}\n"
        "workload: [{op: put, weight: 1, object_size: 1}]\n"
    )

    plan = build_plan(load(path, env={}, shown="s.yaml"), env={}, cores=lambda _host: 3)

    assert [worker.lanes for worker in plan.workers] == lanes


def test_a_host_that_has_to_be_asked_gets_a_process_for_each_of_its_cores(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "target: file:///a/\nconcurrency: 5\nprocesses: auto\n"
        "distributed: {agents: [{address: node1, id: far}, {address: localhost, id: here}]}\n"
        "workload: [{op: put, weight: 1, object_size: 1}]\n"
    )
    loaded = load(path, env={}, shown="s.yaml")
    plan = build_plan(loaded, env={})

    here = [worker for worker in plan.workers if worker.agent == "here"]
    assert (plan.asks_cores, len(plan.workers) - len(here), len(here)) == (True, 1, min(5, physical_cores()))
    assert plan.notes[0] == "far gets a process for each core of its host, which is asked before the run"

    asked = build_plan(loaded, env={}, cores=lambda host: 1 if host.is_here else 3)
    assert asked.asks_cores is False
    assert [(worker.title, worker.lanes) for worker in asked.workers] == [
        ("far (worker 1 of 3)", 2),
        ("far (worker 2 of 3)", 2),
        ("far (worker 3 of 3)", 1),
        ("here", 5),
    ]


@pytest.mark.parametrize("written", ["0", "-1", "many", "1.5", "[2]", "true"])
def test_what_is_no_number_of_processes_is_refused(
    problems_of: Callable[..., list[str]], written: str
) -> None:
    shown = {"many": "'many'", "[2]": "a list"}.get(written, written)

    assert problems_of(
        f"target: file:///a/\nprocesses: {written}\nworkload: [{{op: put, weight: 1, object_size: 1}}]\n"
    ) == [
        f"s.yaml:2: processes: {shown} is no number of processes: expected auto, single, or 1 or more",
    ]


def test_logical_cores_of_one_physical_core_count_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {0, 1, 2, 5})
    for number, siblings in ((0, "0,4"), (1, "1,5"), (2, "2,6"), (5, "1,5")):
        folder = tmp_path / f"cpu{number}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(siblings + "\n")

    assert physical_cores(str(tmp_path)) == 3
    assert physical_cores(str(tmp_path / "elsewhere")) == 4


_RATE = """
target: file:///a/
concurrency: 2
processes: 2
io_rate: {{iops: {iops}{more}}}
warmup: 1s
prepare: {{ensure_objects: [{{base_uri: data/, count: 1, size_spec: 1}}]}}
workload: [{{op: get, path: "data/*", weight: 1}}]
"""


@pytest.mark.parametrize(
    ("iops", "more", "expected"),
    [
        ("2000", "", (2000, "exponential")),
        ('"2,000"', ", distribution: Uniform", (2000, "uniform")),
        ("1", ", distribution: deterministic", (1, "deterministic")),
    ],
)
def test_every_process_has_its_part_of_one_rate(
    plan_of: Callable[..., RunPlan], iops: str, more: str, expected: tuple[int, str]
) -> None:
    prepares, workloads = zip(
        *(worker.stages for worker in plan_of(_RATE.format(iops=iops, more=more)).workers), strict=True
    )

    assert [stage.rate for stage in prepares] == [None, None]
    rates = [stage.rate for stage in workloads]
    assert [(rate.per_s, rate.distribution) for rate in rates] == [expected] * 2
    assert [(rate.share, rate.shares) for rate in rates] == [(0, 2), (1, 2)]


@pytest.mark.parametrize("iops", ["max", "MAX", "0", "-5", '"0"', '"-5"'])
def test_no_limit_is_no_rate(plan_of: Callable[..., RunPlan], iops: str) -> None:
    plan = plan_of(_RATE.format(iops=iops, more=""))

    assert [stage.rate for worker in plan.workers for stage in worker.stages] == [None] * 4


@pytest.mark.parametrize(
    ("iops", "more", "message"),
    [
        ("fast", "", "io_rate.iops: 'fast' is not a count: expected a whole number such as 16 or 64,000"),
        (
            "5",
            ", distribution: poisson",
            "io_rate.distribution: unknown distribution 'poisson': expected one of exponential, uniform, deterministic",
        ),
    ],
)
def test_a_rate_that_cannot_be_read_is_refused(
    problems_of: Callable[..., list[str]], iops: str, more: str, message: str
) -> None:
    assert problems_of(_RATE.format(iops=iops, more=more)) == [f"s.yaml:4: {message}"]
