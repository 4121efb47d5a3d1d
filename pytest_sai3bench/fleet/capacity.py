"""What a run takes of its hosts, against what they have left: memory for the workers, room for what prepare writes.

Both are told before the load begins. What is compared is the least that a run takes: where it is too much, there is no
doubt; where it is enough, the run may still need more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sai3bench.agent.messages import RoomWire
    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.plan.model import HostPlan, WorkerPlan

# Measured, after the hello: what a worker takes in any case, for the data of puts, and for each lane that moves files.
_WORKER_BYTES = 2 << 20
_DATA_BYTES = 8 << 20
_LANE_BYTES = {"direct": 1 << 20, "file": 256 << 10}


def find_lack_of_memory(members: Iterable[Member]) -> Iterator[str]:
    """Yield the lines about each host whose memory does not suffice for its workers, when all have said hello."""
    by_host: dict[HostPlan, list[Member]] = {}
    for member in members:
        by_host.setdefault(member.plan.host, []).append(member)
    for host, workers in by_host.items():
        needed = sum(_memory(member.plan) for member in workers)
        # Some were asked before others had begun; 0 is what systems say that do not know.
        available = min(member.hello["memory"] for member in workers)
        if 0 < available < needed:
            yield (
                f"{_where(host)}{_names(workers)}: {_count(len(workers))} need {format_size(needed)} of memory or more, "
                f"{host.title} has {format_size(available)} left\n"
                "  Free some, or ask for less: processes, and concurrency of direct:// and file://."
            )


def find_lack_of_room(members: Iterable[Member]) -> Iterator[str]:
    """Yield the lines about each file system that cannot take what prepare is to write, when all are ready for it."""
    by_system: dict[tuple[object, str], list[tuple[Member, RoomWire]]] = {}
    for member in members:
        for room in member.answer.get("room", ()):
            owner = None if room["distant"] else member.plan.host
            by_system.setdefault((owner, room["name"]), []).append((member, room))
    for rooms in by_system.values():
        needed = sum(room["writes"] for _, room in rooms)
        free = max(room["free"] for _, room in rooms)
        if needed > free:
            first, room = rooms[0]
            endpoint = first.plan.endpoints[room["endpoint"]]
            yield (
                f"{endpoint.origin.where}: {_names(member for member, _ in rooms)}: prepare writes {format_size(needed)} "
                f"where {endpoint.uri} is, {first.plan.host.title} has {format_size(free)} left there\n"
                "  Make room, or prepare fewer or smaller objects (prepare.ensure_objects)."
            )


def _memory(worker: WorkerPlan) -> int:
    operations = [each for stage in worker.stages for each in stage.operations if each.weight]
    makes = any(each.op == "put" or each.verify for each in operations) or any(
        stage.objects and stage.create for stage in worker.stages
    )
    sizes = [objects.size.high for stage in worker.stages for objects in stage.objects]
    sizes += [each.size.high for each in operations if each.size]
    # A buffer takes memory as far as it is used. Objects that were there before have any size.
    used = min(_LANE_BYTES.get(worker.endpoints[0].scheme, 0), max(sizes, default=0))
    return _WORKER_BYTES + makes * _DATA_BYTES + worker.lanes * used


def _names(members: Iterable[Member]) -> str:
    return ", ".join(dict.fromkeys(member.plan.agent for member in members))


def _count(workers: int) -> str:
    return "1 process" if workers == 1 else f"{workers} processes"


def _where(host: HostPlan) -> str:
    return f"{host.origin.where}: " if host.origin.where else ""
