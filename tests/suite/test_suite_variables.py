from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.suite.tree import read_tree
from pytest_sai3bench.suite.variables import expand

ENV = {"HOST": "10.0.0.1", "EMPTY": "", "N": "16"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("s3://${HOST}:9000/b/", "s3://10.0.0.1:9000/b/"),
        ("${HOST}${N}", "10.0.0.116"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${MISSING:-file:///tmp/}", "file:///tmp/"),
        ("${MISSING:-}", ""),
        ("${MISSING:-a:-b}", "a:-b"),
        ("$$", "$"),
        ("$${HOST}", "${HOST}"),
        ("$HOST", "$HOST"),
        ("5 $", "5 $"),
    ],
)
def test_variables_are_replaced(text: str, expanded: str) -> None:
    assert expand(text, ENV) == (expanded, [])


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        (
            "${A}/${B}",
            [
                f"variable {name} is not set: set it, or give a default with ${{{name}:-default}}"
                for name in "AB"
            ],
        ),
        ("${}", ["'${}' is not a variable: expected ${NAME} or ${NAME:-default}; $$ writes a dollar"]),
        ("${1A}", ["'${1A}' is not a variable: expected ${NAME} or ${NAME:-default}; $$ writes a dollar"]),
        ("x${HOST", ["'${HOST' is not a variable: expected ${NAME} or ${NAME:-default}; $$ writes a dollar"]),
    ],
)
def test_what_cannot_be_replaced_stays_and_is_named(text: str, complaints: list[str]) -> None:
    assert expand(text, ENV) == (text, complaints)


@given(st.text())
def test_doubled_dollars_keep_any_text(text: str) -> None:
    assert expand(text.replace("$", "$$"), {}) == (text, [])


def test_a_variable_without_quotes_may_be_a_number() -> None:
    tree = read_tree('a: ${N}\nb: "${N}"\nc: ${EMPTY}\n', file="s.yaml", env=ENV)
    assert tree.data == {"a": 16, "b": "16", "c": None}


def test_a_value_from_the_environment_is_never_structure() -> None:
    tree = read_tree("a: ${LIST}\n", file="s.yaml", env={"LIST": "[1, {b: c}] # d"})
    assert tree.data == {"a": "[1, {b: c}] # d"}
