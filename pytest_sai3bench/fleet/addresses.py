"""Names with several addresses: each address becomes an endpoint of its own, for those who ask for it."""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import cache, partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.errors import RunError
from pytest_sai3bench.plan.sharers import with_sharers
from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_sai3bench.plan.model import Endpoint, RunPlan, WorkerPlan


def resolve_names(plan: RunPlan, look_up: Callable[..., Iterable[tuple[Any, ...]]] | None = None) -> RunPlan:
    """Return the plan with an endpoint for each address of the names that ask for that (`Endpoint.each_address`).

    The URI of such an endpoint is that of the name, a blank, and the address. Addresses are looked up once for all
    agents, here, and come in ascending order: so each has the same place in every worker and run. ``look_up`` is
    `socket.getaddrinfo`. Raises `RunError`.
    """
    written = {endpoint for worker in plan.workers for endpoint in worker.endpoints}
    if not any(endpoint.each_address for endpoint in written):
        return plan
    # Each name once, since the answers may change.
    known = cache(partial(look_up or socket.getaddrinfo, type=socket.SOCK_STREAM))
    found = {
        endpoint: _spread(endpoint, known) if endpoint.each_address else (endpoint,) for endpoint in written
    }
    workers = [_with_endpoints(worker, found) for worker in plan.workers]
    if any(worker.namespace != "shared" for worker in workers):
        workers = list(with_sharers(workers))
    return replace(plan, workers=tuple(workers))


def _with_endpoints(worker: WorkerPlan, found: dict[Endpoint, tuple[Endpoint, ...]]) -> WorkerPlan:
    groups = [found[endpoint] for endpoint in worker.endpoints]
    endpoints = tuple(endpoint for group in groups for endpoint in group)
    if len(endpoints) > MOST_ENDPOINTS:
        raise RunError(
            f"the names of {worker.agent} have {len(endpoints):,} addresses, more than {MOST_ENDPOINTS}",
            remedy="Leave out some of the names, or 'resolve: all'.",
        )
    # Each address counts as what was written did.
    weights = tuple(weight for weight, group in zip(worker.weights, groups) for _ in range(len(group)))
    return replace(worker, endpoints=endpoints, weights=weights)


def _spread(endpoint: Endpoint, look_up: Callable[..., Iterable[tuple[Any, ...]]]) -> tuple[Endpoint, ...]:
    name = f"{endpoint.bucket}.{endpoint.host}" if endpoint.virtual else endpoint.host
    try:
        answers = look_up(name, endpoint.port)
    except OSError as error:
        raise RunError(
            f"{endpoint.origin.where}: {endpoint.uri}: {name} has no address: {error.strerror or error}",
            remedy="Names of endpoints are looked up by the host that runs pytest.",
        ) from error
    addresses = {str(answer[4][0]) for answer in answers}
    ordered = sorted(addresses, key=_order)
    return tuple(replace(endpoint, uri=f"{endpoint.uri} {address}", address=address) for address in ordered)


def _order(address: str) -> tuple[int, int]:
    # The zone of a link-local address is no part of its number.
    parsed = ip_address(address.partition("%")[0])
    return parsed.version, int(parsed)
