"""Thresholds with a window, and one that ends the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_INTERVAL = "perf_log: {interval: 100ms}\n"


def test_windows_of_a_run_are_judged(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite(
        "get.count < 100M @each(500ms)",
        "get.count < 100M @last(1s)",
        "get.count < 1 @each(500ms)",
        duration="2s",
        more=_INTERVAL,
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=4, failed=1)
    first = block(result, "mixed/get.count[each=500ms]-2: get.count < 1 @each(500ms)")[0]
    assert "of 4 windows)" in " ".join(result.outlines)
    assert first.startswith("get.count was ")


def test_a_rule_ends_the_run_long_before_its_time(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path, block: Callable[..., list[str]]
) -> None:
    write_suite("get.count < 1 abort after 300ms", "total.ops >= 1 /s", duration="10m", more=_INTERVAL)
    result = pytester.runpytest_inprocess("-rf")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(failed=4)
    workload = block(result, "workload mixed")
    assert workload[0].startswith("get.count < 1 abort after 300ms: get.count was ")
    aborting = block(result, "mixed/get.count: get.count < 1 abort after 300ms")
    assert aborting[0].startswith("get.count was ")
    other = block(result, "mixed/total.ops: total.ops >= 1 /s")
    assert other[0].startswith("the run was ended by another rule: get.count < 1 abort after 300ms: ")
    assert list(store.glob("data/*")) == []
