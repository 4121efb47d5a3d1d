"""Agents that end or fall silent in the middle of a run."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentLostError
from pytest_sai3bench.fleet import members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.fleet.run import Run

_SUITE = """
    duration: 60s
    concurrency: 2
    distributed:
      agents:
        - {address: localhost, id: a, target_override: "file://{tmp}/m1/"}
        - {address: 127.0.0.1, id: b, target_override: "file://{tmp}/m2/"}
    prepare:
      ensure_objects: [{base_uri: data/, count: 8, size_spec: 1MiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 1}
"""
_LEFT_BEHIND = ("an agent was lost: what the run made has not been removed",)


def _kill(member: Member, number: int = signal.SIGKILL) -> None:
    os.kill(member.hello["pid"], number)


def _other(run: Run, agent: str) -> Member:
    return next(each for each in run._fleet._members if each.plan.agent != agent)


def test_an_agent_that_is_killed_in_the_workload_fails_the_run(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    agents_of: Callable[[Run], dict[str, int]],
    on_message: Callable[..., list[Member]],
    timeless: Callable[[object], str],
) -> None:
    killed = on_message("tick", 1, _kill)
    run = run_of(_SUITE)
    run.prepare()
    pids = agents_of(run)
    with pytest.raises(AgentLostError) as caught:
        run.work()
    lost = killed[0].plan.agent
    survivor = _other(run, lost)
    assert (survivor.owes, survivor.loss) == ("", "")
    run.clean_up()
    result = run.result()

    assert timeless(caught.value) == (
        f"workload: {lost} on {socket.gethostname()} (process {pids[lost]}) ended in the load"
    )
    assert (result.status, result.reason, result.notes) == ("failed", str(caught.value), _LEFT_BEHIND)
    # What both measured until then is kept, of the killed one what its ticks told.
    workload = result.workload
    assert workload is not None
    assert {each.agent: each.outcome for each in workload.agents} == {
        lost: "lost",
        survivor.plan.agent: "aborted",
    }
    assert [workload.tally(agent=agent).ops > 0 for agent in "ab"] == [True, True]
    assert all(agent.wall_s < 30 for agent in workload.agents)
    # There is no cleanup without all agents.
    assert [phase.phase for phase in result.phases] == ["prepare", "workload"]


def test_an_agent_that_is_killed_in_prepare_fails_the_run(
    run_of: Callable[[str], Run],
    store: Path,
    agents_of: Callable[[Run], dict[str, int]],
    timeless: Callable[[object], str],
) -> None:
    """Object 0 is a pipe that nobody reads: agent a comes as far as this and no further."""
    (store / "data").mkdir()
    os.mkfifo(store / "data" / "prepared-00000000.dat")
    pipe = os.open(store / "data" / "prepared-00000000.dat", os.O_RDONLY | os.O_NONBLOCK)
    run = run_of(_SUITE)
    pids: dict[str, int] = {}

    def kill_when_it_writes() -> None:
        select.select([pipe], [], [], 20)
        pids.update(agents_of(run))
        os.kill(pids["a"], signal.SIGKILL)

    watching = threading.Thread(target=kill_when_it_writes)
    watching.start()
    try:
        with pytest.raises(AgentLostError) as caught:
            run.prepare()
    finally:
        watching.join()
        os.close(pipe)
    run.clean_up()
    prepared = run.result().phase("prepare")

    text = f"prepare: a on {socket.gethostname()} (process {pids['a']}) ended in the load"
    assert timeless(caught.value) == text
    assert prepared is not None
    assert {each.agent: each.outcome for each in prepared.agents}["a"] == "lost"
    assert prepared.tally(agent="b").ops == 4
    assert (run.result().status, run.result().notes) == ("failed", _LEFT_BEHIND)
    assert [phase.phase for phase in run.result().phases] == ["prepare"]


def test_an_agent_that_falls_silent_is_lost(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    agents_of: Callable[[Run], dict[str, int]],
    on_message: Callable[..., list[Member]],
    timeless: Callable[[object], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(members, "SILENCE_S", 3.0)
    stopped = on_message("tick", 1, lambda member: _kill(member, signal.SIGSTOP))
    run = run_of(_SUITE)
    run.prepare()
    pids = agents_of(run)
    with pytest.raises(AgentLostError) as caught:
        run.work()
    run.clean_up()

    agent = stopped[0].plan.agent
    assert timeless(caught.value) == (
        f"workload: {agent} on {socket.gethostname()} (process {pids[agent]}) fell silent in the load: "
        "nothing was heard of it for 3 s"
    )
    workload = run.result().workload
    assert workload is not None
    assert sorted(each.outcome for each in workload.agents) == ["aborted", "lost"]


def test_an_agent_that_ends_between_the_phases_is_missed_at_the_next(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    agents_of: Callable[[Run], dict[str, int]],
    wait_for_end: Callable[[int], None],
    timeless: Callable[[object], str],
) -> None:
    run = run_of(_SUITE)
    run.prepare()
    pids = agents_of(run)
    os.kill(pids["b"], signal.SIGKILL)
    wait_for_end(pids["b"])
    with pytest.raises(AgentLostError) as caught:
        run.work()
    run.clean_up()

    assert timeless(caught.value) == f"b on {socket.gethostname()} (process {pids['b']}) ended before"
    assert [phase.phase for phase in run.result().phases] == ["prepare"]
    assert run.result().notes == _LEFT_BEHIND


def test_a_bug_that_ends_an_agent_comes_with_its_traceback(
    run_of: Callable[[str], Run],
    store: Path,
    change_agent: Callable[..., None],
    timeless: Callable[[object], str],
) -> None:
    change_agent(
        "serve",
        '        elif kind == "stage":\n',
        '        elif kind == "stage":\n            raise SystemExit("boom")\n',
    )
    run = run_of(_SUITE)
    with pytest.raises(AgentLostError) as caught:
        run.prepare()
    run.clean_up()
    first, trace, *_ = str(caught.value).splitlines()

    assert first.startswith(f"a on {socket.gethostname()} (process ")
    assert timeless(first).endswith(") ended before:")
    assert trace == "Traceback (most recent call last):"
    assert str(caught.value).endswith(
        "SystemExit: boom\n  This is a bug in pytest-sai3bench: please report it with this text."
    )
