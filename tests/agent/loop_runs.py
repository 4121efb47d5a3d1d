"""Tasks carried out over the event loop, without a worker around it."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import dataclass
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from scripted_server import PATIENCE_S
from worker_runs import Reins

from pytest_sai3bench.agent.balance import Balancer, make_balancer
from pytest_sai3bench.agent.crowding import bounded
from pytest_sai3bench.agent.engine import Load
from pytest_sai3bench.agent.failures import make_rules
from pytest_sai3bench.agent.gates import Guarded
from pytest_sai3bench.agent.health import Health
from pytest_sai3bench.agent.loops import choose_loop
from pytest_sai3bench.agent.pacing import Pacer, make_schedule
from pytest_sai3bench.agent.payload import Pool
from pytest_sai3bench.agent.policy import ErrorPolicy
from pytest_sai3bench.agent.recorder import NEVER_NS, Window
from pytest_sai3bench.agent.s3_requests import S3Requests
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan import model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack

    from pytest_sai3bench.agent.http_loop import HttpLoop
    from pytest_sai3bench.agent.op_log import OpLog
    from pytest_sai3bench.agent.tasks import Task
    from pytest_sai3bench.agent.tls import TlsClient
    from pytest_sai3bench.plan import work

KEYS = Credentials("access", "secret", "us-east-1")
# Tests that are not about silence are not to see any, however busy the machine is.
PATIENT = model.EndpointRules(suspect_after_s=PATIENCE_S)


def make_loop(
    addresses: list[tuple[str, int]],
    *,
    lanes: int = 1,
    connect_timeout_s: float = PATIENCE_S,
    request_timeout_s: float = PATIENCE_S,
    tls: TlsClient | None = None,
    drops: bool = True,
    logged: bool = False,
    connections: int = 0,
    gated: bool = False,
) -> HttpLoop:
    """Return an event loop over the bucket ``bench`` at each address."""
    requests = [
        S3Requests({"host": host, "port": port, "bucket": "bench", "prefix": ""}, KEYS)
        for host, port in addresses
    ]
    make = choose_loop(logged=logged, bounded=bool(connections), gated=gated)
    more: dict[str, Any] = {"most_connections": connections} if connections else {}
    return make(
        requests,
        [(socket.AF_INET, address) for address in addresses],
        lanes=lanes,
        pool=Pool(1),
        connect_timeout_s=connect_timeout_s,
        request_timeout_s=request_timeout_s,
        tls=tls,
        drops=drops,
        **more,
    )


class Listed:
    """A source of given tasks, whose data are plain and whose endpoint is any when they do not say more."""

    def __init__(self, tasks: Iterable[tuple[Any, ...]]) -> None:
        self._tasks = iter(tasks)

    def take(self) -> Task | None:
        task = next(self._tasks, None)
        if isinstance(task, Guarded):
            return task
        return (*task, *(None, ANYWHERE)[len(task) - 3 :]) if task else None


@dataclass
class LoopRun:
    """What a run of the event loop left behind."""

    reins: Reins
    policy: ErrorPolicy
    health: Health
    cut_off: int
    wall_s: float
    began_ns: int
    pacer: Pacer | None
    left_behind: list[str]


def carry_out(
    closing: ExitStack,
    addresses: Iterable[tuple[str, int]],
    tasks: Iterable[tuple[Any, ...]],
    *,
    lanes: int = 1,
    strategy: str = "round_robin",
    errors: model.ErrorPolicy | None = None,
    request_timeout_s: float = PATIENCE_S,
    end_ns: int = NEVER_NS,
    stop_when: Callable[[], bool] = lambda: False,
    loop: HttpLoop | None = None,
    rate: work.RatePlan | None = None,
    duration_ns: int = NEVER_NS,
    endpoint_rules: model.EndpointRules = PATIENT,
    op_log: OpLog | None = None,
    connections: int = 0,
    gated: bool = False,
) -> LoopRun:
    """Carry tasks out until none is left; a loop that is made for them is closed with ``closing``."""
    places = list(addresses)
    if loop is None:
        loop = make_loop(
            places,
            lanes=lanes,
            request_timeout_s=request_timeout_s,
            logged=op_log is not None,
            connections=connections,
            gated=gated,
        )
        closing.callback(loop.close)
    loop.open()
    began_ns = monotonic_ns()
    reins = Reins(len(places), stop_when)
    # Without pauses, unless a test is about them.
    rules = errors or model.ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
    balancer, in_flight = make_balancer(strategy, len(places), 0, threads=False), Counter[int]()
    if connections:
        balancer = bounded(balancer, strategy, len(places), connections)

    def acquire(task: Task) -> int:
        endpoint = balancer.acquire(task)
        if endpoint >= 0:
            in_flight[endpoint] += 1
        return endpoint

    def release(endpoint: int, latency_ns: int) -> None:
        in_flight[endpoint] -= 1
        balancer.release(endpoint, latency_ns)

    counted = Balancer(acquire, release, balancer.choose_among)
    health = Health(make_rules(endpoint_rules.to_wire()), counted, len(places), began_ns)
    policy = ErrorPolicy(rules.to_wire(), Random(1), health)
    window = Window(began_ns, began_ns, min(end_ns, began_ns + duration_ns))
    pacer = Pacer(make_schedule(rate.to_wire(), began_ns, Random(1)), window) if rate else None
    load = Load(Listed(tasks), window, reins.done, counted, policy, health, reins, pacer, op_log)
    cut_off = loop.run(load)
    ended_ns = monotonic_ns()
    reins.check(0)
    # However an operation ended, its endpoint is no longer busy with it.
    assert set(in_flight.values()) <= {0}
    if pacer:
        pacer.close(ended_ns)
    wall_s = (ended_ns - began_ns) / 1e9
    return LoopRun(reins, policy, health, cut_off, wall_s, began_ns, pacer, loop.left_behind)
