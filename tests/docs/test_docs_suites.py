"""Every suite that a page shows can be used as it stands."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.thresholds.reading import PlannedSuite, collect_suites

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# What a fragment is completed with, as far as it lacks it.
_REST = {
    "target": "target: file:///mnt/bench/",
    "workload": (
        "workload:\n"
        "  - {op: get, path: data/, weight: 1}\n"
        "  - {op: put, path: new/, weight: 1, object_size: 1}\n"
    ),
}


def test_a_suite_is_planned_and_judged_without_a_word(
    suite: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = suite.text
    if suite.note == "fragment":
        keys = re.findall(r"^(\w+):", text, re.MULTILINE)
        text += "\n".join(rest for key, rest in _REST.items() if key not in keys)
    path = tmp_path / "shown.sai3.yaml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("PWD", "/mnt/bench")
    suites = collect_suites(path, env=os.environ, shown=suite.place, strict=True)
    assert [warning for suite in suites for warning in suite.loaded.warnings] == []
    assert [note for suite in suites if isinstance(suite, PlannedSuite) for note in suite.plan.notes] == []


def test_comments_before_yaml_are_understood(notes: set[str]) -> None:
    assert {note.partition(":")[0] for note in notes} == {"", "fragment", "not a suite"}
