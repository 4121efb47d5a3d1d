"""``pytest-sai3bench validate``: everything that is wrong in suites, and an exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_sai3bench import __version__
from pytest_sai3bench.cli import main

_GOOD = "target: file:///data/\nworkload: [{op: get, path: a, weight: 1}]\n"
_WRONG = """\
target: file:///data/
conurrency: 3
workload:
  - {op: get, path: a, weight: many}
thresholds:
  - put.p99 < 2 ms
"""
_NO_RULE = _GOOD + "thresholds: [put.p99 < 2 ms]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_right_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "good.yaml").write_text(_GOOD)

    assert main(["validate", "good.yaml"]) == 0
    assert capsys.readouterr() == ("1 suite, 0 errors, 0 warnings\n", "")


def test_every_problem_of_every_file_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "suites" / "deep").mkdir(parents=True)
    (folder / "suites" / "deep" / "rule.yml").write_text(_NO_RULE)
    (folder / "suites" / "wrong.yaml").write_text(_WRONG)
    (folder / "suites" / "other.yaml").write_text("services: {}\n")
    (folder / "suites" / "notes.txt").write_text(_WRONG)

    assert main(["validate", "suites"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "suites/wrong.yaml:2: warning: conurrency: unknown key 'conurrency', did you mean 'concurrency'?",
        "suites/wrong.yaml:4: error: workload[0].weight: 'many' is not a count: expected a whole number such as 16 or 64,000",
        "suites/deep/rule.yml:3: error: thresholds[0]: col 1: the workload has no put; it has get",
        "2 suites, 2 errors, 1 warning",
    ]


def test_oddities_are_errors_when_that_is_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.yaml").write_text(_GOOD + "conurrency: 3\n")

    assert [main(["validate", "s.yaml"]), main(["validate", "--strict", "s.yaml"])] == [0, 1]
    assert [line for line in capsys.readouterr().out.splitlines() if "suite," in line] == [
        "1 suite, 0 errors, 1 warning",
        "1 suite, 1 error, 0 warnings",
    ]


def test_variables_come_from_the_environment(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "s.yaml").write_text(_GOOD.replace("/data/", "/${WHERE}/"))
    monkeypatch.setenv("WHERE", "there")

    assert main(["validate", "s.yaml"]) == 0
    monkeypatch.delenv("WHERE")
    assert main(["validate", "s.yaml"]) == 1


def test_what_waits_for_fixtures_is_told_and_no_error(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = _GOOD.replace("file:///data/", "${fixture.store.uri}")
    (folder / "s.yaml").write_text(text + "fixtures: [store]\n")

    assert main(["validate", "s.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "s.yaml:1: note: target waits for fixture.store.uri: checked when pytest runs the suite",
        "1 suite, 0 errors, 0 warnings",
    ]


@pytest.mark.parametrize("path", [".", "missing.yaml"])
def test_it_is_an_error_when_there_is_nothing_to_validate(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    assert main(["validate", path]) == 1
    assert (
        capsys.readouterr()
        == {
            ".": (
                "0 suites, 0 errors, 0 warnings\n",
                "no suite there: expected files that have 'workload' or 'distributed.stages'\n",
            ),
            "missing.yaml": (
                (
                    "missing.yaml:1: error: cannot be read: No such file or directory\n"
                    "1 suite, 1 error, 0 warnings\n"
                ),
                "",
            ),
        }[path]
    )


def test_the_command_is_installed_and_says_what_it_can_do() -> None:
    command = Path(sys.executable).with_name("pytest-sai3bench")

    def output(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout

    assert output("--version") == (0, f"pytest-sai3bench {__version__}\n")
    code, text = output("--help")
    assert (code, "validate" in text, "schema" in text) == (0, True, True)
    assert output("vaildate") == (2, "")
