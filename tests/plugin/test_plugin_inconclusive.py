from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# There is nothing more to delete after twenty samples.
_TOO_FEW = """\
name: deletes
target: {target}
duration: 1m
prepare:
  ensure_objects:
    - {{base_uri: data/, count: 20, size_spec: 0}}
workload:
  - {{op: delete, path: "data/*", weight: 1}}
thresholds:
  - delete.p99 < 1 h
"""
_REASON = "delete.p99 needs 100 samples, there are 20"


@pytest.fixture
def suite(pytester: pytest.Pytester, store: Path) -> Path:
    path = pytester.path / "deletes.sai3.yaml"
    path.write_text(_TOO_FEW.format(target=f"{store.as_uri()}/"))
    return path


def test_an_inconclusive_threshold_fails(
    pytester: pytest.Pytester, suite: Path, block: Callable[..., list[str]]
) -> None:
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    assert block(result, "deletes/delete.p99: delete.p99 < 1 h")[:3] == [
        _REASON,
        "deletes.sai3.yaml:10: delete.p99 < 1 h",
        "",
    ]


def test_an_inconclusive_threshold_may_be_skipped(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_inprocess("-osai3bench_inconclusive=skip", "-rs")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2, skipped=1)
    assert f"SKIPPED [1] deletes.sai3.yaml:10: {_REASON}" in result.outlines


def test_an_inconclusive_threshold_may_only_warn(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_inprocess("-osai3bench_inconclusive=warn", "-Wdefault")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, warnings=1)
    assert f"  {suite}:10: ThresholdWarning: {_REASON}" in result.outlines


def test_an_inconclusive_threshold_is_not_the_failure_that_was_expected(
    pytester: pytest.Pytester, suite: Path
) -> None:
    text = suite.read_text().replace("- delete.p99 < 1 h", "- {rule: delete.p99 < 1 h, xfail: firmware 4.2}")
    suite.write_text(text)
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
