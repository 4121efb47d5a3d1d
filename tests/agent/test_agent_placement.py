from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.naming import NumberedNames
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import NamePool, PlacedPool, numbered_name
from pytest_sai3bench.agent.resolution import find_missing, resolve_pools
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan.work import OperationPlan


class Shelves:
    """An engine of several endpoints that know nothing but names."""

    def __init__(self, *shelves: list[str]) -> None:
        self.shelves = shelves
        self.listed: list[int] = []

    def encode(self, path: str) -> str:
        return path

    decode = encode

    def exists(self, name: str, endpoint: int = 0) -> bool:
        return name in self.shelves[endpoint]

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> list[str]:
        self.listed.append(endpoint)
        return [name for name in self.shelves[endpoint] if name.startswith(folder)]


def independent(endpoints: int, process: int = 0, processes: int = 1) -> Placement:
    return Placement("independent", endpoints, process, processes, [[process, processes]] * endpoints)


def object_set(count: int) -> NumberedNames:
    return NumberedNames("prepared-", count)


def names(*numbers: int) -> list[str]:
    return [numbered_name("prepared-", number) for number in numbers]


@given(st.integers(1, 8), st.integers(0, 1000))
def test_of_one_worker_an_object_lives_on_its_number_modulo_endpoints(endpoints: int, number: int) -> None:
    assert independent(endpoints).homes_of_prepared(1)(number) == number % endpoints


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=4), st.integers(0, 120))
def test_every_agent_spreads_its_own_objects_evenly(agents: list[tuple[int, int]], count: int) -> None:
    """Each agent has so many processes and endpoints; a process makes every n-th object of all."""
    shares = sum(processes for processes, _ in agents)
    share = 0
    for processes, endpoints in agents:
        homes: dict[int, int] = {}
        for process in range(processes):
            home = independent(endpoints, process, processes).homes_of_prepared(shares)
            homes.update((number, home(number)) for number in range(share, count, shares))
            share += 1
        counts = Counter(homes.values())
        assert max(counts.values(), default=0) - min((counts[e] for e in range(endpoints)), default=0) <= 1
        if len(agents) == 1:
            assert homes == {number: number % endpoints for number in range(count)}


def test_objects_have_no_place_where_all_endpoints_show_the_same() -> None:
    placement = Placement("shared", 3, 0, 1, [[0, 1]] * 3)
    assert placement.homes_of_prepared(2)(5) == placement.homes_of_new()(5) == ANYWHERE
    assert [homes(5) for homes in placement.places_of_new()] == [ANYWHERE]
    assert not placement.decides("prepare")


def test_copies_are_removed_from_every_endpoint() -> None:
    placement = Placement("replicated", 3, 0, 1, [[0, 1]] * 3)
    assert [homes(5) for homes in placement.places_of_new()] == [0, 1, 2]
    assert [placement.decides(kind) for kind in ("prepare", "workload", "cleanup")] == [True, False, True]


def test_an_object_on_another_endpoint_than_its_own_is_missing() -> None:
    engine: Any = Shelves(names(0, 1, 4), names(2, 3))
    ((numbers, homes),) = find_missing(object_set(7), (0, 1), engine, independent(2), lambda: None, look=True)
    # 1 and 2 are there, but where nobody will look for them.
    assert [(number, homes(number)) for number in numbers] == [(1, 1), (2, 0), (5, 1), (6, 0)]


def test_every_endpoint_misses_copies_of_its_own() -> None:
    engine: Any = Shelves(names(0, 1), names(1, 2, 3), [])
    # The first endpoint is shared with another worker, the others are this one's alone.
    placement = Placement("replicated", 3, 0, 1, [[1, 2], [0, 1], [0, 1]])
    found = find_missing(object_set(4), (1, 2), engine, placement, lambda: None, look=True)
    assert [[(homes(number), number) for number in numbers] for numbers, homes in found] == [
        [(0, 3)],
        [(1, 0)],
        [(2, 0), (2, 1), (2, 2), (2, 3)],
    ]


def test_patterns_find_objects_on_all_endpoints_and_remember_where() -> None:
    engine: Any = Shelves(["d/a", "d/same", *names(2)], ["d/same", "d/z"], [])
    operations = [OperationPlan("get", path, 1, "s.yaml:1").to_wire() for path in ("d/*", "d/same", "d/z")]
    pools: list[Any] = [*resolve_pools(operations, engine, independent(3), lambda: None)]
    # Two objects of one name are two objects.
    assert [[pool.at(position) for position in range(len(pool))] for pool in pools] == [
        [("d/a", 0), ("d/same", 0), ("d/same", 1), ("d/z", 1)],
        [("d/same", 0), ("d/same", 1)],
        [("d/z", 1)],
    ]
    assert engine.listed == [0, 1, 2]


def test_copies_are_looked_up_on_one_endpoint() -> None:
    engine: Any = Shelves(["d/a"], ["d/a"])
    placement = Placement("replicated", 2, 0, 1, [[0, 1]] * 2)
    (pool,) = resolve_pools(
        [OperationPlan("get", "d/*", 1, "s:1").to_wire()], engine, placement, lambda: None
    )
    assert pool is not None
    assert len(pool) == 1
    assert engine.listed == [0]


@settings(deadline=None)
@given(st.data())
def test_workers_that_drive_an_endpoint_share_what_is_on_it(data: st.DataObject) -> None:
    """Worker 0 drives endpoints 0 and 1, worker 1 endpoints 1 and 2: both drive the one in the middle."""
    numbers = st.sets(st.integers(0, 60), max_size=20)
    shelves = [[*names(*data.draw(numbers)), *(f"t{n}" for n in data.draw(numbers))] for _ in range(3)]
    cared: Counter[tuple[str, int]] = Counter()
    for driven, sharers in (((0, 1), [[0, 1], [0, 2]]), ((1, 2), [[1, 2], [0, 1]])):
        orders = [data.draw(st.permutations(shelves[endpoint])) for endpoint in driven]
        pool = PlacedPool([NamePool(order) for order in orders], sharers)
        for name, place in map(pool.at, pool.share(9, 99)):
            cared[name, driven[place]] += 1
    assert cared == Counter((name, endpoint) for endpoint in range(3) for name in shelves[endpoint])
