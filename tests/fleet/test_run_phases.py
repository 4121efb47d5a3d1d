"""Whole runs on files: what each phase does, leaves and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.results.model import RunResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

TWO_AGENTS = """
    name: two
    duration: 500ms
    warmup: 100ms
    concurrency: 2
    distributed:
      agents:
        - {address: 127.0.0.1, id: a, multi_endpoint: {endpoints: ["file://{tmp}/m1/", "file://{tmp}/m2/"]}}
        - {address: localhost, id: b, multi_endpoint: {endpoints: ["file://{tmp}/m3/", "file://{tmp}/m4/"]}}
    prepare:
      ensure_objects: [{base_uri: data/, count: 40, size_spec: 4KiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 6}
      - {op: put, path: new/deep/, weight: 2, object_size: 1KiB}
      - {op: stat, path: "data/*", weight: 1}
      - {op: list, path: data/, weight: 1}
"""


def test_agents_go_through_all_phases_together(
    run_of: Callable[[str], Run], store: Path, files_below: Callable[[Path], list[str]]
) -> None:
    (store / "data").mkdir()
    (store / "data" / "mine").write_text("was here before")
    run = run_of(TWO_AGENTS)

    run.prepare()
    assert files_below(store) == [
        "data",
        "data/mine",
        *(f"data/prepared-{number:08d}.dat" for number in range(40)),
    ]
    assert {path.stat().st_size for path in store.glob("data/prepared-*")} == {4096}
    run.work()
    run.clean_up()
    assert files_below(store) == ["data", "data/mine"]
    result = run.result()

    assert (result.suite, result.name, result.run_id) == ("s.yaml", "two", "run-1")
    assert (result.status, result.reason, result.started_at, result.notes) == (
        "completed",
        "",
        1795515330.5,
        (),
    )
    assert [phase.phase for phase in result.phases] == ["prepare", "workload", "cleanup"]
    prepare, workload, cleanup = result.phases
    mounts = {"a": ["m1", "m2"], "b": ["m3", "m4"]}
    uris = [f"file://{store.parent}/{mount}/" for agent in "ab" for mount in mounts[agent]]
    assert prepare.endpoints == workload.endpoints == cleanup.endpoints == tuple(uris)
    # Each agent makes its half of the objects, over its own two endpoints in turn.
    assert [prepare.tally(endpoint=uri).ops for uri in uris] == [10, 10, 10, 10]
    assert [prepare.tally(agent=agent).bytes for agent in "ab"] == [20 * 4096, 20 * 4096]
    for agent in "ab":
        own = [workload.tally(agent=agent, endpoint=f"file://{store.parent}/{m}/") for m in mounts[agent]]
        assert sum(tally.requests for tally in own) == workload.tally(agent=agent).requests > 0
        # Round robin: operations of the warm-up, and those in flight at its end, may sit on either side.
        assert abs(own[0].requests - own[1].requests) <= 2 * 2 + 1
    assert workload.tally().errors == 0
    assert {key.op for key in workload.series} == {"get", "put", "stat", "list"}
    # Of what is removed, nothing is missed and nothing is removed twice.
    puts = sum(phase.tally(ops=["put"]).requests for phase in (prepare, workload))
    puts += sum(tally.ops for key, tally in workload.warmup.items() if key.op == "put")
    assert (cleanup.tally(ops=["delete"]).ops, cleanup.tally().errors) == (puts, 0)


def test_the_numbers_of_a_run_agree_with_each_other(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(TWO_AGENTS)
    run.prepare()
    run.work()
    run.clean_up()
    result = run.result()

    # How busy the client was depends on this machine.
    assert {
        check.name: check.passed for check in result.checks if not check.name.startswith("generator")
    } == {
        "reconcile-endpoints": True,
        "reconcile-agents": True,
        "reconcile-parts": True,
        "reconcile-ticks": True,
        "reconcile-counts": True,
        "littles-law": True,
        "rate-kept": True,
        "endpoints-used": True,
    }
    workload = result.workload
    assert workload is not None
    assert [(each.agent, each.outcome, each.lanes) for each in workload.agents] == [
        ("a", "completed", 2),
        ("b", "completed", 2),
    ]
    for agent in workload.agents:
        assert agent.window_s == 0.5
        # One host has one monotonic clock.
        assert agent.clock_error_s > 0
        assert abs(agent.clock_offset_s) <= agent.clock_error_s
        # Nobody begins before the common instant, but for the error of the clock.
        assert agent.start_skew_s >= -agent.clock_error_s


def test_a_run_can_be_a_workload_alone(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        """
        target: file://{tmp}/m1/
        duration: 100ms
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )
    assert run.result() == RunResult("s.yaml", "workload", "run-1", "completed", "", 1795515330.5, ())
    run.prepare()
    assert run.result().phases == ()
    run.work()
    run.clean_up()

    assert [phase.phase for phase in run.result().phases] == ["workload"]
    # Nobody asked for a cleanup.
    assert len(list(store.iterdir())) > 0


def test_cleaning_up_twice_is_harmless(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(TWO_AGENTS)
    run.prepare()
    run.clean_up()
    result = run.result()
    run.clean_up()

    assert run.result() == result
    assert [phase.phase for phase in result.phases] == ["prepare", "cleanup"]
    assert list(store.iterdir()) == []


def test_a_run_that_never_began_can_be_cleaned_up(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(TWO_AGENTS)
    run.clean_up()

    assert run.result().status == "completed"


def test_the_run_rests_after_prepare(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        """
        target: file://{tmp}/m1/
        duration: 100ms
        prepare: {ensure_objects: [{count: 2, size_spec: 1}], post_prepare_delay: 300ms}
        workload: [{op: get, path: "prepared-*", weight: 1}]
        """
    )
    run.prepare()
    rested = [member.answer["type"] for member in run._fleet._members]
    run.work()
    workload = run.result().workload

    assert rested == ["rested"]
    assert workload is not None
    assert workload.tally().ops > 0


@pytest.mark.parametrize("noise", ["print('noise')", "os.system('echo noise')", "os.write(1, b'noise')"])
def test_an_agent_may_print(
    run_of: Callable[[str], Run], store: Path, change_agent: Callable[..., None], noise: str
) -> None:
    change_agent(
        "serve",
        "\n    def _answer(self, message: Message) -> None:\n",
        (f"\n    def _answer(self, message: Message) -> None:\n        {noise}\n"),
    )
    run = run_of(
        """
        target: file://{tmp}/m1/
        duration: 100ms
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )
    run.prepare()
    run.work()
    run.clean_up()

    assert run.result().status == "completed"
    assert run.result().checks[0].passed
