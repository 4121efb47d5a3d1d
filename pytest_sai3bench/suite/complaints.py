"""What pydantic reports, in the words of a suite's author."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pytest_sai3bench.suite import dialect
from pytest_sai3bench.suite.document import Suite
from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.section import (
    ObjectionsError,
    Section,
    known_keys,
    read_description,
    sections_in,
)
from pytest_sai3bench.suite.wording import found, nearest, unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic_core import ErrorDetails

# What the values of `op` and `type`, which choose a section, are called.
_CHOOSERS = {"op": "operation", "type": "distribution"}


class _Spot:
    """Where an error is: its place in the file, and what the models know about it."""

    def __init__(self, steps: Sequence[str | int]) -> None:
        self.place: Place = ()
        self.sections: Sequence[type[Section]] = [Suite]
        self.expected = ""
        for step in steps:
            if isinstance(step, str) and len(self.sections) > 1:
                # Not a key, but the choice between several sections that can stand here.
                self.sections = [section for section in self.sections if step in _words(section)]
                continue
            self.place = (*self.place, step)
            if isinstance(step, str):
                self._enter(step)
            else:
                self.expected = ""

    def _enter(self, key: str) -> None:
        section = self.sections[0] if self.sections else Section
        name = known_keys(section).get(key)
        if name is None:
            return
        self.expected, self.sections = _describe(section, name)


def place_of(error: ErrorDetails) -> Place:
    """Return the place in the file that an error is about."""
    return _Spot(error["loc"]).place


def explain(error: ErrorDetails) -> Iterator[Finding]:
    """Yield what is to be said about one error of pydantic."""
    *outside, last = error["loc"] or ("",)
    spot = _Spot(error["loc"])
    value = error["input"]
    context: Mapping[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if kind == "extra_forbidden":
        yield from _explain_key(_Spot(outside), str(last), value)
    elif kind == "missing":
        yield Finding(_Spot(outside).place, f"'{last}' is missing: expected {spot.expected}")
    elif kind in {"union_tag_invalid", "union_tag_not_found"}:
        yield _explain_choice(spot, context["discriminator"].strip("'"), value)
    elif kind == "value_error":
        cause = context["error"]
        if isinstance(cause, ObjectionsError):
            for place, message in cause.objections:
                yield Finding((*spot.place, *place), message)
        else:
            yield Finding(spot.place, str(cause))
    else:
        yield Finding(spot.place, _explain_value(kind, value, context, spot.expected))


def _explain_value(kind: str, value: object, context: Mapping[str, Any], expected: str) -> str:
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return f"{found(value)} is not text: expected {expected or 'text'}; quotes make a text of it"
    if kind == "string_type":
        return f"expected {expected or 'text'}, found {found(value)}"
    if kind == "bool_type":
        return f"{found(value)} is not a boolean: expected true or false"
    if kind == "tuple_type":
        return f"expected {expected}, found {found(value)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"expected a mapping, found {found(value)}"
    limits = {
        "greater_than": ("gt", "too small: expected more than"),
        "greater_than_equal": ("ge", "too small: expected at least"),
        "less_than_equal": ("le", "too large: expected at most"),
    }
    if kind in limits:
        name, text = limits[kind]
        # Whether the value is at hand as it was written depends on the version of pydantic.
        return f"{text} {context[name]:g}"
    return f"{found(value)} cannot stand here: expected {expected}"


def _explain_key(spot: _Spot, key: str, value: object) -> Iterator[Finding]:
    place = (*spot.place, key)
    section = spot.sections[0]
    fields = known_keys(section)
    if key in fields:
        other = next(spelling for spelling, name in fields.items() if name == fields[key])
        yield Finding(
            place, f"'{key}' is another spelling of '{other}', which is given too: expected one of them"
        )
        return
    inactive = dialect.known_in(spot.place)
    if key in inactive:
        yield from dialect.judge(place, value)
    elif not key.startswith("x-"):
        near = nearest(key, (*fields, *inactive))
        yield Finding(
            place, f"unknown key '{key}'{near or ': expected one of ' + ', '.join(fields)}", "tolerated"
        )


def _explain_choice(spot: _Spot, key: str, value: Any) -> Finding:
    words = [word for section in spot.sections for word in _words(section)]
    word = value.get(key)
    if word is None:
        return Finding(spot.place, f"'{key}' is missing: expected one of {', '.join(words)}")
    place = (*spot.place, key)
    return Finding(place, unknown(_CHOOSERS[key], word, words))


@cache
def _describe(section: type[Section], name: str) -> tuple[str, tuple[type[Section], ...]]:
    """Return what is expected of a field, and the sections that it may hold."""
    field = section.model_fields[name]
    expected, _ = read_description(field)
    return expected, tuple(sections_in((field.annotation, field.metadata)))


@cache
def _words(section: type[Section]) -> tuple[str, ...]:
    """Return the words that choose a section among several."""
    key = next((key for key in _CHOOSERS if key in section.model_fields), None)
    return get_args(section.model_fields[key].annotation) if key else ()
