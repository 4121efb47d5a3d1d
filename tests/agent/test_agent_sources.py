from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.messages import DELETE, GET, LIST, OPERATIONS, PUT, STAT
from pytest_sai3bench.agent.naming import NumberedNames
from pytest_sai3bench.agent.own_objects import Absent, Chain, Missing, Removals
from pytest_sai3bench.agent.payload import PLAIN, Shape
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import NamePool, numbered_name
from pytest_sai3bench.agent.prepared_objects import Known, Numbered
from pytest_sai3bench.agent.sizes import size_by_name
from pytest_sai3bench.agent.sources import Mix
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan.work import DataPlan, OperationPlan, SizePlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.agent.engine import Source
from pytest_sai3bench.agent.tasks import Task

SIZE = SizePlan("fixed", 1000, 1000)
DRAWS = 40_000
SHARED = Placement("shared", 3, 0, 1, [[0, 1]] * 3)


def numbered(stem: str, shape: Shape = PLAIN) -> Numbered:
    return Numbered(NumberedNames(stem, 1 << 32), len, shape)


def pool_of(count: int, stem: str = "data/prepared-") -> NamePool:
    return NamePool(numbered_name(stem, number) for number in range(count))


def operation(op: str, weight: int = 1, path: str = "") -> OperationPlan:
    return OperationPlan(op, path, weight, f"suite.yaml:{op}", SIZE if op == "put" else None)


def make_mix(
    *entries: tuple[OperationPlan, NamePool | None],
    seed: int = 1,
    base: int = 99,
    worker: int = 0,
    workers: int = 1,
) -> Mix:
    return Mix(
        [entry.to_wire() for entry, _ in entries],
        [pool for _, pool in entries],
        worker=worker,
        workers=workers,
        placement=SHARED,
        rng=Random(seed),
        base=base,
        known=Known([numbered("data/prepared-", Shape(dedup=2))]),
    )


def rest_of(source: Source) -> Iterator[Task]:
    while (task := source.take()) is not None:
        yield task
    # Empty once is empty for ever.
    assert source.take() is None


def test_operations_are_drawn_by_weight() -> None:
    weights = {"get": 70, "put": 20, "stat": 9, "list": 1, "delete": 0}
    pool = pool_of(50)
    mix = make_mix(
        *(
            (operation(op, weight, "data/"), pool if op in {"get", "stat"} else None)
            for op, weight in weights.items()
        )
    )

    counts = Counter(OPERATIONS[task[0]] for task in (mix.take() for _ in range(DRAWS)) if task)

    for op, weight in weights.items():
        share = weight / 100
        # Five standard deviations of a binomial distribution: one failure in two million.
        assert abs(counts[op] - DRAWS * share) <= 5 * math.sqrt(DRAWS * share * (1 - share))


def test_reads_take_any_object_again_and_again() -> None:
    pool = pool_of(20)
    mix = make_mix((operation("get"), pool))
    counts = Counter(mix.take() for _ in range(DRAWS))

    assert set(counts) == {(GET, pool[position], 0, None, ANYWHERE) for position in range(20)}
    assert all(abs(count - DRAWS / 20) <= 5 * math.sqrt(DRAWS / 20) for count in counts.values())


def test_verified_reads_say_what_must_come_back() -> None:
    mix = make_mix((replace(operation("get"), verify=True), pool_of(20)))
    names = [numbered_name("data/prepared-", number) for number in range(20)]
    tasks = {mix.take() for _ in range(1000)}
    assert tasks == {(GET, name, len(name), Shape(dedup=2), ANYWHERE) for name in names}


def test_a_list_takes_its_folder_and_a_put_is_new_every_time() -> None:
    mix = make_mix((operation("list", path="data/"), None), (operation("put", path="new"), None))
    tasks = [mix.take() for _ in range(2000)]

    assert {task for task in tasks if task and task[0] == LIST} == {(LIST, "data/", 0, None, ANYWHERE)}
    puts = [task for task in tasks if task and task[0] == PUT]
    assert len({key for _, key, *_ in puts}) == len(puts) > 800
    assert all(key.startswith("new/obj_") and size == 1000 for _, key, size, *_ in puts)


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(1, 5))
def test_workers_delete_every_object_exactly_once(count: int, workers: int) -> None:
    pools = [
        NamePool(
            [*(numbered_name("data/deletable-", n) for n in range(count)), *(f"text-{n}" for n in range(7))]
        )
        for _ in range(workers)
    ]
    deleted: list[str] = []
    for worker, pool in enumerate(pools):
        mix = make_mix((operation("delete"), pool), seed=worker, worker=worker, workers=workers)
        tasks = list(rest_of(mix))
        assert {op for op, *_ in tasks} <= {DELETE}
        deleted += [key for _, key, *_ in tasks]
        assert mix.notes == ["suite.yaml:delete: delete ran out of objects before the time was up"]

    assert sorted(deleted) == sorted(pools[0][position] for position in range(len(pools[0])))


def test_deletes_come_in_an_order_of_the_seed() -> None:
    orders = [
        [key for _, key, *_ in rest_of(make_mix((operation("delete"), pool_of(50)), seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


def test_deletes_that_ran_out_leave_their_share_to_the_others() -> None:
    mix = make_mix((operation("delete", 90), pool_of(30)), (operation("stat", 10), pool_of(5)))
    tasks = [mix.take() for _ in range(1000)]

    counts = Counter(task[0] for task in tasks if task)
    assert counts == {DELETE: 30, STAT: 970}
    assert mix.notes == ["suite.yaml:delete: delete ran out of objects before the time was up"]


def test_threads_share_a_mix_and_each_object_goes_once() -> None:
    mix = make_mix(
        (operation("delete", 1), pool_of(3000, "a/deletable-")),
        (operation("delete", 1), pool_of(3000, "b/deletable-")),
    )
    taken: list[list[Task]] = []
    together = threading.Barrier(8)

    def work() -> None:
        together.wait(20)
        taken.append(list(rest_of(mix)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    keys = Counter(key for tasks in taken for _, key, *_ in tasks)
    assert len(keys) == 6000
    assert set(keys.values()) == {1}
    assert len(mix.notes) == 2


def test_names_of_puts_are_all_different_across_entries_workers_and_runs() -> None:
    names: Counter[str] = Counter()
    for base in (0, 1, (1 << 64) - 1, 0x1234_5678_9ABC_DEF0):
        mix = make_mix((operation("put"), None), (operation("put"), None), base=base)
        names.update(task[1] for task in (mix.take() for _ in range(5000)) if task)
    assert len(names) == 20_000


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), max_size=4), st.integers(0, 60), st.integers(0, 90))
def test_removals_name_exactly_what_was_issued(sets: list[int], puts: int, prepared: int) -> None:
    mix = make_mix(
        (operation("put", 3, "x/"), None), (operation("put", 1, "y"), None), (operation("list"), None)
    )
    issued = [task for task in (mix.take() for _ in range(puts)) if task and task[0] == PUT]
    missing = [
        Missing(numbered(f"{place}/prepared-"), Absent(range(place, place + count)))
        for place, count in enumerate(sets)
    ]
    chain = Chain(missing)
    # A stop may end prepare anywhere.
    issued += [task for task in (chain.take() for _ in range(prepared)) if task]

    removals = Removals(missing, mix.created)
    tasks = list(rest_of(removals))

    assert Counter(tasks) == Counter((DELETE, key, 0, None, ANYWHERE) for _, key, *_ in issued)


def absent(share: range, *present: int) -> Absent:
    numbers = Absent(share)
    for number in present:
        numbers.find(number)
    return numbers


def test_missing_objects_come_in_order_one_set_after_the_other() -> None:
    zeros = Shape(zero=True)
    chain = Chain(
        [
            Missing(numbered("a/prepared-"), absent(range(1, 8, 2), 3, 7, 8)),
            Missing(numbered("b/prepared-"), Absent(range(0))),
            Missing(numbered("b/deletable-", zeros), Absent(range(100_000_000, 100_000_001))),
        ]
    )
    assert list(rest_of(chain)) == [
        (PUT, "a/prepared-00000001.dat", 23, PLAIN, ANYWHERE),
        (PUT, "a/prepared-00000005.dat", 23, PLAIN, ANYWHERE),
        (PUT, "b/deletable-100000000.dat", 25, zeros, ANYWHERE),
    ]


def test_puts_say_what_their_data_are_like() -> None:
    plan = replace(operation("put", 1, "x/"), data=DataPlan(dedup=3, compress=2))
    mix = make_mix((plan, None))
    assert {task and task[2:] for task in (mix.take() for _ in range(5))} == {
        (1000, Shape(False, 3, 2), ANYWHERE)
    }


@pytest.mark.parametrize("kind", ["uniform", "lognormal"])
def test_sizes_of_prepared_objects_follow_from_seed_and_name(kind: Literal["uniform", "lognormal"]) -> None:
    plan = SizePlan(kind, 1000, 1_000_000, 100_000.0, 50_000.0).to_wire()
    names = [numbered_name("a/prepared-", number) for number in range(50)]
    sizes = [size_by_name(plan, 5)(name) for name in names]
    assert [size_by_name(plan, 5)(name) for name in reversed(names)] == sizes[::-1]
    assert [size_by_name(plan, 6)(name) for name in names] != sizes
    assert len(set(sizes)) > 45
    assert 1000 <= min(sizes) <= max(sizes) <= 1_000_000


@pytest.mark.parametrize("weights", [(0, 0), ()])
def test_a_mix_without_weight_has_nothing_to_do(weights: tuple[int, ...]) -> None:
    entries: list[Any] = [(operation("get", weight), pool_of(1)) for weight in weights]
    assert list(rest_of(make_mix(*entries))) == []
