"""Choosing the endpoint of each operation: the one place where that happens, for every kind of operation.

``acquire`` returns the index of the endpoint to use, ``release`` says that the operation on it has ended.
"""

from __future__ import annotations

from itertools import cycle
from threading import Lock
from typing import Callable, NamedTuple


class Balancer(NamedTuple):
    """Two functions, so that the hot path calls them without any lookup."""

    acquire: Callable[[], int]
    release: Callable[[int], None]


def round_robin(endpoints: int, first: int) -> Balancer:
    """Each endpoint in turn, beginning with ``first``; safe to share between threads."""

    def release(_endpoint: int) -> None:
        pass

    order = [(first + step) % endpoints for step in range(endpoints)]
    # next() on a cycle is one C call, so threads cannot get between reading and advancing.
    return Balancer(cycle(order).__next__, release)


def least_connections(endpoints: int, first: int) -> Balancer:
    """Return the endpoint with the fewest operations in flight; among equals each in turn. For one thread."""
    active = [0] * endpoints
    start = first

    def acquire() -> int:
        nonlocal start
        fewest = min(active)
        try:
            chosen = active.index(fewest, start)
        except ValueError:
            chosen = active.index(fewest)
        active[chosen] += 1
        start = chosen + 1
        return chosen

    def release(endpoint: int) -> None:
        active[endpoint] -= 1

    return Balancer(acquire, release)


_STRATEGIES = {"round_robin": round_robin, "least_connections": least_connections}


def make_balancer(strategy: str, endpoints: int, worker: int, *, threads: bool) -> Balancer:
    """Return the balancer for ``strategy``; each worker begins at another endpoint so that small loads spread too."""
    balancer = _STRATEGIES[strategy](endpoints, worker % endpoints)
    if not threads or strategy == "round_robin":
        return balancer
    lock = Lock()

    def acquire() -> int:
        with lock:
            return balancer.acquire()

    def release(endpoint: int) -> None:
        with lock:
            balancer.release(endpoint)

    return Balancer(acquire, release)
