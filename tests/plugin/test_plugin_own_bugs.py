from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plugin import suite_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_bug_keeps_its_traceback_and_the_storage_is_cleaned_up(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    block: Callable[..., list[str]],
) -> None:
    def broken(*arguments: object) -> None:
        raise ValueError("a bug of ours")

    monkeypatch.setattr(suite_run, "evaluate_stage", broken)
    write_suite()
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    # The workload, its cleanup, and the threshold all need the verdict.
    result.assert_outcomes(failed=2, errors=1)
    for title in (
        "workload mixed",
        "ERROR at teardown of workload mixed",
        "mixed/total.errors: total.errors == 0",
    ):
        *traceback, cause, _, place = block(result, title)
        assert cause == "E       ValueError: a bug of ours"
        assert place == f"{__file__}:{broken.__code__.co_firstlineno + 1}: ValueError"
        assert any("suite_run.py:" in line for line in traceback)
    assert [path for path in store.rglob("*") if path.is_file()] == []
