"""The objects that must exist before the workload begins, and what becomes of them afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AliasChoices, Field, model_validator

from pytest_sai3bench.suite.data import CompressFactor, DedupFactor, Fill
from pytest_sai3bench.suite.directories import DirectoryStructure
from pytest_sai3bench.suite.places import SPELLINGS
from pytest_sai3bench.suite.scalars import CleanupMode, Count, Duration, PathOrUri, PrepareStrategy, Size
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.sizes import MEBIBYTE, Fixed, Lognormal, SizeSpec, Uniform, check_order
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place


class EnsureObjects(Section):
    """A number of objects below one folder."""

    base_uri: PathOrUri | None = Field(
        default=None,
        description=(
            "a folder such as data/, or its URI. "
            "Relative to every endpoint; by default their root. sai3-bench never joins it with `target`."
        ),
    )
    count: Count = Field(
        description=(
            "the number of objects. With `directory_structure` 0, or that of its files. "
            "Called `prepared-00000000.dat` and so on. One that is there counts, whatever its size."
        )
    )
    min_size: Size = Field(
        default=MEBIBYTE,
        description=(
            "the smallest size. "
            "Up to `max_size` every size is as likely. sai3-bench takes plain numbers only."
        ),
    )
    max_size: Size = Field(default=MEBIBYTE, description="the largest size. See `min_size`.")
    size_spec: SizeSpec | None = Field(
        default=None,
        validation_alias=AliasChoices(*SPELLINGS["size_spec"]),
        description="a size, or a distribution of sizes. Wins over `min_size` and `max_size`.",
    )
    fill: Fill = "random"
    dedup_factor: DedupFactor = 1
    compress_factor: CompressFactor = 1

    @model_validator(mode="after")
    def _check_order(self) -> EnsureObjects:
        if self.size_spec is None:
            check_order(self.min_size, self.max_size, "min_size", "max_size")
        return self

    @property
    def size(self) -> Fixed | Uniform | Lognormal:
        """The sizes of the objects; ``size_spec`` wins."""
        if self.size_spec is not None:
            return self.size_spec
        if self.min_size == self.max_size:
            return Fixed(size=self.min_size)
        return Uniform(min=self.min_size, max=self.max_size)


class Preparation(Section):
    """What ``prepare`` makes sure of, checks and leaves behind."""

    ensure_objects: tuple[EnsureObjects, ...] = Field(
        default=(),
        description=(
            "a list of object sets, each with a 'count'. Missing objects are written before the workload. One that fails "
            "is tried again at the end, up to 10 times, unless most do; if any cannot be written the run fails."
        ),
    )
    directory_structure: DirectoryStructure | None = Field(
        default=None,
        description=(
            "a tree of directories. The files of it are the objects, and get, put, stat and delete work on them, whatever "
            "their path says."
        ),
    )
    cleanup: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Remove what this run made, by prepare and by puts. sai3-bench removes all prepared objects, also those that existed before, and none of puts."
        ),
    )
    cleanup_only: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Remove the objects of `ensure_objects` that are there, and do nothing else: no prepare, no load. "
            "In sai3-bench only an old way of running heeds it."
        ),
    )
    cleanup_mode: CleanupMode = Field(
        default="tolerant",
        description=(
            "strict, tolerant or best_effort. "
            "Which failures of cleanup are none: with tolerant objects that are gone already, with best_effort all."
        ),
    )
    prepare_strategy: PrepareStrategy = Field(
        default="sequential",
        description=(
            "sequential or parallel. "
            "One set of `ensure_objects` after another, or an object of each in turns. Both keep `concurrency` objects going."
        ),
    )
    skip_verification: bool = Field(
        default=False, description="true or false. Take the objects to be there: neither look nor write."
    )
    force_overwrite: bool = Field(
        default=False,
        description="true or false. Write all objects without looking; they then count as made by this run.",
    )
    key_prefix_shards: Annotated[Count, Field(le=65_536)] = Field(
        default=0,
        description=(
            "a number of shards, 0 for none. Each object of prepare and of puts is in the folder of its shard: its number "
            "modulo this one, in two hexadecimal digits or more. Paths mean names without that folder, or with it. "
            "In sai3-bench paths have to name it."
        ),
    )
    post_prepare_delay: Duration = Field(
        default=0.0,
        description="a duration such as 5s. A rest before the workload, if prepare wrote anything.",
    )
    fsync: bool = Field(
        default=False,
        description=(
            "true or false. "
            "Files only: making an object ends when the data are on the storage. sai3-bench has no such key."
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
    def _check_tree(self) -> Preparation:
        tree = self.directory_structure
        if tree is None:
            return self
        if not self.ensure_objects:
            text = "says where: expected at least one entry in 'ensure_objects'"
            raise ObjectionsError((("directory_structure",), f"nothing {text}"))
        objections: list[tuple[Place, str]] = []
        first_of: dict[str, int] = {}
        for index, objects in enumerate(self.ensure_objects):
            place: Place = ("ensure_objects", index)
            if objects.count not in (0, tree.form.files):
                text = f"the tree has {format_count(tree.form.files)} files: expected that number, or 0"
                objections.append(((*place, "count"), text))
            first = first_of.setdefault((objects.base_uri or "").rstrip("/"), index)
            if first != index:
                text = f"the tree of ensure_objects[{first}] is in the same folder: expected another base_uri"
                objections.append((place, text))
        if objections:
            raise ObjectionsError(*objections)
        return self
