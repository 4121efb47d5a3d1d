"""One file, many combinations: which there are, where the values go, and what is wrong with a matrix."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite.loader import LoadedSuite, load_all
from pytest_sai3bench.suite.operations import Put

if TYPE_CHECKING:
    from pathlib import Path

_SUITE = """
    target: file:///data/
    duration: ${matrix.time:-9s}
    prepare:
      ensure_objects:
        - {base_uri: "a-${matrix.folder:-x}/", count: 1, dedup_factor: 1}
    workload:
      - {op: put, path: new/, weight: 1, object_size: 1}
      - {op: put, path: other/, weight: 1, object_size: 2, dedup_factor: 1}
      - {op: get, path: "a-*/", weight: 1}
"""


def suites_of(tmp_path: Path, matrix: str) -> tuple[LoadedSuite, ...]:
    path = tmp_path / "s.yaml"
    path.write_text(f"matrix: {matrix}\n{dedent(_SUITE)}")
    return load_all(path, env={"BIG": "64"}, shown="s.yaml")


def test_each_combination_is_a_suite_in_the_order_of_the_file(tmp_path: Path) -> None:
    suites = suites_of(tmp_path, "{object_size: [4KiB, 1MiB], concurrency: [8, '${BIG}']}")

    assert [
        (
            each.label,
            each.suite.concurrency,
            [one.object_size for one in each.suite.workload if isinstance(one, Put)],
        )
        for each in suites
    ] == [
        ("[object_size=4KiB-concurrency=8]", 8, [4096, 4096]),
        ("[object_size=4KiB-concurrency=64]", 64, [4096, 4096]),
        ("[object_size=1MiB-concurrency=8]", 8, [2**20, 2**20]),
        ("[object_size=1MiB-concurrency=64]", 64, [2**20, 2**20]),
    ]


def test_a_value_can_be_written_anywhere(tmp_path: Path) -> None:
    suites = suites_of(tmp_path, "{time: [1m, 2], folder: [tree]}")

    assert [
        (each.label, each.suite.duration, each.suite.prepare.ensure_objects[0].base_uri) for each in suites
    ] == [("[time=1m-folder=tree]", 60, "a-tree/"), ("[time=2-folder=tree]", 2, "a-tree/")]


def test_keys_of_entries_are_replaced_where_they_are_written(tmp_path: Path) -> None:
    (suite,) = suites_of(tmp_path, "{dedup_factor: [3]}")

    sets = [one.dedup_factor for one in suite.suite.prepare.ensure_objects]
    assert sets + [one.dedup_factor for one in suite.suite.workload if isinstance(one, Put)] == [3, 1, 3]


def test_ids_have_no_characters_that_pytest_or_shells_would_take_amiss(tmp_path: Path) -> None:
    labels = [each.label for each in suites_of(tmp_path, "{folder: [a/b c, 'x:y', true, -1, 0.5]}")]

    assert labels == ["[folder=a_b_c]", "[folder=x_y]", "[folder=true]", "[folder=-1]", "[folder=0.5]"]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ("[1]", "s.yaml:1: matrix: a list is not a matrix: expected names, each with a list of values"),
        (
            "{}",
            "s.yaml:1: matrix: an empty mapping is not a matrix: expected names, each with a list of values",
        ),
        (
            "{folder: a}",
            "s.yaml:1: matrix: 'folder' has no values: expected a list such as [8, 64]",
        ),
        (
            "{folder: []}",
            "s.yaml:1: matrix: 'folder' has no values: expected a list such as [8, 64]",
        ),
        (
            "{folder: [a, [b]]}",
            "s.yaml:1: matrix: a list cannot be a value of 'folder': expected one number or text",
        ),
        (
            "{folder: [a, null]}",
            "s.yaml:1: matrix: nothing cannot be a value of 'folder': expected one number or text",
        ),
        (
            "{folder: ['/']}",
            "s.yaml:1: matrix: '/' cannot be a value of 'folder': expected one number or text",
        ),
        (
            "{folder: [a/b, a:b]}",
            "s.yaml:1: matrix: two values of 'folder' are 'a_b' in the ids of tests: expected each one once",
        ),
        (
            "{a-b: [1]}",
            "s.yaml:1: matrix: 'a-b' cannot be an axis: expected a letter, then letters, digits or '_'",
        ),
        (
            "{time: [1, 2, 3, 4, 5, 6], folder: [a, b, c, d, e, f], concurrency: [1, 2, 3, 4, 5, 6, 7, 8]}",
            "s.yaml:1: matrix: the matrix has 288 combinations: expected at most 256",
        ),
        (
            "{colour: [red]}",
            (
                "s.yaml:1: matrix.colour: 'colour' is used nowhere: expected ${matrix.colour} in the file, a key of "
                "the top level, or a key of an entry of workload or prepare.ensure_objects"
            ),
        ),
        (
            "{concurrency: [8, many]}",
            "s.yaml:1: concurrency: 'many' is not a count: expected a whole number such as 16 or 64,000",
        ),
    ],
)
def test_what_is_wrong_with_a_matrix_is_told_once(tmp_path: Path, matrix: str, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        suites_of(tmp_path, matrix)

    assert str(caught.value).splitlines() == [message]


def test_a_value_that_no_matrix_has_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("target: file:///${matrix.folder}/\nworkload: [{op: list, path: '', weight: 1}]\n")
    with pytest.raises(SuiteError) as caught:
        load_all(path, env={}, shown="s.yaml")

    assert str(caught.value) == (
        "s.yaml:1: target: ${matrix.folder} is no value of the matrix: expected a name that 'matrix' has"
    )
