"""What a careful colleague would say about a plan before it runs: sentences for the dry run."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.naming import NumberedNames
from pytest_sai3bench.agent.patterns import parse_pattern
from pytest_sai3bench.agent.tree_sources import slots_of
from pytest_sai3bench.plan.work import StagePlan
from pytest_sai3bench.units import format_count, format_seconds, format_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.agent.patterns import Pattern
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.plan.work import ObjectSet, OperationPlan

# What is called large where it stays behind.
_LARGE_BYTES, _LARGE_COUNT = 2**30, 10_000
# Some storage takes longer for an operation.
_TIGHT_S = 0.01
# What needs the directories of a tree.
_IN_DIRECTORIES = ("get", "put", "stat", "delete")
# For estimates where no rate is set.
_USUAL_PER_S = 1000
# A dry run is to be quick: in larger sets the rest of the names is not looked at.
_MOST_NAMES = 100_000


def give_advice(plan: RunPlan) -> Iterator[str]:
    """Yield what may go otherwise than meant; all of it is a guess about storage that a plan does not know."""
    # Workers differ in their endpoints and shares, not in what they do.
    stages = {stage.kind: stage for stage in plan.workers[0].stages}
    prepare, workload = stages.get("prepare"), stages.get("workload") or StagePlan("workload")
    sets = prepare.objects if prepare else ()
    operations = [operation for operation in workload.operations if operation.weight]
    readers = [operation for operation in operations if operation.op in ("get", "stat", "delete")]
    shards = plan.workers[0].key_prefix_shards
    for operation in readers:
        if operation.tree is None and not any(_holds(objects, operation, shards) for objects in sets):
            yield f"{_shown(operation)} needs objects that prepare does not make: without any the run fails"
    if readers and prepare and not prepare.create:
        yield "prepare takes its objects to be there (skip_verification): without any the run fails"
    for operation in operations:
        if operation.op == "delete":
            yield from _exhausted(operation, _available(sets, operation, shards), workload)
        elif operation.op == "rmdir" and any(other.op in _IN_DIRECTORIES for other in operations):
            others = "get, put, stat or delete"
            yield f"{operation.where}: rmdir takes directories away under {others}, which then fail"
    if workload.rate:
        yield from _tight(workload.rate.per_s, sum(worker.workload_lanes for worker in plan.workers))
    if "cleanup" not in stages:
        yield from _left_behind(sets if prepare and prepare.create else ())
        yield from _piling_up(workload)


def _shown(operation: OperationPlan) -> str:
    path = "(any file of the tree)" if operation.tree else operation.path or "(no path)"
    return f"{operation.where}: {operation.op} {path}"


def _holds(objects: ObjectSet, operation: OperationPlan, shards: int) -> bool:
    """Tell whether any object of a set may be one that the operation takes; with shards paths may leave these out."""
    if operation.pool not in ("all", objects.stem):
        return False
    spellings = (0, shards) if shards else (0,)
    return any(_holds_spelled(objects, parse_pattern(operation.path), spelling) for spelling in spellings)


def _holds_spelled(objects: ObjectSet, pattern: Pattern, shards: int) -> bool:
    names = NumberedNames(f"{objects.folder}{objects.stem}-", objects.count, shards)
    if pattern.exact:
        return names.number(pattern.exact) >= 0
    places = list(islice(names.places(), _MOST_NAMES))
    if pattern.regex is None:
        return objects.count > 0 and pattern.folder in places
    if not any(
        place == pattern.folder or (pattern.recursive and place.startswith(pattern.folder))
        for place in places
    ):
        return False
    numbers = range(min(objects.count, _MOST_NAMES))
    return objects.count > _MOST_NAMES or any(
        pattern.regex.fullmatch(names.name(number)) for number in numbers
    )


def _available(sets: Sequence[ObjectSet], operation: OperationPlan, shards: int) -> int:
    """Return how many objects of prepare there are for an operation."""
    if operation.tree is None:
        return sum(objects.count for objects in sets if _holds(objects, operation, shards))
    trees = [objects.tree for objects in sets if objects.tree]
    return sum(
        tree.form.files * slots_of(operation.pool, tree.files_per_dir).number // tree.files_per_dir
        for tree in trees
    )


def _exhausted(operation: OperationPlan, available: int, workload: StagePlan) -> Iterator[str]:
    """Compare how many objects there are to delete with how many would be; each is deleted once."""
    share = operation.weight / sum(other.weight for other in workload.operations)
    per_s = workload.rate.per_s if workload.rate else _USUAL_PER_S
    lasting_s = available / (per_s * share)
    time_s = workload.warmup_s + workload.duration_s
    if 0 < lasting_s < time_s:
        yield (
            f"{_shown(operation)} has {format_count(available)} objects, each once: at {format_count(per_s)} "
            f"operations/s they last {format_seconds(lasting_s)} of {format_seconds(time_s)}, then the others share its "
            "weight"
        )


def _tight(per_s: int, lanes: int) -> Iterator[str]:
    """Compare the rate with what so many lanes can do, after Little's law."""
    if lanes / per_s < _TIGHT_S:
        yield (
            f"{format_count(per_s)} operations/s over {format_count(lanes)} lanes leave {format_seconds(lanes / per_s)} "
            "for each: if they take longer on average the rate is not reached; raise concurrency"
        )


def _left_behind(sets: Sequence[ObjectSet]) -> Iterator[str]:
    count = sum(objects.count for objects in sets)
    size_bytes = sum(objects.count * objects.size.expected for objects in sets)
    if count >= _LARGE_COUNT or size_bytes >= _LARGE_BYTES:
        yield f"cleanup is off: up to {format_count(count)} objects, {format_size(size_bytes)} of prepare stay"


def _piling_up(workload: StagePlan) -> Iterator[str]:
    """Tell what puts leave behind; how many there will be is known only where a rate is set."""
    if workload.rate is None:
        return
    began = workload.rate.per_s * (workload.warmup_s + workload.duration_s)
    whole = sum(operation.weight for operation in workload.operations)
    puts = {each: began * each.weight / whole for each in workload.operations if each.size and each.weight}
    count = sum(puts.values())
    size_bytes = sum(each.size.expected * number for each, number in puts.items() if each.size)
    if count >= _LARGE_COUNT or size_bytes >= _LARGE_BYTES:
        yield (
            f"cleanup is off: about {format_count(round(count))} new objects, {format_size(size_bytes)} of puts stay"
        )
