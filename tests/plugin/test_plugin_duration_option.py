from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_the_option_replaces_the_duration_of_the_suite(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(duration="1h")
    pytester.runpytest_inprocess("--sai3-duration", "300ms").assert_outcomes(passed=2)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    plan = json.loads((folder / "plan.json").read_text())
    stages = {stage["kind"]: stage["duration_s"] for stage in plan["workers"][0]["stages"]}
    assert stages == {"prepare": 0.0, "workload": 0.3, "cleanup": 0.0}
    result = json.loads((folder / "result.json").read_text())
    workload = next(phase for phase in result["phases"] if phase["phase"] == "workload")
    assert [agent["window_s"] for agent in workload["agents"]] == [0.3]
    # The suite itself is kept as it is.
    assert (folder / "config.yaml").read_text() == (pytester.path / "suite.sai3.yaml").read_text()


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("soon", "'soon' is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m"),
        ("-5", "'-5' is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m"),
        ("0s", "'0s' is not a duration above 0"),
    ],
)
def test_what_is_no_duration_is_a_usage_error(pytester: pytest.Pytester, text: str, cause: str) -> None:
    result = pytester.runpytest_inprocess(f"--sai3-duration={text}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f" error: argument --sai3-duration: {cause}\n" in result.stderr.str()


def test_an_unknown_way_with_inconclusive_thresholds_is_a_usage_error(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nsai3bench_inconclusive = ignore\n")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.errlines == ["ERROR: sai3bench_inconclusive is 'ignore': expected fail, skip or warn", ""]
