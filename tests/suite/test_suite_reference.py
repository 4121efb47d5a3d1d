"""The reference of keys: an example for each that is right, and what sai3-bench does otherwise in a column of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import pytest
from pydantic import TypeAdapter

from pytest_sai3bench.suite import dialect
from pytest_sai3bench.suite.describe import describe_suite, section_places, split_difference
from pytest_sai3bench.suite.examples import example_of
from pytest_sai3bench.suite.section import read_description, sections_in
from pytest_sai3bench.suite.tree import read_tree

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

FIELDS = [
    pytest.param(name, field, id=f"{places[0]}.{name}".removeprefix("."))
    for section, places in section_places().items()
    for name, field in section.model_fields.items()
    if name not in ("op", "type") and not any(sections_in((field.annotation, field.metadata)))
]


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_every_key_has_an_example_that_is_right(name: str, field: FieldInfo) -> None:
    """A key whose example neither its description ("such as …") nor its kind tells stands in `examples._EXAMPLES`."""
    example = example_of(name, field, read_description(field)[0])
    assert example

    value = read_tree(f"value: {example}\n", file="", env={}).data["value"]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    assert TypeAdapter(kind).validate_python(value, strict=True) != field.get_default()


@pytest.mark.parametrize(
    ("text", "meaning", "difference"),
    [
        ("", "", ""),
        ("One thing. Another.", "One thing. Another.", ""),
        ("One thing. sai3-bench has no such key.", "One thing.", "Has no such key."),
        ("sai3-bench has none. Another.", "Another.", "Has none."),
        ("One. In sai3-bench `x` has no effect.", "One.", "`x` has no effect."),
        ("All of them; sai3-bench takes each. More.", "All of them. More.", "Takes each."),
        ("All; in sai3-bench each does.", "All.", "Each does."),
        ("Without effect, as in sai3-bench.", "Without effect, as in sai3-bench.", ""),
    ],
)
def test_what_is_about_sai3_bench_stands_apart(text: str, meaning: str, difference: str) -> None:
    assert split_difference(text) == (meaning, difference)


def test_a_kind_of_keys_that_there_is_none_of_is_not_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "_KEYS", {"version": dialect._never()})

    kinds = [line for line in describe_suite().splitlines() if line.startswith("### Keys ")]
    assert kinds == ["### Keys without effect anywhere"]
