from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import FAILED, least_connections, make_balancer
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.sources import ANYWHERE

if TYPE_CHECKING:
    from pytest_sai3bench.agent.sources import Task

STRATEGIES = ["round_robin", "least_connections"]
TASK: Task = (GET, "key", 0, None, ANYWHERE)

endpoint_counts = st.integers(1, 9)


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
    balancer = least_connections(endpoints, 0)
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
    balancer = least_connections(3, 2)
    order = []
    for _ in range(6):
        order.append(balancer.acquire(TASK))
        balancer.release(order[-1], 1000)
    assert order == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_many_threads_share_a_balancer(strategy: str) -> None:
    endpoints, threads, each = 4, 8, 2000
    balancer = make_balancer(strategy, endpoints, 0, threads=True)
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
    if strategy == "round_robin":
        assert set(total.values()) == {threads * each // endpoints}
    # Nothing is in flight any more: the next ones go round once.
    assert sorted(balancer.acquire(TASK) for _ in range(endpoints)) == list(range(endpoints))


@pytest.mark.parametrize("threads", [False, True])
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(deadline=None)
@given(data=st.data())
def test_only_the_endpoints_that_are_left_are_chosen_and_others_may_come_back(
    strategy: str, *, threads: bool, data: st.DataObject
) -> None:
    endpoints = data.draw(endpoint_counts)
    balancer = make_balancer(strategy, endpoints, data.draw(st.integers(0, 20)), threads=threads)
    flying: list[int] = []
    for left in data.draw(
        st.lists(st.lists(st.integers(0, endpoints - 1), min_size=1, unique=True).map(sorted), max_size=5)
    ):
        balancer.choose_among(left)
        taken = [balancer.acquire(TASK) for _ in range(data.draw(st.integers(0, 70)))]
        assert set(taken) <= set(left)
        # What is in flight to an endpoint may end when that is left out already.
        flying += taken
        for _ in range(data.draw(st.integers(0, len(flying)))):
            balancer.release(flying.pop(), FAILED)

    balancer.choose_among(range(endpoints))
    for endpoint in flying:
        balancer.release(endpoint, 1000)
    turns = Counter(balancer.acquire(TASK) for _ in range(endpoints * 200))
    assert set(turns) == set(range(endpoints))
    assert max(turns.values()) - min(turns.values()) <= 1
