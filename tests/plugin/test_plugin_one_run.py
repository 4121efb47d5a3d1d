from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.results.model import Check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest


def _runs(pytester: pytest.Pytester) -> list[str]:
    """Return the runs that left a result."""
    folders = pytester.path.joinpath("sai3-results", "latest").glob("*/*/result.json")
    return sorted("/".join(path.parts[-3:-1]) for path in folders)


def test_each_run_happens_once_however_many_items_want_it(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s", "put.max < 10 s", name="a.sai3.yaml")
    write_suite("get.max < 10 s", name="b.sai3.yaml")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=7)
    assert _runs(pytester) == ["a.sai3/mixed", "b.sai3/mixed"]


def test_a_threshold_alone_performs_the_run(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 10 s", "put.max < 10 s")
    result = pytester.runpytest_inprocess("suite.sai3.yaml::mixed/put.max", "-v")
    result.assert_outcomes(passed=1)
    assert _runs(pytester) == ["suite.sai3/mixed"]
    assert list(store.rglob("*.*")) == []


def test_prepare_and_cleanup_are_the_setup_and_teardown_of_the_item_that_performs_the_run(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s")
    result = pytester.runpytest_inprocess("--durations=0", "--durations-min=0.02")
    durations = [line.split() for line in result.outlines if " suite.sai3.yaml::" in line]
    assert sorted((phase, item) for _, phase, item in durations) == [
        ("call", "suite.sai3.yaml::mixed"),
        ("setup", "suite.sai3.yaml::mixed"),
        ("teardown", "suite.sai3.yaml::mixed"),
    ]


_EMPTY_STORE = """
import pathlib

def pytest_runtest_call(item):
    for path in pathlib.Path("store/data").glob("*"):
        path.unlink()
"""
_WHY = [
    "local: suite.sai3.yaml:10: get: data/* matches none of the 0 objects in data/",
    "  Correct the path, or let prepare make the objects (prepare.ensure_objects).",
]


def test_a_failed_run_fails_the_item_that_performs_it_and_leaves_the_others_without_a_judgement(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("get.max < 10 s")
    pytester.makeconftest(_EMPTY_STORE)
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=3)
    assert block(result, "workload mixed") == _WHY
    assert block(result, "mixed/get.max: get.max < 10 s") == [
        f"the run failed: {_WHY[0]}",
        "suite.sai3.yaml:13: get.max < 10 s",
        "",
        *[line for line in result.outlines if line.startswith("results: ")][:1],
    ]


def test_a_threshold_that_performs_a_failed_run_fails_even_if_it_only_warns(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("{rule: get.max < 10 s, severity: warn, xfail: firmware 4.2}")
    pytester.makeconftest(_EMPTY_STORE)
    result = pytester.runpytest_inprocess("-kmax", "-osai3bench_inconclusive=skip")
    result.assert_outcomes(failed=1)
    assert block(result, "mixed/get.max: get.max < 10 s") == _WHY


def test_the_workload_fails_after_a_threshold_that_performed_the_failed_run(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("get.max < 10 s")
    pytester.makeconftest(_EMPTY_STORE)
    result = pytester.runpytest_inprocess("suite.sai3.yaml::mixed/get.max", "suite.sai3.yaml::mixed")
    result.assert_outcomes(failed=2)
    assert block(result, "workload mixed") == _WHY


def test_a_cleanup_that_fails_is_an_error_and_no_threshold_suffers(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]], store: Path
) -> None:
    suite = write_suite("get.max < 10 s")
    suite.write_text(suite.read_text().replace("cleanup: true", "cleanup: true\n  cleanup_mode: strict"))
    pytester.makeconftest(
        """
        import pathlib, pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_teardown():
            pathlib.Path("store/data/prepared-00000007.dat").unlink(missing_ok=True)
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3, errors=1)
    assert "Traceback" not in result.stdout.str()
    assert block(result, "ERROR at teardown of workload mixed") == [
        (
            f"cleanup: 1 object could not be removed, the first at file://{store}/: "
            f"No such file or directory: {store}/data/prepared-00000007.dat"
        )
    ]


def test_totals_that_contradict_each_other_fail_the_workload_and_leave_no_judgement(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    block: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    measured = Run.result
    wrong = Check("reconcile-ticks", passed=False, value="1 ops", expected="2 ops")
    monkeypatch.setattr(Run, "result", lambda run: replace(measured(run), checks=(wrong,)))
    write_suite("get.max < 10 s")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=3)
    assert block(result, "workload mixed") == [
        "the totals of the run contradict each other:",
        "reconcile-ticks: 1 ops, expected 2 ops",
    ]
    assert block(result, "mixed/get.max: get.max < 10 s")[0] == (
        "the totals do not reconcile: reconcile-ticks is 1 ops, expected 2 ops"
    )
