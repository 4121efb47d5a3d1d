"""What a run would do, as text: agents with their endpoints and where these were written, then the stages."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.plan.advice import give_advice
from pytest_sai3bench.plan.placement import objects_per_endpoint
from pytest_sai3bench.plan.work import OperationPlan
from pytest_sai3bench.reports.dry_run_stages import frame
from pytest_sai3bench.reports.tables import lay_out
from pytest_sai3bench.suite.fixtures import describe_waiting
from pytest_sai3bench.thresholds.suggestions import enumerate_words
from pytest_sai3bench.units import format_count, format_seconds, format_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.plan.model import HostPlan, Origin, RunPlan, WorkerPlan
    from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan
    from pytest_sai3bench.suite.loader import LoadedSuite

# What prepare does about its objects, by (look, create).
_CARE = {
    (True, True): "those that are missing are written",
    (False, True): "all are written",
    (True, False): "they must be there",
    (False, False): "taken to be there",
}

# For an estimate of prepare, where it is worth one: the slower of the two counts.
_USUAL_BYTES_PER_S = 2**30
_USUAL_OBJECTS_PER_S = 1000


def dry_run(plan: RunPlan) -> str:
    """Return the resolved plan as text; counts and bytes are those of all workers together.

    Lines may be long: here every URI and every place counts, so nothing is shortened.
    """
    lines = [f"{plan.suite}::{plan.name}"]
    by_agent: dict[str, list[WorkerPlan]] = {}
    for worker in plan.workers:
        by_agent.setdefault(worker.agent, []).append(worker)
    for workers in by_agent.values():
        lines += ["", *_agent(workers)]
    replicated = any(worker.namespace == "replicated" for worker in plan.workers)
    copies = len(plan.endpoints) if replicated else 0
    # Workers differ in their endpoints and shares, not in what they do.
    for position, stages in enumerate(zip(*(worker.stages for worker in plan.workers)), start=1):
        idle = stages[0].kind in ("validation", "custom")
        body = () if idle else _stage(stages, copies, plan.workers[0].key_prefix_shards)
        lines += ["", *frame(position, stages, body)]
    lines += ["", _time(plan)]
    remarks = [f"note: {note}" for note in plan.notes] + [f"warning: {text}" for text in give_advice(plan)]
    if remarks:
        lines += ["", *remarks]
    return "\n".join(lines) + "\n"


def dry_run_waiting(loaded: LoadedSuite, name: str) -> str:
    """Return what is known of a suite that waits for values of fixtures."""
    lines = [
        f"{loaded.shown}::{name}",
        "",
        *(f"{place}: {waits}" for place, waits in describe_waiting(loaded)),
        "",
    ]
    lines.append(
        "note: these keys, and the plan, are checked when the fixtures have values, at the start of the run"
    )
    return "\n".join(lines) + "\n"


def _agent(workers: Sequence[WorkerPlan]) -> list[str]:
    first = workers[0]
    processes = f"{len(workers)} workers, " if len(workers) > 1 else ""
    lanes = sum(worker.workload_lanes for worker in workers)
    return [
        f"agent {first.agent} at {first.address}{_way(first.host)}: {processes}{_plural(lanes, 'lane')}, {_strategy(first)}",
        *_endpoints(workers),
    ]


def _endpoints(workers: Sequence[WorkerPlan]) -> list[str]:
    """Return a line for each endpoint: where it is written, and what it is given."""
    about = "about " if workers[0].namespace == "shared" else ""
    origins: dict[str, str] = {}
    weights: dict[str, float] = {}
    objects: defaultdict[str, float] = defaultdict(float)
    for worker in workers:
        origins.update((endpoint.uri, str(endpoint.origin)) for endpoint in worker.endpoints)
        weights.update(zip((endpoint.uri for endpoint in worker.endpoints), worker.weights))
        for endpoint, count in zip(worker.endpoints, objects_per_endpoint(worker), strict=True):
            objects[endpoint.uri] += count
    named = {each.uri for worker in workers for each in worker.endpoints if each.each_address}
    widths = [max(map(len, column)) for column in (origins, origins.values())]
    lines = []
    for uri, origin in origins.items():
        given = ["at each address of its name"] if uri in named else []
        given += [f"weight {weights[uri]:g}"] if uri in weights else []
        if objects[uri]:
            count = round(objects[uri])
            given.append(
                f"{about}{_plural(count, 'object')} of prepare" if count else "at most 1 object of prepare"
            )
        lines.append(f"  {uri:{widths[0]}}  {origin:{widths[1]}}  {', '.join(given)}".rstrip())
    return lines


def _way(host: HostPlan) -> str:
    """Return how the agent's host is reached, nothing when it is this one."""
    if host.ssh is not None:
        return " over ssh"
    return f" by {host.python}" if host.python else ""


def _strategy(worker: WorkerPlan) -> str:
    """Return the strategy, and where it is written unless that is beside the endpoints; before it what they show."""
    if worker.namespace == "independent":
        return "independent"
    return _how(worker) if worker.namespace == "shared" else f"{worker.namespace}, {_how(worker)}"


def _how(worker: WorkerPlan) -> str:
    origin = worker.strategy_origin
    if origin is None or _block_of(origin) == _block_of(worker.endpoints[0].origin):
        return worker.strategy
    return f"{worker.strategy} from {origin}"


def _block_of(origin: Origin) -> str:
    return origin.path.rpartition(".")[0]


def _stage(stages: Sequence[StagePlan], copies: int, shards: int) -> list[str]:
    """Describe one stage from the plans that all workers have for it; ``copies`` is 0 where objects have none."""
    sharded = f"{{00..{shards - 1:02x}}}/" if shards else ""
    first = stages[0]
    if first.kind == "workload":
        warmup = f" after {format_seconds(first.warmup_s)} of warm-up" if first.warmup_s else ""
        whole = max(sum(operation.weight for operation in first.operations), 1)
        rows = [
            [
                f"{operation.op} {_target(operation, sharded)}{_divided(operation)}{_bounded(most)}",
                f"{operation.weight / whole:.1%}",
                operation.where,
            ]
            for operation, most in zip(first.operations, _bounds(stages), strict=True)
        ]
        rate = (
            f", {format_count(first.rate.per_s)} operations/s ({first.rate.distribution})"
            if first.rate
            else ""
        )
        if first.rate:
            for row, operation in zip(rows, first.operations, strict=True):
                row.insert(2, _amount(operation, first))
        return [f"workload: {format_seconds(first.duration_s)}{warmup}{rate}", *_indent(rows)]
    counts: Counter[ObjectSet] = Counter()
    directories: Counter[ObjectSet] = Counter()
    for objects in (objects for stage in stages for objects in stage.objects):
        all_of_them = replace(objects, share=0, shares=1)
        counts[all_of_them] += objects.own_count
        if objects.tree:
            directories[all_of_them] += objects.tree.own_directories(objects.share, objects.shares)
    size_bytes = sum(count * objects.size.expected for objects, count in counts.items())
    care = f"; {_CARE[first.look, first.create]}{_divided(first)}" if first.kind == "prepare" else ""
    rows = [
        [
            _names(objects, sharded),
            f"{format_count(count)} x {_size(objects.size)}",
            format_size(count * objects.size.expected),
            objects.where,
        ]
        for objects, count in counts.items()
    ]
    amount = f"{_plural(counts.total(), 'object')}, {format_size(size_bytes)}"
    amount += f", in {_directories(directories.total())}" if directories else ""
    amount += f" on each of {_plural(copies, 'endpoint')}" if copies else ""
    if first.kind == "cleanup":
        # What was there before is left alone.
        made = "objects of prepare that are there" if first.adopts else "what the run made"
        amount = made + (f", at most {amount}{'' if first.adopts else ' of prepare'}" if counts else "")
    return [f"{first.kind}: {amount}{care}", *_indent(rows)]


def _target(operation: OperationPlan, sharded: str) -> str:
    """Return what an operation works on, for readers."""
    if operation.tree is None:
        return operation.path + (sharded if operation.op == "put" else "")
    what = "directory" if operation.op in ("mkdir", "rmdir") else "file"
    below = " and all below it" if operation.recursive else ""
    return f"any {what} of the tree{below}, {operation.tree.kind}"


def _names(objects: ObjectSet, sharded: str) -> str:
    if objects.tree is None:
        return f"{objects.folder}{sharded}{objects.stem}-*.dat"
    where = "every directory" if objects.tree.everywhere else "the last level"
    tree = f"{objects.tree.width} wide, {objects.tree.depth} deep, files in {where}"
    return f"{objects.folder}**/file_*.dat ({tree})"


def _directories(number: int) -> str:
    return f"{format_count(number)} {'directory' if number == 1 else 'directories'}"


def _time(plan: RunPlan) -> str:
    """Return how long the run takes, as far as a plan can know."""
    stages = plan.workers[0].stages
    known_s = sum(stage.delay_s + stage.warmup_s + stage.duration_s for stage in stages)
    others = [stage.label for stage in stages if stage.kind not in ("workload", "validation")]
    text = f"takes {format_seconds(known_s)}" + (f" without {enumerate_words(others)}" if others else "")
    prepare = next((stage for stage in stages if stage.kind == "prepare"), None)
    if prepare is None or not prepare.create:
        return text
    size_bytes = sum(objects.count * objects.size.expected for objects in prepare.objects)
    count = sum(objects.count for objects in prepare.objects)
    if size_bytes < _USUAL_BYTES_PER_S and count < 10 * _USUAL_OBJECTS_PER_S:
        return text
    taken_s, pace = max(
        (size_bytes / _USUAL_BYTES_PER_S, f"{format_size(_USUAL_BYTES_PER_S)}/s"),
        (count / _USUAL_OBJECTS_PER_S, f"{format_count(_USUAL_OBJECTS_PER_S)} objects/s"),
    )
    return f"{text}; prepare {format_seconds(taken_s)} at {pace}"


def _amount(operation: OperationPlan, stage: StagePlan) -> str:
    """Return about how many operations there are at the rate of a workload, and what puts write."""
    whole = sum(each.weight for each in stage.operations)
    per_s = stage.rate.per_s if stage.rate else 0
    count = per_s * (stage.warmup_s + stage.duration_s) * operation.weight / whole
    written = f", {format_size(count * operation.size.expected)}" if operation.size else ""
    return f"about {format_count(round(count))}{written}"


def _bounds(stages: Sequence[StagePlan]) -> list[int]:
    """Return for each operation how many are under way at a time in all workers, 0 when only the lanes bound them."""
    return [
        sum(each.most for each in of_workers) for of_workers in zip(*(stage.operations for stage in stages))
    ]


def _bounded(most: int) -> str:
    return f", at most {format_count(most)} at a time" if most else ""


def _divided(what: OperationPlan | StagePlan) -> str:
    """Return how large objects are moved, nothing when it is whole."""
    if what.multipart:
        return f", from {format_size(what.multipart.threshold)} on in parts of {format_size(what.multipart.part_size)}"
    if isinstance(what, OperationPlan) and what.ranges:
        return f", in ranges of {format_size(what.ranges.size)}"
    return ""


def _size(size: SizePlan) -> str:
    if size.kind == "fixed":
        return format_size(size.low)
    return f"{format_size(size.low)} to {format_size(size.high)}"


def _plural(number: int, noun: str) -> str:
    return f"{format_count(number)} {noun}{'' if number == 1 else 's'}"


def _indent(rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"  {line}" for line in lay_out(rows)]
