"""Baselines of a session: saved, compared with, created, and refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_INTERVAL = "perf_log: {interval: 100ms}\n"


@pytest.fixture
def suite(write_suite: Callable[..., Path]) -> Path:
    # Limits that any two runs meet, and miss, however busy the machine is.
    return write_suite(
        "get.ops >= 0.0001% of baseline",
        "get.ops >= 1000000% of baseline(main)",
        duration="1s",
        more=_INTERVAL,
    )


def test_a_run_is_saved_and_the_next_is_compared_with_it(
    pytester: pytest.Pytester, suite: Path, block: Callable[..., list[str]]
) -> None:
    result = pytester.runpytest_inprocess("--sai3-save-baseline=main")
    result.assert_outcomes(passed=2, failed=2)
    path = pytester.path / ".sai3bench" / "baselines" / "main" / "suite.sai3.yaml-mixed.json"
    title = "mixed/get.ops[baseline=main]: get.ops >= 1000000% of baseline(main)"
    assert block(result, title)[0].startswith("there is no baseline main yet:")
    title = "mixed/get.ops[baseline]: get.ops >= 0.0001% of baseline"
    assert block(result, title)[0] == "no baseline was chosen: give --sai3-baseline NAME, PATH or latest"
    document = json.loads(path.read_text())
    assert (document["format"], document["run"]) == (1, "suite.sai3.yaml::mixed")
    assert document["fingerprint"]["stages[2].duration_s"] == "1.0"

    for chosen in ("main", "latest", str(path)):
        result = pytester.runpytest_inprocess(f"--sai3-baseline={chosen}")
        result.assert_outcomes(passed=3, failed=1)
        assert "of baseline(main)" in " ".join(result.outlines)

    result = pytester.runpytest_inprocess(
        "--sai3-baseline=main", "--sai3-duration=800ms", "-k", "ops-baseline or baseline"
    )
    title = "mixed/get.ops[baseline]: get.ops >= 0.0001% of baseline"
    assert block(result, title)[0] == "baseline main is of another setup: stages[2].duration_s: 1.0 → 0.8"


def test_a_missing_baseline_is_created_on_request_and_is_no_pass(
    pytester: pytest.Pytester, suite: Path
) -> None:
    result = pytester.runpytest_inprocess("--sai3-baseline=first", "--sai3-baseline-create-missing", "-rs")
    result.assert_outcomes(passed=2, skipped=2)
    assert "; it has been made of this run" in " ".join(result.outlines)
    assert {path.parent.name for path in pytester.path.glob(".sai3bench/baselines/*/*.json")} == {
        "first",
        "main",
    }


@pytest.mark.parametrize("name", ["latest", "a/b", ""])
def test_a_name_that_cannot_be_one(pytester: pytest.Pytester, name: str) -> None:
    result = pytester.runpytest_inprocess(f"--sai3-save-baseline={name}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--sai3-save-baseline: '{name}' is not a name of a baseline: *"])
