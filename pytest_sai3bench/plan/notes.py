"""What a reader of a plan should know: sentences about oddities that are no errors."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_sai3bench.plan.hosts import split_address
from pytest_sai3bench.suite.uris import parse_uri
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.plan.work import StagePlan
    from pytest_sai3bench.suite.stages import PlacedStage


# What sai3-bench takes for the beginning of a server's name.
_SERVERS = ("minio", "ceph")


def make_notes(plan: RunPlan, wanted: Mapping[str, int | None]) -> Iterator[str]:
    """Yield the notes about a plan; so many processes are ``wanted`` for each agent, None when that is not known yet."""
    first_of_agents = [worker for worker in plan.workers if worker.process == 0]
    for worker in first_of_agents:
        _, port = split_address(worker.address)
        if port:
            yield f"port {port} of {worker.address} is not used: {worker.agent} needs no open port"
    for worker in first_of_agents:
        lanes = sum(other.workload_lanes for other in plan.workers if other.agent == worker.agent)
        if lanes < len(worker.endpoints):
            operations = "1 operation" if lanes == 1 else f"{lanes} operations"
            yield (
                f"{worker.agent} keeps {operations} going, fewer than its {len(worker.endpoints)} "
                "endpoints: some are always idle; raise concurrency"
            )
        processes = wanted[worker.agent]
        if processes is None:
            yield f"{worker.agent} gets a process for each core of its host, which is asked before the run"
        elif worker.processes < processes:
            yield (
                f"{worker.agent} has {worker.processes} instead of {processes} processes: "
                "each keeps at least one operation going; raise concurrency"
            )
        room = worker.connections * len(worker.endpoints)
        if room and (worker.endpoints[0].scheme != "s3" or worker.engine == "boto3"):
            yield f"connections_per_endpoint has no effect on {worker.agent}: it is for S3 and the default engine"
        elif 0 < room < worker.workload_lanes and not any(each.each_address for each in worker.endpoints):
            yield (
                f"{worker.agent} may open {room} connections for {worker.workload_lanes} operations at a time in each worker: "
                "the others wait; raise connections_per_endpoint"
            )
    if plan.tls is not None and not plan.tls.verify:
        yield "certificates of servers are not verified (tls.verify: false): anyone could answer in their place"
    if any(worker.engine == "boto3" for worker in plan.workers):
        yield "engine: boto3 is the reference for what a storage answers: how fast it goes is up to the client"
    yield from _uneven_load(plan)
    for endpoint in plan.endpoints:
        if endpoint.bucket.startswith(_SERVERS) and not _names_server(endpoint.uri) and endpoint.prefix:
            yield (
                f"{endpoint.uri} is the bucket {endpoint.bucket}; sai3-bench takes it for a server, written "
                f"s3://{endpoint.bucket}:80/{endpoint.prefix} here"
            )


def _names_server(uri: str) -> bool:
    return bool(parse_uri(uri).host)


def note_expectations(sequence: Sequence[PlacedStage], stages: Sequence[StagePlan]) -> Iterator[str]:
    """Yield where the suite has another number of objects than one of its stages expects."""
    for placed, stage in zip(sequence, stages):
        expected = placed.stage.settings.expected_objects
        found = sum(objects.count for objects in stage.objects)
        if stage.kind in ("prepare", "cleanup") and expected is not None and expected != found:
            yield (
                f"{stage.where}: {stage.name} expects {format_count(expected)} objects, "
                f"the suite has {format_count(found)} (prepare.ensure_objects)"
            )


def _uneven_load(plan: RunPlan) -> Iterator[str]:
    """Compare how many operations go on at each endpoint when every agent spreads its own evenly."""
    if any(worker.weights for worker in plan.workers):
        return
    load: dict[str, Fraction] = {}
    for worker in plan.workers:
        for endpoint in worker.endpoints:
            share = Fraction(worker.workload_lanes, len(worker.endpoints))
            load[endpoint.uri] = load.get(endpoint.uri, Fraction(0)) + share
    most, least = max(load, key=load.__getitem__), min(load, key=load.__getitem__)
    if load[most] != load[least]:
        yield (
            f"{_cause(plan, len(load))}: {float(load[most]):.3g} operations at a time on {most}, "
            f"{float(load[least]):.3g} on {least}"
        )


def _cause(plan: RunPlan, endpoints: int) -> str:
    """Return why the load of endpoints differs; division is the cause where no two agents share an endpoint."""
    of_agents = {worker.agent: worker.endpoints for worker in plan.workers}
    divided = sum(map(len, of_agents.values())) == endpoints
    if divided and endpoints % len(of_agents):
        return f"{endpoints} endpoints do not divide evenly over {len(of_agents)} agents"
    return "the load is uneven"
