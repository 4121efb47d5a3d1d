"""What is wrong, or doubtful, in how a suite moves large objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.operations import Get, Put
from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.sizes import MEBIBYTE
from pytest_sai3bench.units import format_count, format_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.large import Multipart
    from pytest_sai3bench.suite.preparation import EnsureObjects

# Limits of S3.
SMALLEST_PART = 5 * MEBIBYTE
MOST_PARTS = 10_000


def large_objects_are_on_s3(suite: Suite, schemes: Collection[str]) -> Iterator[Finding]:
    """Yield what has no effect because there are only files; ``schemes`` are those of all URIs of a suite."""
    if not schemes or "s3" in schemes:
        return
    places: list[Place] = []
    for index, operation in enumerate(suite.workload):
        if isinstance(operation, Get) and operation.range:
            places.append(("workload", index, "range"))
        if isinstance(operation, Put) and operation.multipart:
            places.append(("workload", index, "multipart"))
    if suite.range_engine and suite.range_engine.enabled:
        places.append(("range_engine",))
    elif suite.ranges_of_gets:
        places.append(("s3dlio_optimization", "enable_range_downloads"))
    if suite.multipart:
        places.append(("multipart",))
    for place in places:
        yield Finding(place, f"'{place[-1]}' has no effect on {'/'.join(sorted(schemes))}://", "warning")


def range_engine_is_enabled(suite: Suite) -> Iterator[Finding]:
    """Yield that a block does nothing, though nothing in it says so."""
    engine = suite.range_engine
    if engine and "enabled" not in engine.model_fields_set:
        text = "'range_engine' has no effect without 'enabled': expected true or false"
        yield Finding(("range_engine",), text, "warning")


def ranges_are_given_once(suite: Suite) -> Iterator[Finding]:
    """Yield that two blocks say how gets read large objects."""
    wanted = suite.s3dlio_optimization
    if wanted and wanted.enable_range_downloads and suite.range_engine and suite.range_engine.enabled:
        place: Place = ("s3dlio_optimization", "enable_range_downloads")
        text = (
            "'enable_range_downloads' has no effect beside 'range_engine', which counts: expected one of them"
        )
        yield Finding(place, text, "warning")


def uploads_have_parts_that_s3_takes(suite: Suite) -> Iterator[Finding]:
    """Yield parts that are too small for S3, and objects that would have too many of them."""
    for place, block in _blocks(suite):
        if block.part_size < SMALLEST_PART:
            text = (
                f"'part_size' is {format_size(block.part_size)}, S3 takes no parts below 5 MiB but the last"
            )
            yield Finding((*place, "part_size"), f"{text}: expected at least 5MiB", "warning")
    for place, objects, written in _written(suite):
        largest = objects.size.largest
        if largest >= written.threshold and largest > MOST_PARTS * written.part_size:
            parts = format_count(-(-largest // written.part_size))
            text = f"objects of {format_size(largest)} have {parts} parts of {format_size(written.part_size)}"
            least = -(-largest // (MOST_PARTS * MEBIBYTE))
            yield Finding(
                place,
                f"{text}, S3 takes {format_count(MOST_PARTS)}: expected a part_size of {least}MiB or more",
            )


def uploads_stay_in_one_namespace(suite: Suite) -> Iterator[Finding]:
    """Yield puts whose parts would go to endpoints that do not know of each other."""
    if suite.namespace != "replicated":
        return
    for index, operation in enumerate(suite.workload):
        if not isinstance(operation, Put):
            continue
        written = suite.multipart_of(operation)
        if written and operation.weight and operation.size.largest >= written.threshold:
            place: Place = ("workload", index, "multipart")
            text = "cannot be had for puts with 'namespace: replicated': parts would go to endpoints that do not know the upload"
            yield Finding(
                place, f"'multipart' {text}: expected a threshold above {format_size(operation.size.largest)}"
            )


def _blocks(suite: Suite) -> Iterator[tuple[Place, Multipart]]:
    for index, operation in enumerate(suite.workload):
        if isinstance(operation, Put) and operation.multipart:
            yield ("workload", index, "multipart"), operation.multipart
    if suite.multipart:
        yield ("multipart",), suite.multipart


def _written(suite: Suite) -> Iterator[tuple[Place, Put | EnsureObjects, Multipart]]:
    for index, operation in enumerate(suite.workload):
        if isinstance(operation, Put) and (written := suite.multipart_of(operation)):
            yield ("workload", index), operation, written
    for index, objects in enumerate(suite.prepare.ensure_objects):
        if suite.multipart:
            yield ("prepare", "ensure_objects", index), objects, suite.multipart
