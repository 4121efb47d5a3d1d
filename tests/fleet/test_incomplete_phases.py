"""Objects that prepare could not write, or cleanup could not remove."""

from __future__ import annotations

from threading import Timer
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

_SUITE = """
    target: file://{tmp}/m1/
    duration: 100ms
    concurrency: 1
    ERRORS
    prepare:
      ensure_objects: [{base_uri: data/, count: 5, size_spec: 4KiB}]
      cleanup: true
      cleanup_mode: MODE
    workload: [{op: get, path: data/prepared-00000000.dat, weight: 1}]
"""


def suite(mode: str, errors: str = "error_handling: {max_total_errors: 100}") -> str:
    return _SUITE.replace("MODE", mode).replace("ERRORS", errors)


def obstruct(store: Path) -> Callable[[], object]:
    """Put a folder in the place of object 3: it can be neither written nor unlinked."""
    return (store / "data" / "prepared-00000003.dat").mkdir


def replace(store: Path) -> Callable[[], None]:
    def act() -> None:
        (store / "data" / "prepared-00000003.dat").unlink()
        obstruct(store)()

    return act


def test_an_object_that_cannot_be_written_fails_the_run(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None]
) -> None:
    at_start(0, obstruct(store))
    run = run_of(suite("tolerant"))
    with pytest.raises(StageError) as caught:
        run.prepare()
    run.clean_up()

    assert str(caught.value) == (
        f"prepare: 1 object could not be written, the first at file://{store.parent}/m1/: Is a directory: "
        f"{store.parent}/m1/data/prepared-00000003.dat"
    )
    assert (run.result().status, run.result().reason) == ("failed", str(caught.value))


def test_a_retry_that_succeeds_makes_prepare_complete(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None]
) -> None:
    # Long after the first attempt, long before the second.
    later = Timer(1.2, (store / "data" / "prepared-00000003.dat").rmdir)
    at_start(0, obstruct(store), later.start)
    run = run_of(
        suite(
            "tolerant",
            "error_handling: {retry_on_error: true, max_retries: 1, initial_retry_delay_ms: 2500, "
            "max_retry_delay_ms: 2500, retry_jitter_factor: 0, error_rate_threshold: 1000}",
        )
    )
    run.prepare()
    prepared = run.result().phase("prepare")
    run.clean_up()

    assert prepared is not None
    assert (prepared.tally().ops, prepared.tally().errors, prepared.agents[0].retries) == (5, 1, 1)


@pytest.mark.parametrize("mode", ["strict", "tolerant", "best_effort"])
def test_an_object_that_cannot_be_removed_counts_as_the_mode_says(
    run_of: Callable[[str], Run], store: Path, at_start: Callable[..., None], mode: str
) -> None:
    at_start(2, replace(store))
    run = run_of(suite(mode))
    run.prepare()
    run.work()
    failure = ""
    try:
        run.clean_up()
    except StageError as error:
        failure = str(error)
    result = run.result()

    text = f"cleanup: 1 object could not be removed, the first at file://{store.parent}/m1/: Is a directory: "
    text += f"{store.parent}/m1/data/prepared-00000003.dat"
    assert failure == (text if mode == "strict" else "")
    assert result.notes == ((text,) if mode == "tolerant" else ())
    assert result.status == ("failed" if mode == "strict" else "completed")
    assert [path.name for path in (store / "data").iterdir()] == ["prepared-00000003.dat"]


def test_strict_cleanup_forgives_what_the_workload_itself_deleted(
    run_of: Callable[[str], Run], store: Path
) -> None:
    run = run_of(
        """
        target: file://{tmp}/m1/
        duration: 100ms
        prepare:
          ensure_objects: [{base_uri: data/, count: 5, size_spec: 4KiB}]
          cleanup: true
          cleanup_mode: strict
        workload: [{op: delete, path: "data/*", weight: 1}]
        """
    )
    run.prepare()
    run.work()
    run.clean_up()

    assert (run.result().status, list(store.iterdir())) == ("completed", [])
