"""Exceptions that hit the main thread in the middle of a phase, at an instant that the test chooses."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.fleet.run import Run

_SUITE = """
    duration: 60s
    concurrency: 2
    distributed: {agents: [{address: localhost}, {address: localhost}]}
    multi_endpoint: {endpoints: ["file://{tmp}/m1/", "file://{tmp}/m2/"]}
    prepare:
      ensure_objects: [{base_uri: data/, count: 8, size_spec: 4KiB}]
      cleanup: true
      post_prepare_delay: 0s
    workload:
      - {op: get, path: "data/*", weight: 9}
      - {op: put, path: new/, weight: 1, object_size: 1KiB}
"""


class OutOfTime(BaseException):
    """As those that pytest and its plugins raise, no error in the sense of Python."""


def _raise(error: type[BaseException]) -> Callable[..., None]:
    def act(*_arguments: Member) -> None:
        raise error

    return act


@pytest.mark.parametrize("error", [KeyboardInterrupt, OutOfTime])
def test_the_workload_stops_and_what_it_measured_is_kept(
    run_of: Callable[[str], Run],
    store: Path,
    on_message: Callable[..., None],
    error: type[BaseException],
) -> None:
    instants: list[float] = []

    def interrupt(_member: Member) -> None:
        instants.append(monotonic())
        raise error

    on_message("tick", 1, interrupt)
    run = run_of(_SUITE)
    run.prepare()
    with pytest.raises(error):
        run.work()
    stopped_after_s = monotonic() - instants[0]
    interrupted = run.result()
    run.clean_up()
    result = run.result()

    # What a user may expect of Ctrl-C.
    assert stopped_after_s < 2
    assert (result.status, result.reason) == ("interrupted", "interrupted during workload")
    workload = interrupted.workload
    assert workload is not None
    assert [agent.outcome for agent in workload.agents] == ["aborted", "aborted"]
    assert min(workload.tally(agent=f"agent-{number}").ops for number in (1, 2)) > 0
    assert [check.passed for check in interrupted.checks if check.name.startswith("reconcile")] == [True] * 5
    assert (result.workload, [phase.phase for phase in result.phases]) == (
        workload,
        ["prepare", "workload", "cleanup"],
    )
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("instant", ["one is ready", "one was told to start"])
def test_prepare_stops_when_agents_differ_in_how_far_they_are(
    run_of: Callable[[str], Run],
    store: Path,
    at_start: Callable[..., None],
    on_message: Callable[..., None],
    instant: str,
) -> None:
    if instant == "one is ready":
        on_message("ready", 0, _raise(KeyboardInterrupt))
    else:
        at_start(0, after=_raise(KeyboardInterrupt))
    run = run_of(_SUITE)
    with pytest.raises(KeyboardInterrupt):
        run.prepare()
    assert not any(member.loss for member in run._fleet._members)
    run.clean_up()

    assert (run.result().status, run.result().reason) == ("interrupted", "interrupted during prepare")
    assert list(store.iterdir()) == []


def test_the_rest_after_prepare_stops(
    run_of: Callable[[str], Run], store: Path, on_message: Callable[..., None]
) -> None:
    on_message("result", 0, _raise(KeyboardInterrupt))
    run = run_of(_SUITE.replace("post_prepare_delay: 0s", "post_prepare_delay: 600s"))
    with pytest.raises(KeyboardInterrupt):
        run.prepare()
    prepared = run.result().phase("prepare")
    run.clean_up()

    assert prepared is not None
    assert prepared.tally(ops=["put"]).ops == 8
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("message", ["hello", "pong", "preflight"])
def test_the_opening_stops_and_leaves_nothing(
    run_of: Callable[[str], Run],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    on_message: Callable[..., None],
    message: str,
) -> None:
    on_message(message, None, _raise(KeyboardInterrupt))
    run = run_of(_SUITE)
    with pytest.raises(KeyboardInterrupt):
        run.prepare()
    assert not run._fleet.is_open
    run.clean_up()
    result = run.result()

    assert (result.status, result.reason, result.phases) == ("interrupted", "interrupted during prepare", ())


def test_a_second_interrupt_ends_everything_at_once(
    run_of: Callable[[str], Run],
    store: Path,
    on_message: Callable[..., None],
    at_start: Callable[..., None],
) -> None:
    on_message("tick", 1, _raise(KeyboardInterrupt))
    run = run_of(_SUITE)
    run.prepare()
    with pytest.raises(KeyboardInterrupt):
        run.work()
    at_start(2, _raise(OutOfTime))
    with pytest.raises(OutOfTime):
        run.clean_up()

    assert not run._fleet.is_open
    assert (run.result().status, run.result().reason) == ("interrupted", "interrupted during workload")


def test_an_interrupt_while_the_load_stops_leaves_the_rest_to_the_cleanup(
    run_of: Callable[[str], Run], store: Path, on_message: Callable[..., None]
) -> None:
    """The second of two interrupts comes before the agents have sent their results."""
    interrupt = _raise(KeyboardInterrupt)

    def interrupt_again(_member: Member) -> None:
        on_message("result", 1, interrupt)
        raise KeyboardInterrupt

    on_message("tick", 1, interrupt_again)
    run = run_of(_SUITE)
    run.prepare()
    with pytest.raises(KeyboardInterrupt):
        run.work()
    run.clean_up()

    assert [phase.phase for phase in run.result().phases] == ["prepare", "workload", "cleanup"]
    assert list(store.iterdir()) == []


def test_the_first_reason_counts(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None]
) -> None:
    run = run_of(_SUITE.replace('path: "data/*"', 'path: "nothing/*"'))
    run.prepare()
    with pytest.raises(StageError) as caught:
        run.work()
    at_start(2, _raise(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run.clean_up()

    assert (run.result().status, run.result().reason) == ("failed", str(caught.value))
