"""The entries of ``workload``: what is done, how often, to which objects."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from pytest_sai3bench.suite.data import CompressFactor, DedupFactor, Fill
from pytest_sai3bench.suite.large import Multipart, Range
from pytest_sai3bench.suite.places import SPELLINGS
from pytest_sai3bench.suite.scalars import Count, PathOrUri, PositiveCount, Size
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.sizes import Fixed, Lognormal, SizeSpec, Uniform

_OBJECTS = "an object, a folder that ends with '/', or a pattern such as data/*. "
_SIZE_SPEC = (
    "a size, or a distribution of sizes. "
    "Drawn for each object. sai3-bench takes no text such as 1MiB, and draws once for all puts of an entry."
)


class _Operation(Section):
    weight: Count = Field(description="a whole number, the share of this operation. 0 leaves it out.")
    concurrency: PositiveCount | None = Field(
        default=None,
        description=(
            "a number of operations. "
            "The most of this entry at one time on each agent; by default only the lanes bound them. "
            "One that is drawn beyond it waits, and with it its lane, so that the weights hold. "
            "A number above the top-level one gives the entry lanes of its own: the others share that number. "
            "In sai3-bench such a number has no effect."
        ),
    )


class Get(_Operation):
    """Read whole objects, in one request each or in several."""

    op: Literal["get"]
    path: PathOrUri = Field(
        description=_OBJECTS
        + "Chosen at random, with replacement, among those that exist when the phase begins."
    )
    range: Range | None = Field(
        default=None,
        description=(
            "how large objects are read in parts. Wins over the top-level `range_engine`. "
            "Has no effect on files. sai3-bench has no such key."
        ),
    )
    verify: bool | None = Field(
        default=None,
        description="true or false. As the top-level key, for this operation. sai3-bench has no such key.",
    )


class Put(_Operation):
    """Write new objects below a folder."""

    op: Literal["put"]
    path: PathOrUri = Field(
        default="",
        description="a folder such as data/. New objects are called `obj_` and a random 64-bit number.",
    )
    object_size: Size | None = Field(
        default=None, description="a size such as 1MiB. One size for all; `size_spec` wins."
    )
    size_spec: SizeSpec | None = Field(
        default=None,
        validation_alias=AliasChoices(*SPELLINGS["size_spec"]),
        description=_SIZE_SPEC,
    )
    fill: Fill = "random"
    dedup_factor: DedupFactor = 1
    compress_factor: CompressFactor = 1
    multipart: Multipart | None = Field(
        default=None,
        description="how large objects are written in parts. As the top-level key, for this operation. sai3-bench has no such key.",
    )
    fsync: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Files only: a put ends when the data are on the storage. sai3-bench has no such key."
        ),
    )
    atomic: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Files only: write under a temporary name in the same folder, then rename. sai3-bench has no such key."
        ),
    )

    @model_validator(mode="after")
    def _check_size(self) -> Put:
        if self.object_size is None and self.size_spec is None:
            raise ObjectionsError(((), "a put needs a size: expected 'object_size' or 'size_spec'"))
        return self

    @property
    def size(self) -> Fixed | Uniform | Lognormal:
        """The sizes of new objects; ``size_spec`` wins."""
        return self.size_spec or Fixed(size=self.object_size or 0)


class List(_Operation):
    """List everything below a prefix."""

    op: Literal["list"]
    path: PathOrUri = Field(
        description="a prefix such as data/. All levels and all pages are one operation. For files it is a folder."
    )


class Stat(_Operation):
    """Ask for the size of objects."""

    op: Literal["stat"]
    path: PathOrUri = Field(description=_OBJECTS + "Chosen as for get.")


class Delete(_Operation):
    """Remove objects."""

    op: Literal["delete"]
    path: PathOrUri = Field(
        description=_OBJECTS
        + "Each once, in random order; sai3-bench may choose one again, which then fails."
    )


_IGNORED = "any path. It has no effect: a directory of `prepare.directory_structure` is chosen at random."


class Mkdir(_Operation):
    """Make directories of the tree that prepare made. Files only."""

    op: Literal["mkdir"]
    path: PathOrUri = Field(
        default="", description=_IGNORED + " One that is there is as good; one that is gone is preferred."
    )


class Rmdir(_Operation):
    """Remove directories of the tree that prepare made. Files only."""

    op: Literal["rmdir"]
    path: PathOrUri = Field(
        default="", description=_IGNORED + " One that is gone is as good; one that is there is preferred."
    )
    recursive: bool = Field(
        default=False,
        description=(
            "true or false. "
            "With all that is in it, whoever made that; otherwise only empty directories of the last level."
        ),
    )


Operation = Annotated[Get | Put | List | Stat | Delete | Mkdir | Rmdir, Field(discriminator="op")]
