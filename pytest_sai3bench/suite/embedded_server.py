"""A throwaway server that lives as long as the tests, and addresses to reach it by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from pytest_sai3bench.suite.scalars import Count, PositiveCount, PositiveDuration
from pytest_sai3bench.suite.section import ObjectionsError, Section

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place

_UpTo32 = Annotated[Count, Field(le=32)]


class SlowAddress(Section):
    """One S3 address of the embedded server that answers late, so that a run with a slow endpoint can be seen."""

    endpoint: PositiveCount = Field(description="the number of an S3 address. 3 is `s3://embedded-3/`.")
    delay: PositiveDuration = Field(
        description="a duration. Answers come that much later, however many are on their way."
    )


class EmbeddedServer(Section):
    """How many S3 addresses (``s3://embedded-1/…``) and folders (``file://embedded-1/…``) to provide."""

    endpoints: _UpTo32 = Field(
        default=0,
        description=(
            "the number of S3 addresses. "
            "Up to 32, written `s3://embedded-1/bucket/` and so on. All show the same objects; buckets are made."
        ),
    )
    tls: bool = Field(
        default=False,
        description=(
            "true or false. "
            "True makes them `s3+https://embedded-1/bucket/`, with a certificate that is made and trusted for the run."
        ),
    )
    slow: tuple[SlowAddress, ...] = Field(
        default=(),
        description="a list of addresses with an 'endpoint' and a 'delay'. Only the suite that says so meets them.",
    )
    mounts: _UpTo32 = Field(
        default=0,
        description=(
            "the number of folders. "
            "Up to 32, written `file://embedded-1/folder/` and so on, or `direct://`. All show the same files."
        ),
    )

    @model_validator(mode="after")
    def _check_not_empty(self) -> EmbeddedServer:
        if not self.endpoints and not self.mounts:
            raise ObjectionsError(
                ((), "the embedded server provides nothing: expected 'endpoints' or 'mounts'")
            )
        numbers = [address.endpoint for address in self.slow]
        objections: list[tuple[Place, str]] = []
        for index, number in enumerate(numbers):
            place: Place = ("slow", index, "endpoint")
            if number > self.endpoints:
                objections.append(
                    (place, f"{number} is beyond the endpoints: expected 1 to {self.endpoints}")
                )
            elif number in numbers[:index]:
                objections.append((place, f"{number} is slow already: expected each endpoint once"))
        if objections:
            raise ObjectionsError(*objections)
        return self
