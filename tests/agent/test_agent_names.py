"""Names of objects: numbered ones, pools of them, and the patterns that select them."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.patterns import parse_pattern
from pytest_sai3bench.agent.pools import NamePool, numbered_name, parse_numbered

if TYPE_CHECKING:
    from random import Random

stems = st.sampled_from(["prepared-", "data/prepared-", "data/deletable-", "a/b/prepared-", "x-prepared-"])
numbered = st.builds(numbered_name, stems, st.integers(0, (1 << 32) - 1))
others = st.one_of(
    st.sampled_from(
        [
            "prepared-.dat",
            "prepared-1.dat",
            "prepared-000000001.dat",
            "prepared-4294967296.dat",
            "prepared-00000001.DAT",
            "prepared-00000001.dat.bak",
            "prepared-{}.dat".format("\u0661" * 8),
            "prepared-00000001.dat\n",
            "obj_1",
        ]
    ),
    st.text(max_size=20),
)


@settings(deadline=None)
@given(stems, st.integers(0, (1 << 32) - 1))
def test_a_numbered_name_says_its_number(stem: str, number: int) -> None:
    name = numbered_name(stem, number)
    assert name == f"{stem}{number:08d}.dat"
    assert parse_numbered(name) == (stem, number)


@settings(deadline=None)
@given(others)
def test_other_names_have_no_number(name: str) -> None:
    found = parse_numbered(name)
    assert found is None or numbered_name(*found) == name


@pytest.mark.parametrize(
    "name",
    [
        "prepared-1.dat",
        "prepared-000000001.dat",
        "prepared-4294967296.dat",
        "prepared-00000001.dat\n",
        "obj_1",
    ],
)
def test_names_that_prepare_would_not_make_have_no_number(name: str) -> None:
    assert parse_numbered(name) is None


@settings(deadline=None)
@given(st.lists(st.one_of(numbered, others), unique=True))
def test_a_pool_holds_each_name_once(names: list[str]) -> None:
    pool = NamePool(names)
    assert len(pool) == len(names)
    assert sorted(pool[position] for position in range(len(pool))) == sorted(names)


@settings(deadline=None)
@given(
    st.lists(st.one_of(numbered, others), unique=True), st.integers(1, 5), st.randoms(use_true_random=False)
)
def test_shares_of_a_pool_are_the_same_on_every_host(names: list[str], workers: int, rng: Random) -> None:
    shares = []
    for worker in range(workers):
        listed = list(names)
        # Each host lists in an order of its own.
        rng.shuffle(listed)
        pool = NamePool(listed)
        shares.append([pool[position] for position in pool.share(worker, workers)])

    assert sorted(name for share in shares for name in share) == sorted(names)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 7))
def test_shares_of_what_prepare_made_are_equal(count: int, workers: int) -> None:
    pool = NamePool(numbered_name("data/prepared-", number) for number in range(count))
    sizes = [len(pool.share(worker, workers)) for worker in range(workers)]
    assert sum(sizes) == count
    assert max(sizes) - min(sizes) <= 1


def test_a_numbered_name_costs_four_bytes() -> None:
    pool = NamePool(numbered_name("data/prepared-", number) for number in range(1000))
    assert pool._numbers[0][1].itemsize == 4
    assert pool._texts == []


@pytest.mark.parametrize(
    ("path", "folder", "recursive", "exact"),
    [
        ("", "", False, ""),
        ("data/", "data/", False, ""),
        ("data/x", "", False, "data/x"),
        ("data/x*", "data/", False, ""),
        ("data/a*b/c", "data/", True, ""),
        ("*", "", False, ""),
        ("*/x", "", True, ""),
        ("a/b*c*", "a/", False, ""),
        ("a/**/b", "a/", True, ""),
        ("a/{b}?/c*", "a/{b}?/", False, ""),
    ],
)
def test_which_folder_is_listed_and_how_deep(path: str, folder: str, recursive: bool, exact: str) -> None:  # noqa: FBT001
    pattern = parse_pattern(path)
    assert (pattern.folder, pattern.recursive, pattern.exact) == (folder, recursive, exact)


@pytest.mark.parametrize(
    ("path", "matching", "others"),
    [
        ("data/x*", ["data/x", "data/xyz", "data/x/y"], ["data/y", "x"]),
        ("data/*.dat", ["data/a.dat", "data/.dat", "data/b/a.dat"], ["data/adat", "data/a.dat.bak"]),
        ("d*/a*b/c", ["d/ab/c", "data/a-b/c", "d/a/b/c"], ["data/ab/cc"]),
        ("a**b", ["ab", "a/b", "a\nb"], ["abc"]),
        ("a(*)[x]{y}?+", ["a()[x]{y}?+", "a(1)[x]{y}?+"], ["a1x"]),
    ],
)
def test_what_a_star_stands_for(path: str, matching: list[str], others: list[str]) -> None:
    regex = parse_pattern(path).regex
    assert regex is not None
    assert [name for name in [*matching, *others] if regex.fullmatch(name)] == matching


words = st.text(st.sampled_from("ab/.%2"), max_size=6)


@settings(deadline=None)
@given(st.lists(words, min_size=2, max_size=4), st.text(st.sampled_from("ab/.%2"), max_size=12))
def test_a_star_matches_what_a_shell_star_matches_slashes_included(parts: list[str], name: str) -> None:
    path = "*".join(parts)
    pattern = parse_pattern(path)
    assert pattern.regex is not None
    expected = re.fullmatch(fnmatch.translate(path), name) is not None
    assert (pattern.regex.fullmatch(name) is not None) == expected
    if expected:
        # Nothing that matches lies outside of what is listed.
        assert name.startswith(pattern.folder)
