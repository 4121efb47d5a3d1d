from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_without_terminal_the_outcome_is_the_same(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 1 ns")
    result = pytester.runpytest_inprocess("-pno:terminal", "--junitxml=junit.xml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.stdout.str() == ""
    assert "suite.sai3.yaml:13: get.max &lt; 1 ns" in pytester.path.joinpath("junit.xml").read_text()


def test_the_plugin_can_be_switched_off(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite()
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("-pno:sai3bench")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)


def test_suites_need_no_plugin_but_ours(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    write_suite("get.max < 1 ns")
    result = pytester.runpytest_inprocess("-p", "pytest_sai3bench.plugin.hooks")
    result.assert_outcomes(passed=2, failed=1)


def test_another_loop_over_the_items_may_shuffle_them(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 10 s", name="a.sai3.yaml")
    write_suite("get.max < 10 s", name="b.sai3.yaml")
    pytester.makeconftest(
        """
        def pytest_collection_modifyitems(items):
            # Threshold, workload and threshold of the two suites in turns.
            items[:] = [items[number] for number in (1, 4, 0, 3, 2, 5)]
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=6)
    assert list(store.rglob("*.dat")) == []
