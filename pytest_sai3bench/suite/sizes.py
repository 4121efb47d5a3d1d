"""How large objects are: one size, or a distribution."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from pytest_sai3bench import units
from pytest_sai3bench.suite.scalars import PositiveSize, Size
from pytest_sai3bench.suite.section import ObjectionsError, Section

MEBIBYTE = 2**20


def check_order(lowest: int, highest: int, low_key: str, high_key: str) -> None:
    """Raise ObjectionsError when a range of sizes is upside down."""
    if lowest > highest:
        low, high = units.format_count(lowest), units.format_count(highest)
        raise ObjectionsError(
            (
                (low_key,),
                f"{low_key} ({low} bytes) is larger than {high_key} ({high} bytes): expected at most as much",
            )
        )


class Fixed(Section):
    """Every object has the same size."""

    type: Literal["fixed"] = "fixed"
    size: Size = Field(
        description="a size such as 1MiB. `size_spec: 1MiB` means the same. sai3-bench takes a plain number only."
    )

    @property
    def largest(self) -> int:
        """The largest size that is to be expected, in bytes."""
        return self.size


class Uniform(Section):
    """Every size from ``min`` to ``max`` is as likely as any other."""

    type: Literal["uniform"] = "uniform"
    min: Size = Field(default=1024, description="the smallest size")
    max: PositiveSize = Field(default=MEBIBYTE, description="the largest size")

    @model_validator(mode="after")
    def _check_order(self) -> Uniform:
        check_order(self.min, self.max, "min", "max")
        return self

    @property
    def largest(self) -> int:
        """The largest size that is to be expected, in bytes."""
        return self.max


class Lognormal(Section):
    """Many small sizes and a few large ones; ``mean`` and ``std_dev`` are those of the sizes, not of their logarithms."""

    type: Literal["lognormal"] = "lognormal"
    mean: PositiveSize = Field(description="the mean size, such as 1MiB")
    std_dev: PositiveSize = Field(description="the standard deviation, such as 512KiB")
    min: PositiveSize = Field(default=1, description="the smallest size")
    max: PositiveSize = Field(default=units.LARGEST, description="the largest size")

    @model_validator(mode="after")
    def _check_order(self) -> Lognormal:
        check_order(self.min, self.max, "min", "max")
        return self

    @property
    def largest(self) -> int:
        """The largest size that is to be expected, in bytes; one that nobody has bounded is as large as the mean."""
        return self.max if "max" in self.model_fields_set else max(self.mean, self.min)


def _read_one_size(value: object) -> object:
    # A float is one value too, but is refused.
    return Fixed(size=units.parse_size(cast("int", value))) if isinstance(value, (str, int, float)) else value


SizeSpec = Annotated[
    Annotated[Fixed | Uniform | Lognormal, Field(discriminator="type")],
    BeforeValidator(_read_one_size, json_schema_input_type=Fixed | Uniform | Lognormal | int | str),
]
