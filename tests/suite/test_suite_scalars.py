from __future__ import annotations

import math

import pytest

from pytest_sai3bench.suite import yaml12
from pytest_sai3bench.suite.tree import read_tree


def read(text: str) -> object:
    return read_tree(f"value: {text}\n", file="s.yaml", env={}).data["value"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("NULL", None),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("0", 0),
        ("-17", -17),
        ("+4", 4),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("2.5E-3", 0.0025),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
    ],
)
def test_the_core_schema_reads(text: str, value: object) -> None:
    found = read(text)
    assert (type(found), found) == (type(value), value)


def test_nan_is_read() -> None:
    found = read(".NaN")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "No",
        "on",
        "off",
        "y",
        "nULL",
        "tRUE",
        "012",
        "1:30",
        "12:30:45",
        "1_000",
        "1,000",
        "2024-01-01",
        "2024-01-01T10:00:00Z",
        "0b101",
        "0xZZ",
        "1.2.3",
        ".",
        "+.inf.",
        "=",
        "60s",
        "9" * 5000 + "x",
    ],
)
def test_everything_else_is_text(text: str) -> None:
    assert read(text) == text


@pytest.mark.parametrize("text", ["'true'", '"12"', "!!str 12", "!!str true"])
def test_quotes_and_the_tag_of_text_make_text(text: str) -> None:
    assert read(text) in {"true", "12"}


def test_a_block_is_text() -> None:
    assert read("|\n  12\n") == "12\n"


def test_digits_without_end_are_text() -> None:
    assert read("9" * 5000) == "9" * 5000


def test_both_composers_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x [1, yes, 'true']\nb: {<<: {c: 0x10}, d: *x}\ne: |\n  12\n"
    fast = read_tree(text, file="s.yaml", env={})
    monkeypatch.setattr(yaml12, "_Composer", yaml12._SlowComposer)
    slow = read_tree(text, file="s.yaml", env={})
    assert fast == slow
    assert slow.data == {
        "a": (1, "yes", "true"),
        "b": {"d": (1, "yes", "true"), "c": 16},
        "e": "12\n",
    }
