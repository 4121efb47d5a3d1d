"""A throwaway server that lives as long as the tests, and addresses to reach it by."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from pytest_sai3bench.suite.scalars import Count
from pytest_sai3bench.suite.section import ObjectionsError, Section

_UpTo32 = Annotated[Count, Field(le=32)]


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
        return self
