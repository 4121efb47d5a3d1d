"""Choosing the endpoint of each operation: the one place where that happens, for every kind of operation.

Whatever is sent to an endpoint, be it an operation, its next attempt or a part of it, first asks ``acquire`` and ends
with exactly one ``release``. Which endpoints are chosen among may change at any time, see `Balancer.choose_among`.
"""

from __future__ import annotations

from functools import partial
from heapq import heapify, heapreplace
from itertools import chain, repeat
from operator import itemgetter
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Callable, NamedTuple

from .pools import spread_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tasks import Task

# The strategy for tasks that all name their endpoint.
PLACED = "placed"
# The latency of what did not succeed, for `Balancer.release`.
FAILED = -1
# A round of round robin is at least so long, since beginning one takes time.
_ROUND = 64
# More than what can be in flight: nobody is chosen who has so much.
_OUT = 1 << 40
# What a failure counts as where latency decides: more than any storage that is worth a try.
_FAILURE_NS = 1_000_000_000


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


class _Setting(NamedTuple):
    """What a strategy has to know; ``weights`` has one for each endpoint, or is empty where all are equal."""

    endpoints: int
    first: int
    weights: Sequence[float]
    rng: Random


def round_robin(setting: _Setting) -> Balancer:
    """Each endpoint in turn, beginning with the first; safe to share between threads."""
    turns: list[int] = []

    def choose_among(chosen: Sequence[int]) -> None:
        start = next((place for place, endpoint in enumerate(chosen) if endpoint >= setting.first), 0)
        turns[:] = [*chosen[start:], *chosen[:start]] * (_ROUND // len(chosen) + 1)

    choose_among(range(setting.endpoints))
    # One C call, so threads cannot get between reading and advancing. The task is what next() would return at the end,
    # to which it never comes: that is the cheapest function which takes an argument and ignores it.
    return Balancer(partial(next, chain.from_iterable(repeat(turns))), _forget, choose_among)


def least_connections(setting: _Setting) -> Balancer:
    """Return the endpoint with the fewest operations in flight; among equals each in turn."""
    active = [0] * setting.endpoints
    start = setting.first

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


def uniform_random(setting: _Setting) -> Balancer:
    """Return any endpoint with the same chance; safe to share between threads."""
    draw = setting.rng.random
    left: Sequence[int] = range(setting.endpoints)

    def acquire(_task: Task) -> int:
        # Read once: another thread may replace it.
        among = left
        return among[int(draw() * len(among))]

    def choose_among(chosen: Sequence[int]) -> None:
        nonlocal left
        left = tuple(chosen)

    return Balancer(acquire, _forget, choose_among)


def weighted(setting: _Setting) -> Balancer:
    """Return each endpoint in proportion to its weight, and as evenly in time as that goes.

    Stride scheduling (Waldspurger and Weihl, 1995): the next turn of an endpoint comes 1 / weight after its last one, and
    the earliest of all is next. So the count of an endpoint is never further from its share than the first turns are,
    which lie within one stride.
    """
    count = setting.endpoints
    strides = [1 / weight for weight in setting.weights]
    # The phase spreads the first turns of several workers, as `first` does elsewhere.
    turns = [
        (stride * ((endpoint - setting.first) % count + 1) / count, endpoint)
        for endpoint, stride in enumerate(strides)
    ]
    heapify(turns)

    def acquire(_task: Task) -> int:
        due, chosen = turns[0]
        heapreplace(turns, (due + strides[chosen], chosen))
        return chosen

    def choose_among(chosen: Sequence[int]) -> None:
        now, known = turns[0][0], {endpoint: due for due, endpoint in turns}
        # Who comes back has no turns to make up for.
        turns[:] = [(known.get(endpoint, now + strides[endpoint]), endpoint) for endpoint in chosen]
        heapify(turns)

    return Balancer(acquire, _forget, choose_among)


def sticky(setting: _Setting) -> Balancer:
    """Return the endpoint that follows from the key: the same in every worker, on every host and in every run.

    Keys whose endpoint is left out are spread over the others, which keep their own. Safe to share between threads.
    """
    count = setting.endpoints
    left: Sequence[int] = range(count)

    def acquire(task: Task) -> int:
        among, key = left, task[1]
        chosen = spread_key(key, count)
        # Another hash, or the keys of one endpoint would not spread over all others.
        return chosen if chosen in among else among[spread_key(key[::-1], len(among))]

    def choose_among(chosen: Sequence[int]) -> None:
        nonlocal left
        left = range(count) if len(chosen) == count else tuple(chosen)

    return Balancer(acquire, _forget, choose_among)


def least_latency(setting: _Setting) -> Balancer:
    """Return, of two endpoints drawn at random, the one that is likely to answer sooner.

    That is the one with the smaller product of its recent latency and of the operations that would then be in flight to
    it. Recent latency is a moving average in which the last operation counts a quarter. As long as one of the two has
    never answered, only the operations in flight are compared. The latency of an idle endpoint that is passed over fades
    by 1/128 each time, so that one that was slow is tried again.
    """
    # The power of two choices: Mitzenmacher, 2001. Latency times what is in flight: without that, all lanes would rush
    # to the endpoint that was fast a moment ago.
    draw = setting.rng.random
    left: Sequence[int] = range(setting.endpoints)
    active = [0] * setting.endpoints
    recent = [0] * setting.endpoints

    def acquire(_task: Task) -> int:
        among = left
        chosen = among[(place := int(draw() * len(among)))]
        if len(among) > 1:
            other = among[place - 1 - int(draw() * (len(among) - 1))]
            cost, other_cost = active[chosen] + 1, active[other] + 1
            if recent[chosen] and recent[other]:
                cost *= recent[chosen]
                other_cost *= recent[other]
            if other_cost < cost:
                chosen, other = other, chosen
            if not active[other]:
                recent[other] -= recent[other] >> 7
        active[chosen] += 1
        return chosen

    def release(endpoint: int, latency_ns: int) -> None:
        active[endpoint] -= 1
        if latency_ns == FAILED:
            latency_ns = _FAILURE_NS
        before = recent[endpoint]
        recent[endpoint] = before + (latency_ns - before >> 2) if before else latency_ns

    def choose_among(chosen: Sequence[int]) -> None:
        nonlocal left
        left = tuple(chosen)

    return Balancer(acquire, release, choose_among)


def placed(_setting: _Setting) -> Balancer:
    """Return the endpoint that the task itself names; there is no other, so nothing can be left out."""
    return Balancer(itemgetter(4), _forget, lambda _chosen: None)


def _forget(_endpoint: int, _latency_ns: int) -> None:
    """Release an endpoint for a strategy that does not look at it."""


_STRATEGIES: dict[str, Callable[[_Setting], Balancer]] = {
    "round_robin": round_robin,
    "least_connections": least_connections,
    "random": uniform_random,
    "weighted": weighted,
    "sticky": sticky,
    "least_latency": least_latency,
    PLACED: placed,
}
# What leaves no choice: the endpoint follows from the task.
BOUND = frozenset({"sticky", PLACED})
# What threads may share as it is: each step of these is one call that nobody gets between, or harmless.
_FREE = frozenset({"round_robin", "random", "sticky", PLACED})


def make_balancer(
    strategy: str,
    endpoints: int,
    worker: int,
    *,
    threads: bool,
    weights: Sequence[float] = (),
    seed: int = 0,
) -> Balancer:
    """Return the balancer for ``strategy``; each worker begins at another endpoint so that small loads spread too.

    ``weights`` are those of the endpoints, for the strategy ``weighted``; random choices follow from ``seed``.
    """
    # Apart from the worker's own random numbers: a strategy does not change what is read and written.
    rng = Random(f"{seed}/endpoints")  # noqa: S311 - repeatable on purpose
    balancer = _STRATEGIES[strategy](_Setting(endpoints, worker % endpoints, weights, rng))
    return balancer if not threads or strategy in _FREE else _guarded(balancer)


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
