"""Suites and thresholds that are not to run, or expected to fail, each with a reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_suite_that_is_skipped_does_not_run(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 1 ns", more='skip: "the array is being moved"\n')
    result = pytester.runpytest_inprocess("-rs", "-v")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["suite.sai3.yaml::mixed SKIPPED (the array is being moved)*"])
    assert list(store.iterdir()) == []
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_threshold_that_is_skipped_is_not_judged(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("{rule: get.max < 1 ns, skip: being discussed}", "get.max < 10 s")
    result = pytester.runpytest_inprocess("-v", "--sai3-json=verdicts.json")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, skipped=1)
    result.stdout.fnmatch_lines(["suite.sai3.yaml::mixed/get.max SKIPPED (being discussed)*"])
    document = json.loads(pytester.path.joinpath("verdicts.json").read_text())
    assert document["counts"] == {"passed": 2, "failed": 0, "xfailed": 0, "warned": 0, "inconclusive": 0}


def test_a_threshold_that_is_skipped_does_not_run_the_suite(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("{rule: get.max < 1 ns, skip: being discussed}")
    result = pytester.runpytest_inprocess("suite.sai3.yaml::mixed/get.max")

    result.assert_outcomes(skipped=1)
    assert list(store.iterdir()) == []


@pytest.mark.parametrize("strict", ["true", "false"])
def test_a_run_may_be_expected_to_fail(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], strict: str
) -> None:
    write_suite("get.max < 10 s", target="file:///no/such/folder/", more="xfail: not mounted yet\n")
    result = pytester.runpytest_inprocess("-rx", f"-oxfail_strict={strict}")

    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(xfailed=3)
    result.stdout.fnmatch_lines(
        [
            "XFAIL *suite.sai3.yaml::mixed - *not mounted yet",
            "XFAIL *suite.sai3.yaml::mixed/get.max - *not mounted yet",
        ]
    )


def test_a_run_that_should_have_failed_is_told(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s", "get.max < 1 ns", more="xfail: not mounted yet\n")
    result = pytester.runpytest_inprocess("-oxfail_strict=true")

    # The run itself is a strict XPASS; thresholds may be met.
    result.assert_outcomes(failed=1, xfailed=1, xpassed=2)
    result.stdout.fnmatch_lines(["*XPASS(strict)*not mounted yet"])


@pytest.mark.parametrize("arguments", [[], ["--strict-markers"]])
def test_a_registered_marker_selects_suites(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], arguments: list[str]
) -> None:
    pytester.makeini("[pytest]\nmarkers =\n    smoke: takes less than a minute\n    weekly: takes hours\n")
    write_suite(name="quick.sai3.yaml", more="markers: [smoke]\n")
    write_suite(name="slow.sai3.yaml", more="markers: [weekly]\n")
    result = pytester.runpytest_inprocess("-m", "smoke", "--collect-only", "-q", *arguments)

    assert [line for line in result.outlines if "::" in line] == [
        "quick.sai3.yaml::mixed",
        "quick.sai3.yaml::mixed/total.errors",
    ]
    assert result.ret == pytest.ExitCode.OK
    assert pytester.runpytest_inprocess("-m", "not smoke and not weekly", *arguments).ret == (
        pytest.ExitCode.NO_TESTS_COLLECTED
    )
