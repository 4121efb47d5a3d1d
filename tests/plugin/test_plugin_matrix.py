"""A suite with a matrix: one run for each combination, with readable ids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MATRIX = "matrix: {object_size: [1KiB, 2KiB], concurrency: [1, 2]}\n"
_LABELS = [f"[object_size={size}-concurrency={lanes}]" for size in ("1KiB", "2KiB") for lanes in (1, 2)]


@pytest.fixture
def suite(write_suite: Callable[..., Path]) -> Path:
    path = write_suite("put.max > 1 ns")
    path.write_text(_MATRIX + path.read_text().replace("concurrency: 2\n", ""))
    return path


def test_ids_show_the_values(suite: Path, collected: Callable[..., list[str]]) -> None:
    assert collected() == [
        f"suite.sai3.yaml::mixed{label}{rule}"
        for label in _LABELS
        for rule in ("", "/put.max", "/total.errors")
    ]


def test_each_combination_is_a_run_with_results_of_its_own(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_inprocess("-k", "1KiB")

    result.assert_outcomes(passed=6, deselected=6)
    latest = pytester.path / "sai3-results" / "latest" / "suite.sai3"
    assert sorted(folder.name for folder in latest.iterdir()) == [f"mixed{label}" for label in _LABELS[:2]]
    plans = [json.loads((latest / f"mixed{label}" / "plan.json").read_text()) for label in _LABELS[:2]]
    assert [plan["workers"][0]["lanes"] for plan in plans] == [1, 2]


def test_one_combination_can_be_named(pytester: pytest.Pytester, suite: Path) -> None:
    result = pytester.runpytest_inprocess(f"suite.sai3.yaml::mixed{_LABELS[3]}/put.max")

    result.assert_outcomes(passed=1)


def test_a_problem_of_all_combinations_is_told_once(pytester: pytest.Pytester, suite: Path) -> None:
    with suite.open("a") as stream:
        stream.write("version: 1\n")
    result = pytester.runpytest_inprocess("--collect-only", "-q", "-Wdefault")

    assert len([line for line in result.outlines if "'version' has no effect" in line]) == 1
