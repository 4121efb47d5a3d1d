"""Suites with directory trees: the examples run as they stand, and a dry run tells what there would be."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

_EXAMPLES = Path(__file__).parents[2] / "example_suites" / "trees"


def test_the_examples_run_as_they_stand(pytester: pytest.Pytester) -> None:
    shutil.copytree(_EXAMPLES, pytester.path / "trees")
    result = pytester.runpytest_inprocess(
        "trees", "--sai3-duration=300ms", "--sai3-results=results", "-Werror"
    )
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=4 + 5)
    (table,) = pytester.path.glob("results/latest/directories/directories/results.tsv")
    rows = [line.split("\t")[0] for line in table.read_text().splitlines()]
    assert {"MKDIR", "RMDIR", "META"} <= set(rows)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "small_files",
            [
                "  file://embedded-1/  trees/small_files.yaml:21 (multi_endpoint.endpoints[0])  about 40 objects of prepare",
                "prepare: 160 objects, 640 KiB, in 20 directories; those that are missing are written",
                "  tree/**/file_*.dat (4 wide, 2 deep, files in the last level)  160 x 4 KiB  640 KiB  trees/small_files.yaml:31",
                "  get any file of the tree, partitioned   40.0%  trees/small_files.yaml:36",
                "cleanup: what the run made, at most 160 objects, 640 KiB, in 20 directories of prepare",
            ],
        ),
        (
            "directories",
            [
                "prepare: 0 objects, 0 B, in 110 directories; those that are missing are written",
                "  mkdir any directory of the tree, random  50.0%  trees/directories.yaml:22",
                "  rmdir any directory of the tree, random  50.0%  trees/directories.yaml:23",
            ],
        ),
    ],
)
def test_a_dry_run_counts_directories_and_files(
    pytester: pytest.Pytester, name: str, expected: list[str]
) -> None:
    shutil.copytree(_EXAMPLES, pytester.path / "trees")
    result = pytester.runpytest_inprocess(f"trees/{name}.yaml", "--sai3-dry-run")
    assert result.ret == pytest.ExitCode.OK
    assert [line for line in expected if line not in result.outlines] == []
