"""Stages that end before their time, and what is kept of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

_READS = """
    duration: 60s
    concurrency: 1
    error_handling: {max_total_errors: 3, error_rate_threshold: 1000}
    distributed:
      agents:
        - {address: localhost, id: a, target_override: "file://{tmp}/m1/"}
        - {address: localhost, id: b, target_override: "file://{tmp}/m2/"}
    prepare:
      ensure_objects: [{base_uri: data/, count: 1, size_spec: 4KiB}]
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 1}
"""


def test_too_many_errors_of_one_agent_stop_all(
    run_of: Callable[[str], Run],
    store: Path,
    tmp_path: Path,
    at_start: Callable[..., None],
) -> None:
    """Only agent a loses sight of its objects."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def take_away() -> None:
        (tmp_path / "m1").unlink()
        (tmp_path / "m1").symlink_to(elsewhere)

    at_start(1, take_away)
    run = run_of(_READS)
    run.prepare()
    with pytest.raises(StageError) as caught:
        run.work()
    run.clean_up()
    result = run.result()

    assert str(caught.value) == (
        "workload: a gave up after 3 errors (error_handling.max_total_errors); the last: No such file or directory: "
        f"{tmp_path}/m1/data/prepared-00000000.dat"
    )
    assert (result.status, result.reason) == ("failed", str(caught.value))
    workload = result.workload
    assert workload is not None
    assert [(each.agent, each.outcome) for each in workload.agents] == [("a", "gave-up"), ("b", "aborted")]
    assert workload.tally(agent="a").errors == 3
    assert workload.tally(agent="b").errors == 0
    assert all(agent.wall_s < 30 for agent in workload.agents)
    assert result.phase("cleanup") is not None


def test_a_prepare_that_gives_up_is_cleaned_up_and_works_no_more(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None]
) -> None:
    at_start(0, (store / "data" / "prepared-00000002.dat").mkdir)
    run = run_of(
        """
        target: file://{tmp}/m1/
        concurrency: 1
        error_handling: {max_total_errors: 1}
        prepare:
          ensure_objects: [{base_uri: data/, count: 5, size_spec: 4KiB}]
          cleanup: true
        workload: [{op: get, path: "data/*", weight: 1}]
        """
    )
    with pytest.raises(StageError) as caught:
        run.prepare()
    prepared = run.result().phase("prepare")
    (store / "data" / "prepared-00000002.dat").rmdir()
    run.clean_up()

    assert str(caught.value) == (
        "prepare: local gave up after 1 errors (error_handling.max_total_errors); the last: Is a directory: "
        f"{store.parent}/m1/data/prepared-00000002.dat"
    )
    assert prepared is not None
    assert (prepared.tally().ops, prepared.tally().errors) == (2, 1)
    assert list(store.iterdir()) == []
    assert (run.result().status, run.result().reason) == ("failed", str(caught.value))


def test_a_cleanup_that_gives_up_raises_after_all_agents_have_ended(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None]
) -> None:
    def replace() -> None:
        path = store / "data" / "prepared-00000000.dat"
        path.unlink()
        path.mkdir()

    at_start(2, replace)
    run = run_of(_READS.replace("max_total_errors: 3", "max_total_errors: 1").replace("60s", "100ms"))
    run.prepare()
    run.work()
    with pytest.raises(StageError) as caught:
        run.clean_up()

    assert re.fullmatch(
        r"cleanup: a gave up after 1 errors \(error_handling\.max_total_errors\); the last: "
        r"(Is a directory|Operation not permitted): "
        + re.escape(f"{store.parent}/m1/data/prepared-00000000.dat"),
        str(caught.value),
    )
    assert (run.result().status, run.result().reason) == ("failed", str(caught.value))
    assert not run._fleet.is_open


def test_work_that_runs_out_is_no_failure(run_of: Callable[[str], Run], store: Path) -> None:
    run = run_of(_READS.replace("{op: get,", "{op: delete,"))
    run.prepare()
    run.work()
    run.clean_up()
    workload = run.result().workload

    assert run.result().status == "completed"
    assert workload is not None
    assert sorted(each.outcome for each in workload.agents) == ["exhausted", "exhausted"]
    assert workload.tally(ops=["delete"]).ops == 1
