"""The directory tree that ``prepare`` may make, and what is wrong with operations on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from pytest_sai3bench.agent.trees import Form
from pytest_sai3bench.suite.operations import Get, Put, Rmdir
from pytest_sai3bench.suite.places import Finding
from pytest_sai3bench.suite.scalars import Count, FileDistribution, PositiveCount
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.places import Place

# Each takes two bytes of a worker's memory.
_MOST_DIRECTORIES = 100_000_000
_MOST_FILES = 2**40
NO_DIRECTORIES = "'{}' needs directories, which object stores do not have: expected file:// or direct://"


def _mask(text: str) -> str:
    if text.count("%d") != 2 or "/" in text:
        raise ValueError(
            f"{text!r} cannot name directories: expected '%d' twice, for level and place, and no slash"
        )
    return text


class DirectoryStructure(Section):
    """A tree of directories with files: the same below each folder of `ensure_objects`."""

    width: PositiveCount = Field(
        description="a whole number. The directories in each directory, and at the top."
    )
    depth: Annotated[PositiveCount, Field(le=64)] = Field(
        description="a whole number. The levels of directories."
    )
    files_per_dir: Count = Field(
        default=0,
        description="a whole number. The files in each directory that has some, called `file_00000000.dat` and so on.",
    )
    distribution: FileDistribution = Field(
        default="bottom",
        description="bottom or all. Which directories have files: those of the last level, or every one.",
    )
    dir_mask: Annotated[str, AfterValidator(_mask)] = Field(
        default="sai3bench.d%d_w%d.dir",
        description="a name with two `%d`. The first is the level of a directory, the second its place, both from 1.",
    )

    @model_validator(mode="after")
    def _check_numbers(self) -> DirectoryStructure:
        for key, what, number, most in (
            ("depth", "directories", self.form.directories, _MOST_DIRECTORIES),
            ("files_per_dir", "files", self.form.files, _MOST_FILES),
        ):
            if number > most:
                text = f"these are {format_count(number)} {what}: expected at most {format_count(most)}"
                raise ObjectionsError(((key,), text))
        return self

    @property
    def form(self) -> Form:
        """The tree as agents know it."""
        return Form(self.width, self.depth, self.files_per_dir, self.distribution == "all", self.dir_mask)


def operations_fit_the_tree(suite: Suite) -> Iterator[Finding]:
    """Say which operations the tree has nothing for."""
    tree = suite.prepare.directory_structure
    operations = [(index, each) for index, each in enumerate(suite.workload) if each.weight]
    for index, operation in operations:
        place: Place = ("workload", index, "op")
        if tree is None and operation.op in ("mkdir", "rmdir"):
            yield Finding(place, f"'{operation.op}' needs directories: expected prepare.directory_structure")
        elif tree is not None and not tree.files_per_dir and operation.op in ("get", "put", "stat", "delete"):
            text = "needs files in prepare.directory_structure: expected files_per_dir of 1 or more"
            yield Finding(place, f"'{operation.op}' {text}")
        elif (
            tree is not None
            and tree.files_per_dir
            and isinstance(operation, Rmdir)
            and not operation.recursive
        ):
            text = "removes empty directories only, and those of the last level hold files"
            yield Finding(
                place,
                f"'rmdir' {text}: expected 'recursive: true', or files_per_dir: 0 in prepare.directory_structure",
            )
    ops = {operation.op for _, operation in operations}
    if tree is not None and tree.files_per_dir == 1 and "delete" in ops and ops & {"get", "stat"}:
        yield Finding(
            ("prepare", "directory_structure", "files_per_dir"),
            "deletes beside gets or stats take every other file of a directory: expected 2 or more",
        )


def trees_have_no_shards(suite: Suite) -> Iterator[Finding]:
    """Say that names in a tree are not sharded."""
    if suite.prepare.directory_structure is not None and suite.prepare.key_prefix_shards:
        text = "'key_prefix_shards' has no effect beside 'directory_structure', whose names have no shards"
        yield Finding(("prepare", "key_prefix_shards"), text, "warning")


def verified_files_stay(suite: Suite) -> Iterator[Finding]:
    """Refuse to verify what puts overwrite with something else."""
    if suite.prepare.directory_structure is None:
        return
    if not any(isinstance(operation, Put) and operation.weight for operation in suite.workload):
        return
    for index, operation in enumerate(suite.workload):
        if isinstance(operation, Get) and operation.weight and suite.verifies(operation):
            place: Place = ("verify",) if operation.verify is None else ("workload", index, "verify")
            text = "cannot be had with puts, which overwrite the files of prepare.directory_structure"
            yield Finding(place, f"'verify: true' {text}")
            return
