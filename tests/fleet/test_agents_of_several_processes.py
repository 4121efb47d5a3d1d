"""An agent of several processes is one agent in the results, and each of its processes one in the messages."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentLostError, PreflightError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.fleet.run import Run

_SUITE = """
    duration: 500ms
    warmup: 200ms
    concurrency: 5
    processes: 2
    error_handling: {max_total_errors: 1000000}
    distributed:
      agents:
        - {address: localhost, id: a, multi_endpoint: {endpoints: ["file://{tmp}/m1/", "file://{tmp}/m2/"]}}
        - {address: localhost, id: b, multi_endpoint: {endpoints: ["file://{tmp}/m3/", "file://{tmp}/m4/"]}}
    prepare:
      ensure_objects: [{base_uri: data/, count: 43, size_spec: 512}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 5}
      - {op: put, path: new/, object_size: 512, weight: 1}
      - {op: delete, path: "data/*", weight: 1}
"""


def test_everything_is_done_once_and_all_of_it_is_counted(
    run_of: Callable[[str], Run], store: Path, files_below: Callable[[Path], list[str]]
) -> None:
    run = run_of(_SUITE)
    run.prepare()
    run.work()
    run.clean_up()
    result = run.result()

    prepare, workload, cleanup = result.phases
    assert (prepare.tally().ops, prepare.tally().errors) == (2 * 43, 0)
    assert [(each.agent, each.outcome, each.workers, each.lanes) for each in workload.agents] == [
        ("a", "completed", 2, 5),
        ("b", "completed", 2, 5),
    ]
    assert [len(each.worker_cpu) for each in workload.agents] == [2, 2]
    # Each object that is to be deleted was, by one of the four, and none that others read.
    both = [*workload.warmup.items(), *workload.series.items()]
    assert sum(tally.requests for key, tally in both if key.op == "delete") == 43
    assert sum(tally.errors for _, tally in both) == 0
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
    puts = sum(tally.ops + tally.tail_ops for key, tally in both if key.op == "put")
    assert cleanup.tally(ops=["delete"]).ops == 43 + puts
    assert files_below(store) == []


def test_a_lost_process_is_named_with_its_agent(
    run_of: Callable[[str], Run],
    store: Path,
    on_message: Callable[..., list[Member]],
    timeless: Callable[[object], str],
) -> None:
    killed = on_message("ready", 1, lambda member: os.kill(member.hello["pid"], signal.SIGKILL))
    run = run_of(_SUITE)
    run.prepare()
    with pytest.raises(AgentLostError) as caught:
        run.work()
    run.clean_up()

    [member] = killed
    place = f"on {member.hello['host']} (process {member.hello['pid']})"
    # The others may have begun already.
    text = timeless(caught.value).removeprefix("workload: ").replace("in the load", "before")
    assert text == f"{member.plan.agent} (worker {member.plan.process + 1} of 2) {place} ended before"


def test_what_all_processes_of_an_agent_find_is_said_once(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(
        """
        target: file://{tmp}/none/
        processes: 2
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    )
    with pytest.raises(PreflightError) as caught:
        run.prepare()

    folder = store.parent / "none"
    assert str(caught.value) == (
        f"s.yaml:1: local cannot use file://{folder}/: there is no folder {folder}/\n"
        "  Create the folder or mount the file system, or correct the path."
    )
