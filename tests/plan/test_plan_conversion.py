"""A converted file does what the old one did, after a check of the endpoints."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.conversion import convert
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pytest_sai3bench.plan.work import StagePlan

ACCEPTED = Path(__file__).parents[1] / "corpus" / "accepted"
TEXTS = {path.stem: path.read_text(encoding="utf-8-sig") for path in sorted(ACCEPTED.iterdir())}
OLD = [
    name for name, text in TEXTS.items() if any("added" in change.text for change in convert(text).changes)
]
CLEANED = """\
target: file:///mnt/
duration: 3s
warmup: 1s
distributed: {agents: [{address: localhost}, {address: localhost}]}
prepare:
  ensure_objects: [{base_uri: data/, count: 100}]
  post_prepare_delay: 2
  cleanup: true
  cleanup_mode: strict
workload: [{op: get, path: "data/*", weight: 1}]
"""


def stages_of(path: Path, text: str) -> list[list[StagePlan]]:
    path.write_text(text, encoding="utf-8")
    plan = build_plan(load(path, env={}, shown="s.yaml"), env={}, cores=lambda _: 4)
    return [list(worker.stages) for worker in plan.workers]


def bare(value: Any) -> Any:
    """Return a stage, or a part of one, without its name and without lines of the file, which differ."""
    if isinstance(value, tuple):
        return tuple(bare(each) for each in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kept = {each.name: bare(getattr(value, each.name)) for each in fields(value)}
    dropped = dict.fromkeys(kept.keys() & {"name", "where"}, "")
    return replace(value, **{**kept, **dropped})


@pytest.mark.parametrize("text", [*(TEXTS[name] for name in OLD), CLEANED], ids=[*OLD, "cleaned"])
def test_a_converted_file_does_the_same(tmp_path: Path, text: str) -> None:
    old, new = (stages_of(tmp_path / "s.yaml", each) for each in (text, convert(text).text))

    assert [stages[0].kind for stages in new] == ["validation"] * len(old)
    assert [[bare(stage) for stage in stages[1:]] for stages in new] == [
        [bare(stage) for stage in stages] for stages in old
    ]


def test_there_are_old_files() -> None:
    assert len(OLD) > 5
