"""Whole runs of suites that say which stages they have, on files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentLostError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

_HEAD = """
    concurrency: 2
    distributed:
      agents:
        - {address: 127.0.0.1, id: a, target_override: "file://{tmp}/m1/"}
        - {address: localhost, id: b, target_override: "file://{tmp}/m2/"}
        - {address: localhost, id: c, target_override: "file://{tmp}/m3/"}
      stages:
"""
_TAIL = """
    prepare: {ensure_objects: [{base_uri: data/, count: 12, size_spec: 1KiB}]}
    workload: [{op: get, path: "data/*", weight: 3}, {op: put, path: new/, weight: 1, object_size: 1}]
"""


def staged(*stages: str, tail: str = _TAIL) -> str:
    return _HEAD + "".join(f"        - {{{stage}}}\n" for stage in stages) + tail.removeprefix("\n")


def perform(run: Run) -> None:
    run.prepare()
    run.work()
    run.clean_up()


def test_stages_run_in_their_order(
    run_of: Callable[[str], Run], store: Path, files_below: Callable[[Path], list[str]]
) -> None:
    run = run_of(
        staged(
            "name: last, order: 7, type: cleanup",
            "name: check, order: 1, type: validation",
            "name: fill, order: 2, type: prepare",
            "name: warm, order: 3, type: execute, duration: 200ms",
            "name: mark, order: 4, type: custom, command: touch, args: ['{tmp}/marked']",
            "name: steady, order: 5, type: execute, duration: 300ms",
            "name: burst, order: 6, type: hybrid, max_duration: 60s, expected_tasks: 25",
        )
    )
    run.prepare()
    assert [phase.phase for phase in run.result().phases] == ["check", "fill"]
    assert len(files_below(store / "data")) == 12
    run.work()
    assert (store.parent / "marked").exists()
    run.clean_up()
    result = run.result()

    assert (result.status, result.reason, result.notes) == ("completed", "", ())
    assert [(phase.position, phase.phase, phase.does) for phase in result.phases] == [
        (1, "check", "validation"),
        (2, "fill", "prepare"),
        (3, "warm", "workload"),
        (4, "mark", "custom"),
        (5, "steady", "workload"),
        (6, "burst", "workload"),
        (7, "last", "cleanup"),
    ]
    assert [phase.phase for phase in result.workloads] == ["warm", "steady", "burst"]
    warm, steady, burst = result.workloads
    assert (warm.window_s, steady.window_s) == (0.2, 0.3)
    assert (burst.tally().ops, burst.tally().errors) == (25, 0)
    assert {agent.outcome for phase in result.phases for agent in phase.agents} == {"completed"}
    # Every load has its own puts, and what each made is removed.
    puts = sum(phase.tally(ops=["put"]).requests for phase in result.phases)
    cleanup = result.phase("last")
    assert cleanup is not None
    assert (cleanup.tally(ops=["delete"]).ops, cleanup.tally().errors) == (puts, 0)
    assert list(store.iterdir()) == []
    assert {check.phase for check in result.checks} == {"warm", "steady", "burst"}
    wrong = [check for check in result.checks if check.name.startswith("reconcile") and not check.passed]
    assert wrong == []


def test_a_second_prepare_makes_what_is_missing_and_cleanup_removes_it_once(
    run_of: Callable[[str], Run], store: Path
) -> None:
    tail = """
    prepare:
      ensure_objects: [{base_uri: data/, count: 12, size_spec: 1KiB}]
      cleanup_mode: strict
      force_overwrite: true
    workload: [{op: delete, path: "data/*", weight: 1}]
"""
    run = run_of(
        staged(
            "name: fill, order: 1, type: prepare",
            "name: empty, order: 2, type: execute, duration: 60s",
            "name: again, order: 3, type: prepare",
            "name: clean, order: 4, type: cleanup",
            "name: nothing, order: 5, type: cleanup",
            tail=tail,
        )
    )
    perform(run)
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    assert {phase.phase: (phase.tally().ops, phase.tally().errors) for phase in result.phases} == {
        "fill": (12, 0),
        "empty": (12, 0),
        "again": (12, 0),
        "clean": (12, 0),
        "nothing": (0, 0),
    }


def test_a_command_that_fails_fails_the_run_which_is_cleaned_up(
    run_of: Callable[[str], Run], store: Path
) -> None:
    run = run_of(
        staged(
            "name: fill, order: 1, type: prepare",
            "name: script, order: 2, type: custom, command: sh, args: ['-c', 'echo no luck >&2; exit 3']",
            "name: load, order: 3, type: execute, duration: 60s",
            "name: after, order: 4, type: custom, command: touch, args: ['{tmp}/after']",
            "name: clean, order: 5, type: cleanup",
        )
    )
    with pytest.raises(StageError) as caught:
        run.prepare()
    run.clean_up()
    result = run.result()

    assert str(caught.value).splitlines()[0] in {
        f"script: {agent}: sh ended with status 3: no luck" for agent in "abc"
    }
    assert (result.status, result.reason) == ("failed", str(caught.value))
    assert [phase.phase for phase in result.phases] == ["fill", "script", "clean"]
    assert list(store.iterdir()) == []
    assert not (store.parent / "after").exists()


def test_an_optional_stage_may_fail(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        staged(
            "name: script, order: 1, type: custom, command: /no/such/program, optional: true",
            "name: fill, order: 2, type: prepare",
            "name: load, order: 3, type: execute, duration: 100ms",
            "name: last, order: 4, type: custom, command: 'false', optional: true",
        )
    )
    perform(run)
    result = run.result()

    assert result.status == "completed"
    first, last = result.notes
    assert first.splitlines()[0] in {
        f"script: {agent}: /no/such/program cannot be run: No such file or directory" for agent in "abc"
    }
    assert first.splitlines()[-1] == "(the stage is optional: the run went on)"
    assert last.splitlines()[0] in {f"last: {agent}: false ended with status 1" for agent in "abc"}


def test_a_stage_ends_with_its_time(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        staged(
            "name: hang, order: 1, type: custom, command: sleep, args: ['600'], timeout_secs: 500ms",
            "name: load, order: 2, type: execute, duration: 60s",
        )
    )
    with pytest.raises(StageError) as caught:
        run.prepare()
    run.clean_up()

    assert str(caught.value) == (
        "s.yaml:8: hang did not end within 500 ms (timeout_secs): a, b, c had not come through"
    )
    hang = run.result().phase("hang")
    assert hang is not None
    assert [agent.outcome for agent in hang.agents] == ["aborted"] * 3
    assert all(agent.wall_s < 60 for agent in hang.agents)


@pytest.mark.parametrize(
    ("barrier", "failing", "goes_on"),
    [
        ("majority", "a", True),
        ("best_effort", "a b c", False),
    ],
)
def test_the_barrier_says_how_many_have_to_come_through(
    run_of: Callable[[str], Run], store: Path, barrier: str, failing: str, *, goes_on: bool
) -> None:
    (store.parent / "failing").write_text(failing)
    text = staged(
        "name: vote, order: 1, type: custom, command: sh, "
        "args: ['-c', 'case \" $(cat {tmp}/failing) \" in *\" $WHO \"*) exit 1;; esac'], "
        f"barrier: {{type: {barrier}}}",
        "name: fill, order: 2, type: prepare",
        "name: load, order: 3, type: execute, duration: 100ms",
    )
    for agent in "abc":
        text = text.replace(f"id: {agent},", f"id: {agent}, env: {{WHO: {agent}}},")
    run = run_of(text)
    if not goes_on:
        with pytest.raises(StageError, match=r"vote: [abc]: sh ended with status 1"):
            run.prepare()
        run.clean_up()
        assert run.result().status == "failed"
        return
    perform(run)
    result = run.result()

    assert result.status == "completed"
    assert result.notes == tuple(
        f"vote: {agent}: sh ended with status 1\n(its barrier is {barrier}: the run went on)"
        for agent in failing.split()
    )
    # Whoever failed takes part in what comes next.
    assert result.workload is not None
    assert [agent.outcome for agent in result.workload.agents] == ["completed"] * 3


def test_a_barrier_lets_a_run_go_on_without_a_lost_agent(
    run_of: Callable[[str], Run],
    store: Path,
    at_start: Callable[..., None],
    agents_of: Callable[[Run], dict[str, int]],
) -> None:
    run = run_of(
        staged(
            "name: fill, order: 1, type: prepare",
            "name: load, order: 2, type: execute, duration: 300ms, barrier: {type: majority}",
            "name: more, order: 3, type: execute, duration: 100ms, barrier: {type: best_effort}",
            "name: clean, order: 4, type: cleanup, barrier: {type: best_effort}",
        )
    )
    at_start(1, after=lambda: os.kill(agents_of(run)["b"], 9))
    perform(run)
    result = run.result()

    assert result.status == "completed"
    note, rest = result.notes
    assert note.startswith("load: b on ")
    assert rest == "an agent was lost: what it made has not been removed"
    assert note.endswith("\n(its barrier is majority: the run went on)")
    load, more = result.workloads
    assert [agent.outcome for agent in load.agents] == ["completed", "lost", "completed"]
    assert more.tally(agent="a").ops > 0
    assert more.tally(agent="b").ops == 0
    # What the lost one made stays.
    assert len(list((store / "data").iterdir())) == 4


def test_all_or_nothing_needs_who_was_lost_before(
    run_of: Callable[[str], Run],
    store: Path,
    at_start: Callable[..., None],
    agents_of: Callable[[Run], dict[str, int]],
) -> None:
    run = run_of(
        staged(
            "name: load, order: 1, type: execute, duration: 300ms, barrier: {type: majority}",
            "name: more, order: 2, type: execute, duration: 60s",
            tail="    workload: [{op: put, path: new/, weight: 1, object_size: 1}]\n",
        )
    )
    at_start(0, after=lambda: os.kill(agents_of(run)["b"], 9))
    run.prepare()
    with pytest.raises(AgentLostError, match=r"^more: b on "):
        run.work()
    run.clean_up()

    assert [phase.phase for phase in run.result().phases] == ["load"]


def test_stages_need_no_hosts(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        """
        target: file://{tmp}/m1/
        processes: 2
        concurrency: 2
        stages:
          - {name: once, order: 1, type: custom, command: sh, args: ["-c", "echo x >> {tmp}/runs"]}
          - {name: fill, order: 2, type: prepare}
        prepare: {ensure_objects: [{count: 3, size_spec: 1}]}
        workload: []
        """
    )
    perform(run)

    assert run.result().status == "completed"
    assert run.result().workload is None
    assert len(list(store.iterdir())) == 3
    # Two processes are one agent.
    assert (store.parent / "runs").read_text() == "x\n"
