"""Whole files as people write them; a line that has something wrong with it says so in a comment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.blocks import shared_block
from pytest_sai3bench.suite.discovery import looks_like_suite
from pytest_sai3bench.suite.loader import load

CORPUS = Path(__file__).parent.parent / "corpus"


def files_in(folder: str) -> list[Path]:
    files = sorted((CORPUS / folder).iterdir())
    assert files
    return files


def lines_that(path: Path, comment: str) -> list[int]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, start=1) if line.endswith(f"# {comment}")]


@pytest.mark.parametrize("path", files_in("accepted"), ids=lambda path: path.stem)
def test_files_of_the_dialect_are_accepted(path: Path) -> None:
    assert looks_like_suite(path)
    loaded = load(path, env={})
    assert [warning.location.line for warning in loaded.warnings] == lines_that(path, "warns")


@pytest.mark.parametrize("path", files_in("refused"), ids=lambda path: path.stem)
def test_what_would_be_measured_wrong_is_refused(path: Path) -> None:
    assert looks_like_suite(path)
    with pytest.raises(SuiteError) as caught:
        load(path, env={})
    found = {problem.location.line for problem in caught.value.problems if problem.severity == "error"}
    assert sorted(found) == lines_that(path, "error")


@pytest.mark.parametrize("path", [*files_in("accepted"), *files_in("refused")], ids=lambda path: path.stem)
def test_what_is_said_about_a_file_is_known(path: Path) -> None:
    """SAI3BENCH_WRITE_GOLD=1 writes the messages anew, for review."""
    try:
        problems = load(path, env={}, shown=path.name).warnings
    except SuiteError as error:
        problems = error.problems
    text = "".join(f"{problem.severity} {problem}\n" for problem in problems)
    gold = CORPUS / "messages" / path.parent.name / f"{path.stem}.txt"
    if os.environ.get("SAI3BENCH_WRITE_GOLD") == "1":
        gold.parent.mkdir(parents=True, exist_ok=True)
        gold.write_text(text, encoding="utf-8")
    assert text == gold.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", files_in("accepted"), ids=lambda path: path.stem)
def test_what_is_accepted_can_be_planned(path: Path) -> None:
    assert build_plan(load(path, env={}), env={}, cores=lambda _host: 4).workers


def test_anchors_and_variables_are_what_they_stand_for() -> None:
    path = CORPUS / "accepted" / "anchors_and_variables.yaml"
    suite = load(path, env={"CONCURRENCY": "64", "TARGET": "s3://bucket"}).suite
    assert (suite.name, suite.target, suite.duration, suite.concurrency) == (
        "anchors",
        "s3://bucket/",
        30.0,
        64,
    )
    assert [(operation.path, operation.weight) for operation in suite.workload] == [("a/", 10), ("b$c/", 20)]


def test_each_spelling_of_dl_driver_counts_for_itself() -> None:
    suite = load(CORPUS / "accepted" / "dl_driver.yaml", env={}).suite
    block = shared_block(suite)
    assert block is not None
    assert block.values.strategy == "least_connections"
    assert block.places == {
        "endpoints": ("dataset", "endpoint_uris"),
        "strategy": ("load_balance_strategy",),
    }
