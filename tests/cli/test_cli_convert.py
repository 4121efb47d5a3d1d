"""``pytest-sai3bench convert``: old files get stages; where the new text goes, what is said, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sai3bench.cli import main

_OLD = "workload: []\ndistributed:\n  agents: []  # none yet\nversion: 1\n"
_STAGES = """\
  stages:
    - {name: preflight, order: 1, type: validation, completion: validation_passed, barrier: {type: all_or_nothing}}
    - {name: execute, order: 2, type: execute, completion: duration, duration: 60s, barrier: {type: all_or_nothing}}
"""
_NEW = f"workload: []\ndistributed:\n  agents: []  # none yet\n{_STAGES}"
_SAID = """\
old.yaml:3: added distributed.stages: preflight, execute
old.yaml:4: removed 'version', which has no effect in sai3-bench either
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.yaml").write_text(_OLD)
    (tmp_path / "new.yaml").write_text(_NEW)
    return tmp_path


def test_the_new_text_is_printed_and_what_was_changed_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "old.yaml"]) == 0
    assert capsys.readouterr() == (_NEW, _SAID)
    assert Path("old.yaml").read_text() == _OLD


def test_the_new_text_may_go_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "old.yaml", "--output", "written.yaml"]) == 0
    assert capsys.readouterr() == ("", _SAID)
    assert (Path("old.yaml").read_text(), Path("written.yaml").read_text()) == (_OLD, _NEW)


def test_files_may_be_changed_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("new.yaml").stat()

    assert main(["convert", "--in-place", "old.yaml", "new.yaml"]) == 0
    assert capsys.readouterr() == ("", f"{_SAID}new.yaml: nothing to convert\n")
    assert Path("old.yaml").read_text() == _NEW
    assert Path("new.yaml").stat().st_mtime_ns == before.st_mtime_ns


def test_what_cannot_be_converted_does_not_keep_others_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("wrong.yaml").write_text("a: [")

    assert main(["convert", "--in-place", "missing.yaml", "wrong.yaml", "old.yaml"]) == 1
    assert (
        capsys.readouterr().err.splitlines()[0] == "missing.yaml:1: cannot be read: No such file or directory"
    )
    assert Path("old.yaml").read_text() == _NEW


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "old.yaml", "--output", "no/such/file"]) == 1
    assert capsys.readouterr() == ("", "no/such/file: cannot be written: No such file or directory\n")


def test_several_texts_cannot_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["convert", "old.yaml", "new.yaml"])
    assert caught.value.code == 2
    assert "several files can only be converted with --in-place" in capsys.readouterr().err
