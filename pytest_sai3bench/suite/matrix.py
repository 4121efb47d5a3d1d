"""One suite file for many combinations of values: which they are, and where each value goes.

An axis is the name of a variable, ``${matrix.NAME}``, of a key at the top level, or of a key that entries of
``workload`` and ``prepare.ensure_objects`` have.
"""

from __future__ import annotations

import re
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator

from pytest_sai3bench.suite.places import Finding
from pytest_sai3bench.suite.wording import found

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pytest_sai3bench.suite.places import Place

MOST_COMBINATIONS = 256
PREFIX = "matrix."
_AXIS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SAFE = re.compile(r"[^A-Za-z0-9_.=-]+")
_LISTS = (("workload",), ("prepare", "ensure_objects"))

Combination = dict[str, Any]
"""One value for every axis."""


def _axes(value: object) -> dict[str, tuple[Any, ...]]:
    if not isinstance(value, dict) or not value:
        shown = "an empty mapping" if value == {} else found(value)
        raise ValueError(f"{shown} is not a matrix: expected names, each with a list of values")
    for name, values in value.items():
        if not _AXIS.fullmatch(name):
            raise ValueError(f"'{name}' cannot be an axis: expected a letter, then letters, digits or '_'")
        if not isinstance(values, tuple) or not values:
            raise ValueError(f"'{name}' has no values: expected a list such as [8, 64]")
        labels = [_label(each) for each in values]
        for each, label in zip(values, labels, strict=True):
            if each is None or isinstance(each, (dict, tuple)) or not label:
                raise ValueError(f"{found(each)} cannot be a value of '{name}': expected one number or text")
            if labels.count(label) > 1:
                raise ValueError(
                    f"two values of '{name}' are '{label}' in the ids of tests: expected each one once"
                )
        if name == "matrix":
            raise ValueError("a matrix cannot have an axis 'matrix'")
    count = prod(map(len, value.values()))
    if count > MOST_COMBINATIONS:
        raise ValueError(f"the matrix has {count:,} combinations: expected at most {MOST_COMBINATIONS}")
    return value


Matrix = Annotated[
    dict[str, tuple[Any, ...]], BeforeValidator(_axes, json_schema_input_type=dict[str, list[Any]])
]


def combinations(data: Mapping[str, Any]) -> list[Combination]:
    """Return all combinations in the order of the file, the last axis first; one empty one without a usable matrix."""
    try:
        axes = _axes(data["matrix"])
    except (KeyError, ValueError):
        return [{}]
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def variables(combination: Combination) -> dict[str, str]:
    """Return the values by the names of their variables, as they would be written."""
    return {f"{PREFIX}{axis}": _written(value) for axis, value in combination.items()}


def label_of(combination: Combination) -> str:
    """Return what ids of tests end with: ``[object_size=4KiB-concurrency=8]``, empty without a matrix."""
    parts = [f"{axis}={_label(value)}" for axis, value in combination.items()]
    return f"[{'-'.join(parts)}]" if parts else ""


def put_in(
    data: dict[str, Any], combination: Combination, text: str, keys: Collection[str]
) -> Iterator[Finding]:
    """Put the values where keys have the names of axes, in place; yield the axes that are used nowhere.

    ``text`` is that of the file, ``keys`` are those of the top level.
    """
    for axis, value in combination.items():
        used = f"${{{PREFIX}{axis}" in text
        if axis in keys:
            data[axis] = value
            used = True
        for entries in (_at(data, place) for place in _LISTS):
            for entry in entries if isinstance(entries, tuple) else ():
                if isinstance(entry, dict) and axis in entry:
                    entry[axis] = value
                    used = True
        if not used:
            place: Place = ("matrix", axis)
            yield Finding(
                place,
                f"'{axis}' is used nowhere: expected ${{{PREFIX}{axis}}} in the file, a key of the top level, "
                "or a key of an entry of workload or prepare.ensure_objects",
            )


def _at(data: Any, place: Place) -> Any:
    for key in place:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _label(value: Any) -> str:
    return _SAFE.sub("_", _written(value)).strip("_")
