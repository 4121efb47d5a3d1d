"""``--sai3-json``: verdicts for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _written(pytester: pytest.Pytester, name: str = "out/verdicts.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(pytester.path.joinpath(name).read_text())
    return document


def test_every_verdict_of_every_run_is_written(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.count >= 1", "get.max < 1 ns", "{rule: put.max < 1 ns, xfail: slow disk}")
    write_suite("{rule: get.max < 1 ns, severity: warn}", name="suites/other.sai3.yaml")
    result = pytester.runpytest_inprocess("--sai3-json=out/verdicts.json", "-Wignore")
    result.assert_outcomes(passed=6, failed=1, xfailed=1)
    document = _written(pytester)
    assert document["counts"] == {"passed": 3, "failed": 1, "xfailed": 1, "warned": 1, "inconclusive": 0}
    latest = pytester.path.joinpath("sai3-results", "latest").resolve()
    assert [(run["nodeid"], run["status"], run["results"]) for run in document["runs"]] == [
        ("suite.sai3.yaml::mixed", "completed", str(latest / "suite.sai3" / "mixed")),
        ("suites/other.sai3.yaml::mixed", "completed", str(latest / "other.sai3" / "mixed")),
    ]
    assert [(one["nodeid"], one["effect"]) for run in document["runs"] for one in run["verdicts"]] == [
        ("suite.sai3.yaml::mixed/get.count", "passed"),
        ("suite.sai3.yaml::mixed/get.max", "failed"),
        ("suite.sai3.yaml::mixed/put.max", "xfailed"),
        ("suite.sai3.yaml::mixed/total.errors", "passed"),
        ("suites/other.sai3.yaml::mixed/get.max", "warned"),
        ("suites/other.sai3.yaml::mixed/total.errors", "passed"),
    ]
    # The same facts as in the result of the run.
    for run in document["runs"]:
        result_json = json.loads((latest / run["results"] / "result.json").read_text())
        assert [
            {key: value for key, value in one.items() if key not in ("nodeid", "effect")}
            for one in run["verdicts"]
        ] == result_json["verdicts"]


def test_a_run_that_did_not_begin_is_there_with_the_reason(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 1 s", target=f"{store.as_uri()}/missing/")
    pytester.runpytest_inprocess("--sai3-json=out/verdicts.json").assert_outcomes(errors=3)
    (run,) = _written(pytester)["runs"]
    assert run["status"] == "failed"
    assert "missing" in run["reason"]
    assert [one["effect"] for one in run["verdicts"]] == ["inconclusive", "inconclusive"]


def test_a_session_without_suites_writes_an_empty_list(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_inprocess("--sai3-json=out/verdicts.json").assert_outcomes(passed=1)
    assert _written(pytester)["runs"] == []


def test_beside_xdist_the_controller_writes_it(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("-n1", "--sai3-json=out/verdicts.json")
    assert result.ret == pytest.ExitCode.OK
    assert _written(pytester)["counts"]["passed"] == 2


def test_a_collection_writes_nothing(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite("get.max < 10 s")
    assert pytester.runpytest_inprocess("--collect-only", "--sai3-json=out/verdicts.json").ret == 0
    assert not pytester.path.joinpath("out").exists()


def test_a_file_that_cannot_be_written_is_told_without_traceback(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s")
    pytester.path.joinpath("out").write_text("a file, no folder")
    result = pytester.runpytest_inprocess("--sai3-json=out/verdicts.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "Exit: results cannot be written: *out: File exists",
            "Make room or permit writing there, or choose another place with --sai3-results or --sai3-json.",
        ]
    )
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
