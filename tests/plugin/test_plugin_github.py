"""Annotations and the job summary on GitHub Actions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def summary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make it look like GitHub Actions, with a checkout above the folder of the tests, and return the job summary."""
    path = pytester.path / "summary.md"
    path.write_text("what another step said\n")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path.parent))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


def _annotations(result: pytest.RunResult, pytester: pytest.Pytester) -> list[str]:
    """Return the annotations with the first line of their text, without what was measured."""
    lines = [line.partition("%0A")[0] for line in result.outlines if line.startswith("::")]
    lines = [line.replace(f"file={pytester.path.name}/", "file=") for line in lines]
    return [re.sub(r" was .* the limit is| expected one of .*", " …", line) for line in lines]


def test_what_failed_is_annotated_at_its_line(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], summary: Path
) -> None:
    write_suite(
        "get.count < 1",
        "{rule: put.count < 1, severity: warn}",
        "{rule: total.count < 1, xfail: slow}",
        more="bogus: 1\n",
    )
    pytester.makepyfile(
        test_it="""
        def test_ordinary():
            assert False

        def test_measuring(sai3bench, tmp_path):
            suite = {"target": tmp_path.as_uri(), "duration": "400ms", "thresholds": ["put.count < 1"]}
            sai3bench.run({**suite, "workload": [{"op": "put", "path": "a/", "weight": 1, "object_size": 1}]})
        """
    )
    result = pytester.runpytest_inprocess("-Wdefault", "-m", "sai3bench")
    result.assert_outcomes(passed=3, failed=2, xfailed=1, warnings=2, deselected=1)
    name = "suite.sai3.yaml%3A%3Amixed"
    odd = "::warning file=suite.sai3.yaml,line=16,title=pytest-sai3bench::"
    failed = "::error file=test_it.py,line=6,title=test_it.py%3A%3Atest_measuring::"
    assert [re.sub(r"\(.*", "", line).strip() for line in _annotations(result, pytester)] == [
        f"{odd}suite.sai3.yaml:16: bogus: unknown key 'bogus': …",
        f"::error file=suite.sai3.yaml,line=13,title={name}/get.count::get.count … < 1",
        f"::warning file=suite.sai3.yaml,line=14,title={name}/put.count::put.count … < 1",
        f"{failed}pytest_sai3bench.plugin.api.ThresholdsUnmetError: put.count … < 1",
    ]
    lines = summary.read_text().splitlines()
    assert lines[0] == "what another step said"
    assert [line for line in lines if line.startswith("#")] == [
        "### `suite.sai3.yaml::mixed`: completed",
        "### `test_it.py::test_measuring/workload`: completed",
    ]
    effects = [line.split(" | ")[:2] for line in lines if "< 1`" in line or "== 0`" in line]
    assert effects == [
        ["| **failed**", "`get.count < 1`"],
        ["| **warned**", "`put.count < 1`"],
        ["| **xfailed**", "`total.count < 1`"],
        ["| passed", "`total.errors == 0`"],
        ["| **failed**", "`put.count < 1`"],
        ["| passed", "`total.errors == 0`"],
    ]


def test_what_is_wrong_in_suites_is_annotated_at_its_line(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], summary: Path
) -> None:
    write_suite("got.max < 1 ns", duration="soon")
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    words = "expected a number of seconds or text such as 500ms, 60s, 1h 30m"
    title = "title=suite.sai3.yaml"
    assert _annotations(result, pytester) == [
        f"::error file=suite.sai3.yaml,line=3,{title}::duration: 'soon' is not a duration: {words}",
        f"::error file=suite.sai3.yaml,line=13,{title}::thresholds[0]: col 1: 'got' is not a scope; did you mean 'get'?",
    ]
    assert summary.read_text() == "what another step said\n"


def test_a_run_that_did_not_begin_is_annotated_and_summed_up(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], summary: Path
) -> None:
    write_suite(target="file:///no/such/folder/")
    result = pytester.runpytest_inprocess("-k", "not errors")
    result.assert_outcomes(errors=1, deselected=1)
    (line,) = _annotations(result, pytester)
    assert line.startswith("::error file=suite.sai3.yaml,line=1,title=suite.sai3.yaml%3A%3Amixed::")
    assert "### `suite.sai3.yaml::mixed`: failed" in summary.read_text()


def test_ordinary_tests_are_none_of_our_business(pytester: pytest.Pytester, summary: Path) -> None:
    pytester.makepyfile("def test_it(): assert False")
    result = pytester.runpytest_inprocess()
    assert _annotations(result, pytester) == []
    assert summary.read_text() == "what another step said\n"


def test_a_summary_that_cannot_be_written_is_told_without_traceback(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    summary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary.parent))
    write_suite()
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "Exit: the job summary cannot be written: *: Is a directory",
            "The variable GITHUB_STEP_SUMMARY names the file; unset it to go without.",
        ]
    )
