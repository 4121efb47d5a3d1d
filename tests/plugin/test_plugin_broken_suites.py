from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BROKEN = """\
name: mixed
target: file:///mnt/a/
duration: 10 parsecs
workload:
  - {op: rename, path: "data/*", weight: 1}
  - {op: get, path: "data/*", weight: many}
thresholds:
  - get.p99 < 20 ms
  - get.p98 < 20 ms
"""
_NOWHERE = """\
workload:
  - {op: get, path: "data/*", weight: 1}
thresholds:
  - get.p99 < 20
"""
_UNKNOWN_KEY = "suite.sai3.yaml:12: durration: unknown key 'durration', did you mean 'duration'?"


def test_a_broken_suite_stops_the_session_and_shows_all_its_problems(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite(name="good.sai3.yaml")
    pytester.path.joinpath("broken.sai3.yaml").write_text(_BROKEN)
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert block(result, "ERROR collecting broken.sai3.yaml") == [
        (
            "broken.sai3.yaml:3: duration: '10 parsecs' is not a duration: "
            "expected a number of seconds or text such as 500ms, 60s, 1h 30m"
        ),
        (
            "broken.sai3.yaml:5: workload[0].op: unknown operation 'rename': "
            "expected one of get, put, list, stat, delete, mkdir, rmdir"
        ),
        (
            "broken.sai3.yaml:6: workload[1].weight: 'many' is not a count: "
            "expected a whole number such as 16 or 64,000"
        ),
        "broken.sai3.yaml:9: thresholds[1]: col 5: 'p98' is not a metric; did you mean 'p95' or 'p99'?",
    ]
    result.assert_outcomes(errors=1)
    assert "Traceback" not in result.stdout.str()
    assert not pytester.path.joinpath("sai3-results").exists()


def test_what_is_wrong_with_the_plan_and_with_the_rules_is_shown_together(
    pytester: pytest.Pytester, block: Callable[..., list[str]]
) -> None:
    pytester.path.joinpath("nowhere.sai3.yaml").write_text(_NOWHERE)
    result = pytester.runpytest_inprocess()
    assert block(result, "ERROR collecting nowhere.sai3.yaml") == [
        (
            "nowhere.sai3.yaml:1: nothing says where the storage is: "
            "expected 'target', 'multi_endpoint' or paths that are URIs, or S3_ENDPOINT_URIS in the environment"
        ),
        "nowhere.sai3.yaml:4: thresholds[0]: col 11: a time needs a unit: write 20 ms or 20 s",
    ]


def test_good_suites_run_beside_a_broken_one_when_asked_to(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(name="good.sai3.yaml")
    pytester.path.joinpath("broken.sai3.yaml").write_text(_BROKEN)
    result = pytester.runpytest_inprocess("--continue-on-collection-errors")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, errors=1)


def test_a_threshold_that_is_wrong_or_can_never_be_judged_is_a_broken_suite(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("get.p98 < 20 ms", "delete.p99 < 20 ms", "get.p99 < 20")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert block(result, "ERROR collecting suite.sai3.yaml") == [
        "suite.sai3.yaml:13: thresholds[0]: col 5: 'p98' is not a metric; did you mean 'p95' or 'p99'?",
        "suite.sai3.yaml:14: thresholds[1]: col 1: the workload has no delete; it has get and put",
        "suite.sai3.yaml:15: thresholds[2]: col 11: a time needs a unit: write 20 ms or 20 s",
    ]


def test_warnings_name_file_and_line(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    path = write_suite(more="durration: 3s\n")
    result = pytester.runpytest_inprocess("--collect-only", "-Wdefault")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["suite.sai3.yaml:12", f"  {path}:12: SuiteWarning: {_UNKNOWN_KEY}", "    durration: 3s"],
        consecutive=True,
    )
    assert result.stdout.str().count("SuiteWarning") == 1


@pytest.mark.parametrize("arguments", [["-osai3bench_strict=true"], ["-Werror"]])
def test_warnings_can_be_errors(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    block: Callable[..., list[str]],
    arguments: list[str],
) -> None:
    write_suite(more="durration: 3s\nwaarmup: 1s\n")
    result = pytester.runpytest_inprocess("--collect-only", *arguments)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert block(result, "ERROR collecting suite.sai3.yaml") == [
        _UNKNOWN_KEY,
        "suite.sai3.yaml:13: waarmup: unknown key 'waarmup', did you mean 'warmup'?",
    ]


_UNKNOWN_MARKER = (
    "suite.sai3.yaml:12: markers[1]: the marker 'nightly' is not registered: "
    "expected a line 'nightly: …' in the ini option 'markers'"
)


def test_a_marker_that_is_not_registered_is_a_warning(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes long\n")
    path = write_suite(more="markers: [slow, nightly]\n")
    result = pytester.runpytest_inprocess("--collect-only", "-q", "-mnightly", "-Wdefault")
    result.stdout.fnmatch_lines(
        ["suite.sai3.yaml::mixed", f"  {path}:12: SuiteWarning: {_UNKNOWN_MARKER.replace('[1]', '[[]1]')}"]
    )
    assert result.stdout.str().count("SuiteWarning") == 1


@pytest.mark.parametrize("arguments", [["--strict-markers"], ["-osai3bench_strict=true"], ["-Werror"]])
def test_a_marker_that_is_not_registered_can_be_an_error(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    block: Callable[..., list[str]],
    arguments: list[str],
) -> None:
    pytester.makeini("[pytest]\nmarkers = slow: takes long\n")
    write_suite(more="markers: [slow, nightly]\n")
    result = pytester.runpytest_inprocess("--collect-only", *arguments)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert block(result, "ERROR collecting suite.sai3.yaml") == [_UNKNOWN_MARKER]
