from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import least_connections, make_balancer

endpoint_counts = st.integers(1, 9)


@settings(deadline=None)
@given(endpoint_counts, st.integers(0, 20), st.integers(0, 100))
def test_round_robin_is_fair_to_one_operation_and_begins_where_told(
    endpoints: int, worker: int, operations: int
) -> None:
    balancer = make_balancer("round_robin", endpoints, worker, threads=False)
    order = [balancer.acquire() for _ in range(operations)]

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
                balancer.release(flying.pop(step % len(flying)))
            continue
        active = Counter(flying)
        fewest = min(active[endpoint] for endpoint in range(endpoints))
        turn = [(before + 1 + offset) % endpoints for offset in range(endpoints)]
        before = balancer.acquire()
        assert before == next(endpoint for endpoint in turn if active[endpoint] == fewest)
        flying.append(before)


def test_idle_endpoints_take_turns() -> None:
    balancer = least_connections(3, 2)
    order = []
    for _ in range(6):
        order.append(balancer.acquire())
        balancer.release(order[-1])
    assert order == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize("strategy", ["round_robin", "least_connections"])
def test_many_threads_share_a_balancer(strategy: str) -> None:
    endpoints, threads, each = 4, 8, 2000
    balancer = make_balancer(strategy, endpoints, 0, threads=True)
    together = threading.Barrier(threads)
    taken: list[Counter[int]] = []

    def work() -> None:
        counts: Counter[int] = Counter()
        together.wait(20)
        for _ in range(each):
            endpoint = balancer.acquire()
            counts[endpoint] += 1
            balancer.release(endpoint)
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
    assert sorted(balancer.acquire() for _ in range(endpoints)) == list(range(endpoints))
