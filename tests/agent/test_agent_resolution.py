from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.naming import NumberedNames
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import numbered_name
from pytest_sai3bench.agent.resolution import StageFailed, find_missing, resolve_pools
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan.work import OperationPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = Placement("shared", 3, 0, 1, [[0, 1]] * 3)


class Shelf:
    """An engine that knows nothing but names; they are encoded as those of S3 are."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.listed: list[str] = []

    def encode(self, path: str) -> str:
        return quote(path, safe="/~")

    def decode(self, name: str) -> str:
        return unquote(name)

    def exists(self, name: str, endpoint: int = 0) -> bool:
        assert endpoint == 0
        return self.decode(name) in self.paths

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> Iterator[str]:
        assert endpoint == 0
        folder = self.decode(folder)
        self.listed.append(folder)
        for path in self.paths:
            if path.startswith(folder) and (recursive or "/" not in path[len(folder) :]):
                yield self.encode(path)


def pools_of(shelf: Shelf, *operations: OperationPlan) -> list[list[str] | None]:
    engine: Any = shelf
    pools: list[Any] = [*resolve_pools([each.to_wire() for each in operations], engine, SHARED, lambda: None)]
    return [None if pool is None else sorted(pool[place] for place in range(len(pool))) for pool in pools]


def missing_in(shelf: Shelf, count: int, share: tuple[int, int] = (0, 1), *, look: bool) -> list[int]:
    engine: Any = shelf
    names = NumberedNames("d%20e/prepared-", count)
    ((numbers, homes),) = find_missing(names, share, engine, SHARED, lambda: None, look=look)
    assert homes(1) == ANYWHERE
    return list(numbers)


def op(op: str, path: str, weight: int = 1, **changes: Any) -> OperationPlan:
    return OperationPlan(op, path, weight, f"s.yaml:{len(path)}", **changes)


def test_each_operation_on_objects_has_its_pool() -> None:
    shelf = Shelf("data/a", "data/b", "data/sub/c", "x")
    assert pools_of(
        shelf,
        op("get", "data/"),
        op("stat", "data/*"),
        op("delete", "*/*"),
        op("get", "x"),
        op("put", "data/"),
        op("list", "data/"),
        op("get", "nothing/", weight=0),
    ) == [
        ["data/a", "data/b"],
        ["data/a", "data/b"],
        ["data/a", "data/b", "data/sub/c"],
        ["x"],
        None,
        None,
        None,
    ]


def test_a_path_is_listed_once_however_many_operations_share_it() -> None:
    shelf = Shelf("data/a")
    pools_of(shelf, op("get", "data/*"), op("stat", "data/*"), op("delete", "data/*"))
    assert shelf.listed == ["data/"]


def test_reads_and_deletes_share_no_object_of_prepare() -> None:
    shelf = Shelf("prepared-00000000.dat", "deletable-00000000.dat", "other")
    assert pools_of(shelf, op("get", "", pool="prepared"), op("delete", "", pool="deletable")) == [
        ["other", "prepared-00000000.dat"],
        ["deletable-00000000.dat"],
    ]


def test_deletes_of_objects_that_prepare_did_not_make_find_them() -> None:
    shelf = Shelf("prepared-00000000.dat", "old-1", "old-2")
    assert pools_of(shelf, op("delete", "old-*", pool="deletable")) == [["old-1", "old-2"]]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("d/*0x", ["d/10x"]),
        ("d/%*", ["d/%41"]),
        ("d/*", ["d/%41", "d/ x", "d/10x", "d/é"]),
        ("d/*é", ["d/é"]),
    ],
)
def test_stars_match_characters_and_no_parts_of_encoded_ones(pattern: str, expected: list[str]) -> None:
    shelf = Shelf("d/ x", "d/10x", "d/%41", "d/é")
    (pool,) = pools_of(shelf, op("get", pattern))
    assert pool == sorted(shelf.encode(path) for path in expected)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("data/z", "s.yaml:6: get: there is no object data/z"),
        ("data/ü ", "s.yaml:7: get: there is no object data/ü "),
        ("data/z*", "s.yaml:7: get: data/z* matches none of the 2 objects in data/"),
        ("none/", "s.yaml:5: get: none/ matches none of the 0 objects in none/"),
        ("z*", "s.yaml:2: get: z* matches none of the 1 objects in the endpoint's root"),
    ],
)
def test_a_path_that_matches_nothing_says_so(path: str, message: str) -> None:
    with pytest.raises(StageFailed) as failure:
        pools_of(Shelf("data/a", "data/b", "x"), op("get", path))
    assert (failure.value.kind, failure.value.detail, failure.value.endpoint) == ("no-match", message, 0)


def test_an_endpoint_without_objects_says_so() -> None:
    with pytest.raises(StageFailed) as failure:
        pools_of(Shelf(), op("stat", ""))
    assert (
        failure.value.detail
        == "s.yaml:0: stat: (no path) matches none of the 0 objects in the endpoint's root"
    )


def test_long_listings_let_the_controller_get_a_word_in() -> None:
    shelf: Any = Shelf(*(f"data/{number}" for number in range(3500)))
    breaths: list[int] = []
    resolve_pools([op("get", "data/").to_wire()], shelf, SHARED, lambda: breaths.append(1))
    assert len(breaths) == 3


@settings(deadline=None)
@given(st.integers(0, 50), st.sets(st.integers(0, 60)), st.integers(1, 5))
def test_shares_of_the_missing_objects_are_a_partition(count: int, present: set[int], shares: int) -> None:
    others = [
        "d e/other",
        "d e/deletable-00000001.dat",
        "prepared-00000002.dat",
        "d e/x/prepared-00000003.dat",
    ]
    shelf = Shelf(*(numbered_name("d e/prepared-", number) for number in present), *others)

    missing = [missing_in(shelf, count, (share, shares), look=True) for share in range(shares)]

    assert sorted(number for part in missing for number in part) == sorted(set(range(count)) - present)
    assert all(number % shares == share for share, part in enumerate(missing) for number in part)
    assert all(part == sorted(part) for part in missing)


def test_without_a_look_every_object_is_missing() -> None:
    shelf = Shelf(*(numbered_name("d e/prepared-", number) for number in range(5)))
    assert missing_in(shelf, 5, look=False) == [0, 1, 2, 3, 4]
    assert shelf.listed == []
