"""Choosing the endpoint of each operation: the one place where that happens, for every kind of operation.

Whatever is sent to an endpoint, be it an operation, its next attempt or a part of it, first asks ``acquire`` and ends
with exactly one ``release``. Which endpoints are chosen among may change at any time, see `Balancer.choose_among`.
"""

from __future__ import annotations

from functools import partial
from itertools import chain, repeat
from threading import Lock
from typing import TYPE_CHECKING, Callable, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .sources import Task

# The latency of what did not succeed, for `Balancer.release`.
FAILED = -1
# A round of round robin is at least so long, since beginning one takes time.
_ROUND = 64
# More than what can be in flight: nobody is chosen who has so much.
_OUT = 1 << 40


class Balancer(NamedTuple):
    """Three functions, so that the hot path calls them without any lookup.

    ``acquire(task)`` returns the index of the endpoint to use. ``release(endpoint, latency_ns)`` says that what was sent
    to it has ended: after so many nanoseconds, or `FAILED`.

    ``choose_among(endpoints)`` says which endpoints, in ascending order and at least one, are chosen from now on. It may
    be called from any thread that may call the others. That is how an endpoint that fails is left out for a time: who
    decides that keeps the list and the times, and calls it with what is left, and again when one is to be tried once
    more. As long as nobody calls it, it costs nothing. Operations that are in flight to an endpoint left out are
    released as ever.
    """

    acquire: Callable[[Task], int]
    release: Callable[[int, int], None]
    choose_among: Callable[[Sequence[int]], None]


def round_robin(endpoints: int, first: int) -> Balancer:
    """Each endpoint in turn, beginning with ``first``; safe to share between threads."""
    turns: list[int] = []

    def choose_among(chosen: Sequence[int]) -> None:
        start = next((place for place, endpoint in enumerate(chosen) if endpoint >= first), 0)
        turns[:] = [*chosen[start:], *chosen[:start]] * (_ROUND // len(chosen) + 1)

    def release(_endpoint: int, _latency_ns: int) -> None:
        pass

    choose_among(range(endpoints))
    # One C call, so threads cannot get between reading and advancing. The task is what next() would return at the end,
    # to which it never comes: that is the cheapest function which takes an argument and ignores it.
    return Balancer(partial(next, chain.from_iterable(repeat(turns))), release, choose_among)


def least_connections(endpoints: int, first: int) -> Balancer:
    """Return the endpoint with the fewest operations in flight; among equals each in turn. For one thread."""
    active = [0] * endpoints
    start = first

    def acquire(_task: Task) -> int:
        nonlocal start
        fewest = min(active)
        try:
            chosen = active.index(fewest, start)
        except ValueError:
            chosen = active.index(fewest)
        active[chosen] += 1
        start = chosen + 1
        return chosen

    def release(endpoint: int, _latency_ns: int) -> None:
        active[endpoint] -= 1

    def choose_among(chosen: Sequence[int]) -> None:
        for endpoint, flying in enumerate(active):
            active[endpoint] = flying % _OUT if endpoint in chosen else flying % _OUT + _OUT

    return Balancer(acquire, release, choose_among)


_STRATEGIES = {"round_robin": round_robin, "least_connections": least_connections}


def make_balancer(strategy: str, endpoints: int, worker: int, *, threads: bool) -> Balancer:
    """Return the balancer for ``strategy``; each worker begins at another endpoint so that small loads spread too."""
    balancer = _STRATEGIES[strategy](endpoints, worker % endpoints)
    if not threads or strategy == "round_robin":
        return balancer
    return _guarded(balancer)


def _guarded(balancer: Balancer) -> Balancer:
    """Return a balancer that threads may share."""
    lock = Lock()

    def acquire(task: Task) -> int:
        with lock:
            return balancer.acquire(task)

    def release(endpoint: int, latency_ns: int) -> None:
        with lock:
            balancer.release(endpoint, latency_ns)

    def choose_among(chosen: Sequence[int]) -> None:
        with lock:
            balancer.choose_among(chosen)

    return Balancer(acquire, release, choose_among)
