"""How much of the load each endpoint of a set gets, for the strategy ``weighted``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from pytest_sai3bench.suite.section import ObjectionsError
from pytest_sai3bench.suite.wording import found

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place

_LEAST, _MOST = 1e-6, 1e6


def _read(value: object) -> object:
    if not value or not isinstance(value, (dict, tuple)):
        raise ValueError(
            f"{found(value)} gives no weights: expected a list of numbers, or one for each URI of an endpoint"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value)
    wrong: list[tuple[Place, str]] = [
        ((key,), f"{found(weight)} is no weight: expected a number above 0, at most 1,000,000")
        for key, weight in items
        if isinstance(weight, bool)
        or not isinstance(weight, (int, float))
        or not (math.isfinite(weight) and _LEAST <= weight <= _MOST)
    ]
    if wrong:
        raise ObjectionsError(*wrong)
    return value


Weights = Annotated[
    tuple[float, ...] | dict[str, float],
    BeforeValidator(_read, json_schema_input_type=list[float] | dict[str, float]),
]
