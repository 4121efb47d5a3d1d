from __future__ import annotations

import math
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import FAILED, make_balancer
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.pools import numbered_name
from pytest_sai3bench.agent.tasks import ANYWHERE

if TYPE_CHECKING:
    from pytest_sai3bench.agent.tasks import Task

STRATEGIES = ["round_robin", "least_connections", "random", "weighted", "sticky", "least_latency"]
TASK: Task = (GET, "key", 0, None, ANYWHERE)

endpoint_counts = st.integers(1, 9)


def task_for(number: int) -> Task:
    return (GET, numbered_name("data/prepared-", number), 0, None, ANYWHERE)


@settings(deadline=None)
@given(endpoint_counts, st.integers(0, 20), st.integers(0, 100))
def test_round_robin_is_fair_to_one_operation_and_begins_where_told(
    endpoints: int, worker: int, operations: int
) -> None:
    balancer = make_balancer("round_robin", endpoints, worker, threads=False)
    order = [balancer.acquire(TASK) for _ in range(operations)]

    assert order == [(worker + step) % endpoints for step in range(operations)]
    counts = Counter(dict.fromkeys(range(endpoints), 0))
    counts.update(order)
    assert max(counts.values()) - min(counts.values()) <= 1


@settings(deadline=None)
@given(endpoint_counts, st.lists(st.one_of(st.none(), st.integers(0, 1000)), max_size=100))
def test_least_connections_never_takes_a_busier_endpoint_and_turns_among_equals(
    endpoints: int, steps: list[int | None]
) -> None:
    """A step takes an endpoint, or (a number) ends one of the operations in flight."""
    balancer = make_balancer("least_connections", endpoints, 0, threads=False)
    flying: list[int] = []
    before = endpoints - 1
    for step in steps:
        if step is not None:
            if flying:
                balancer.release(flying.pop(step % len(flying)), 1000)
            continue
        active = Counter(flying)
        fewest = min(active[endpoint] for endpoint in range(endpoints))
        turn = [(before + 1 + offset) % endpoints for offset in range(endpoints)]
        before = balancer.acquire(TASK)
        assert before == next(endpoint for endpoint in turn if active[endpoint] == fewest)
        flying.append(before)


def test_idle_endpoints_take_turns() -> None:
    balancer = make_balancer("least_connections", 3, 2, threads=False)
    order = []
    for _ in range(6):
        order.append(balancer.acquire(TASK))
        balancer.release(order[-1], 1000)
    assert order == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_threads_share_a_balancer(strategy: str) -> None:
    endpoints, threads, each = 4, 8, 2000
    balancer = make_balancer(strategy, endpoints, 0, threads=True, weights=[1, 1, 1, 1])
    together = threading.Barrier(threads)
    taken: list[Counter[int]] = []

    def work() -> None:
        counts: Counter[int] = Counter()
        together.wait(20)
        for _ in range(each):
            endpoint = balancer.acquire(TASK)
            counts[endpoint] += 1
            balancer.release(endpoint, 1000)
        taken.append(counts)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)

    total = sum(taken, Counter())
    assert sum(total.values()) == threads * each
    if strategy in {"round_robin", "weighted"}:
        assert set(total.values()) == {threads * each // endpoints}
    if strategy == "sticky":
        assert len(total) == 1
    if strategy == "least_connections":
        # Nothing is in flight any more: the next ones go round once.
        assert sorted(balancer.acquire(TASK) for _ in range(endpoints)) == list(range(endpoints))


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_only_the_endpoints_that_are_left_are_chosen_and_others_may_come_back(
    strategy: str, *, threads: bool, data: st.DataObject
) -> None:
    endpoints = data.draw(endpoint_counts)
    first, weights = data.draw(st.integers(0, 20)), [1.0] * endpoints
    balancer = make_balancer(strategy, endpoints, first, threads=threads, weights=weights)
    flying: list[int] = []
    for left in data.draw(
        st.lists(st.lists(st.integers(0, endpoints - 1), min_size=1, unique=True).map(sorted), max_size=5)
    ):
        balancer.choose_among(left)
        taken = [balancer.acquire(task_for(number)) for number in range(data.draw(st.integers(0, 70)))]
        assert set(taken) <= set(left)
        # What is in flight to an endpoint may end when that is left out already.
        flying += taken
        for _ in range(data.draw(st.integers(0, len(flying)))):
            balancer.release(flying.pop(), FAILED)

    balancer.choose_among(range(endpoints))
    for endpoint in flying:
        balancer.release(endpoint, 1000)
    turns = Counter(balancer.acquire(task_for(number)) for number in range(endpoints * 200))
    if strategy != "least_latency":
        assert set(turns) == set(range(endpoints))
    if strategy in {"round_robin", "least_connections"}:
        assert max(turns.values()) - min(turns.values()) <= 1


def test_random_choices_are_uniform_and_follow_from_the_seed() -> None:
    endpoints, draws = 7, 35_000
    first, again, other = (
        make_balancer("random", endpoints, 0, threads=False, seed=seed).acquire for seed in (1, 1, 2)
    )
    orders = [[acquire(TASK) for _ in range(draws)] for acquire in (first, again, other)]
    assert orders[0] == orders[1] != orders[2]
    share = draws / endpoints
    # Five standard deviations of a binomial distribution.
    assert all(abs(count - share) <= 5 * math.sqrt(share) for count in Counter(orders[0]).values())


@settings(deadline=None)
@given(st.lists(st.floats(0.05, 20), min_size=1, max_size=9), st.integers(0, 20))
def test_weights_are_kept_at_every_moment(weights: list[float], worker: int) -> None:
    acquire = make_balancer("weighted", len(weights), worker, threads=False, weights=weights).acquire
    counts: Counter[int] = Counter()
    for number in range(1, 501):
        counts[acquire(TASK)] += 1
        for endpoint, weight in enumerate(weights):
            # An endpoint's own turns are even; how many turns there are in all is off by less than one for each.
            assert abs(counts[endpoint] - number * weight / sum(weights)) < 1 + len(weights)


def test_weights_are_kept_to_one_percent() -> None:
    weights = [5, 3.5, 1, 0.5]
    acquire = make_balancer("weighted", 4, 0, threads=False, weights=weights).acquire
    counts = Counter(acquire(TASK) for _ in range(10_000))
    assert [counts[endpoint] for endpoint in range(4)] == pytest.approx([5000, 3500, 1000, 500], rel=0.01)


def test_weights_say_who_comes_next_and_not_in_bursts() -> None:
    acquire = make_balancer("weighted", 3, 0, threads=False, weights=[2, 1, 1]).acquire
    assert [acquire(TASK) for _ in range(12)] == [0, 0, 1, 2] * 3


@settings(deadline=None)
@given(st.lists(st.text(max_size=30), max_size=30), endpoint_counts, st.data())
def test_a_key_stays_with_its_endpoint(keys: list[str], endpoints: int, data: st.DataObject) -> None:
    tasks: list[Task] = [(GET, key, 0, None, ANYWHERE) for key in keys]
    one, other = (make_balancer("sticky", endpoints, worker, threads=False) for worker in (0, 5))
    homes = [one.acquire(task) for task in tasks]
    assert homes == [other.acquire(task) for task in tasks] == [one.acquire(task) for task in tasks]
    left = data.draw(st.lists(st.integers(0, endpoints - 1), min_size=1, unique=True).map(sorted))
    one.choose_among(left)
    # Only those move whose endpoint is left out.
    moved = [one.acquire(task) for task in tasks]
    assert [home for home in homes if home in left] == [
        now for now, home in zip(moved, homes) if home in left
    ]
    assert set(moved) <= set(left)


def test_keys_have_the_same_endpoint_everywhere() -> None:
    acquire = make_balancer("sticky", 4, 0, threads=False).acquire
    # The same in every process, with every version of Python and on every host.
    assert [acquire(task_for(number)) for number in range(10)] == [2, 1, 2, 3, 2, 0, 3, 0, 1, 1]


@pytest.mark.parametrize("endpoints", [2, 3, 4, 8, 12])
def test_keys_are_spread_like_random_numbers(endpoints: int) -> None:
    acquire = make_balancer("sticky", endpoints, 0, threads=False).acquire
    counts = Counter(acquire(task_for(number)) for number in range(10_000))
    share = 10_000 / endpoints
    assert all(abs(counts[endpoint] - share) <= 4 * math.sqrt(share) for endpoint in range(endpoints))


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 1000), st.integers(1, 10**9))), max_size=100))
def test_least_latency_takes_the_better_of_two(steps: list[tuple[int, int] | None]) -> None:
    """A step takes an endpoint, or ends one of the operations in flight after so long."""
    balancer = make_balancer("least_latency", 2, 0, threads=False)
    flying: list[int] = []
    recent = [0, 0]
    for step in steps:
        if step is not None:
            if flying:
                place, latency_ns = step
                endpoint = flying.pop(place % len(flying))
                balancer.release(endpoint, latency_ns)
                before = recent[endpoint]
                recent[endpoint] = before + (latency_ns - before) // 4 if before else latency_ns
            continue
        costs = [flying.count(endpoint) + 1 for endpoint in (0, 1)]
        if all(recent):
            costs = [cost * latency for cost, latency in zip(costs, recent)]
        chosen = balancer.acquire(TASK)
        assert costs[chosen] == min(costs)
        other = 1 - chosen
        if other not in flying:
            recent[other] -= recent[other] // 128
        flying.append(chosen)


def test_an_endpoint_that_was_slow_or_failed_is_tried_again() -> None:
    for latency_ns in (10_000_000, FAILED):
        balancer = make_balancer("least_latency", 2, 0, threads=False)
        both = balancer.acquire(TASK), balancer.acquire(TASK)
        assert sorted(both) == [0, 1]
        balancer.release(0, latency_ns)
        balancer.release(1, 1_000_000)
        order = []
        for _ in range(2000):
            order.append(balancer.acquire(TASK))
            balancer.release(order[-1], latency_ns if order[-1] == 0 else 1_000_000)
        # It costs little to ask: one operation in a hundred or fewer.
        assert 1 <= order.count(0) <= 20
