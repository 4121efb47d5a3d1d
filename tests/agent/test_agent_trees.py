"""Names in trees follow from numbers: here from nested loops instead, in level order."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.shuffle import Shuffle
from pytest_sai3bench.agent.tree_sources import make_choice, slots_of
from pytest_sai3bench.agent.trees import Form, Tree

forms = st.builds(
    Form,
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from(["sai3bench.d%d_w%d.dir", "%d-%d", "d%%d%d"]),
)


def names_of(folder: str, form: Form) -> tuple[list[str], list[str]]:
    """Return the paths of all directories and files."""
    level = [folder]
    directories: list[str] = []
    files: list[str] = []
    for depth in range(1, form.depth + 1):
        level = [
            f"{outer}{form.mask.replace('%d', str(depth), 1).replace('%d', str(place), 1)}/"
            for outer in level
            for place in range(1, form.width + 1)
        ]
        directories += level
    for directory in directories if form.everywhere else level:
        files += [f"{directory}file_{len(files) + number:08d}.dat" for number in range(form.files_per_dir)]
    return directories, files


@settings(deadline=None)
@given(forms, st.sampled_from(["", "data/", "a/b/"]))
def test_every_name_follows_from_its_number(form: Form, folder: str) -> None:
    tree = Tree(folder, form)
    directories, files = names_of(folder, form)
    assert (form.directories, form.files, tree.total) == (len(directories), len(files), len(files))
    assert [tree.directory(number) for number in range(len(directories))] == directories
    assert [tree.name(number) for number in range(len(files))] == files
    assert [tree.number(name) for name in files] == list(range(len(files)))
    assert list(tree.places()) == [folder]
    assert all(
        name.startswith(tree.directory(tree.directory_of(number))) for number, name in enumerate(files)
    )
    for number, path in enumerate(directories):
        parent = form.parent(number)
        assert (directories[parent] if parent >= 0 else folder) == path[: path.rfind("/", 0, -1) + 1]
        below = [directories[each] for part in form.below(number) for each in part]
        assert below == [each for each in directories if each.startswith(path)]


@pytest.mark.parametrize(
    "name",
    [
        "data/1-1/2-1/file_1.dat",
        "data/1-1/2-1/file_00000001.dat",
        "data/1-1/file_00000000.dat",
        "1-1/2-1/file_00000000.dat",
        "data/1-1/2-1/file_00000000.data",
        "data/1-1/2-1/file_0000000\u0661.dat",
        "data/1-1/2-1/file_.dat",
        "data/2-2/2-2/file_00000009.dat",
        "file",
    ],
)
def test_other_names_are_none_of_a_tree(name: str) -> None:
    tree = Tree("data/", Form(2, 2, 1, False, "%d-%d"))
    assert tree.number("data/1-1/2-1/file_00000000.dat") == 0
    assert tree.number(name) == -1


@settings(deadline=None)
@given(forms, st.integers(1, 5))
def test_shares_of_a_tree_are_a_partition(form: Form, shares: int) -> None:
    tree = Tree("", form)
    parts = [tree.share(own, shares) for own in range(shares)]
    assert sorted(part[position] for part in parts for position in range(len(part))) == list(
        range(form.files)
    )
    for own, part in enumerate(parts):
        numbers = [part[position] for position in range(len(part))]
        assert [part.index(number) for number in numbers] == list(range(len(part)))
        assert {tree.directory_of(number) % shares for number in numbers} <= {own}
        if form.files_per_dir:
            assert [number for number in range(form.files) if number in part] == numbers
    assert len(tree.share(0, 0)) == 0


def test_a_large_tree_costs_nothing() -> None:
    tree = Tree("", Form(10, 8, 10_000, False, "d%d_w%d"))
    assert (tree.directories, tree.total) == (111_111_110, 10**12)
    assert (
        tree.name(10**12 - 1) == "/".join(f"d{level}_w10" for level in range(1, 9)) + "/file_999999999999.dat"
    )


@settings(deadline=None)
@given(st.integers(0, 300), st.randoms(use_true_random=False))
def test_a_shuffle_has_each_number_once(length: int, rng: Random) -> None:
    order = Shuffle(length, rng)
    assert sorted(order[position] for position in range(length)) == list(range(length))


def test_a_shuffle_is_no_order() -> None:
    orders = [[Shuffle(1000, Random(seed))[position] for position in range(1000)] for seed in range(2)]
    assert orders[0] != orders[1]
    for order in orders:
        # Of numbers in random order half are followed by a larger one, with a deviation of √(n/12), here 9.
        assert abs(sum(a < b for a, b in zip(order, order[1:])) - 500) < 60
        # The first half holds half of the lower numbers: hypergeometric, deviation 8.
        assert abs(sum(number < 500 for number in order[:500]) - 250) < 50


def chosen(
    kind: str, share: int, shares: int, *, foreign: bool = False, overlap: float = 0.2
) -> Counter[bool]:
    """Return how often directories of a worker's own were chosen of 4,000 times, and others."""
    selection: dict[str, Any] = {"kind": kind, "overlap": overlap, "share": share, "shares": shares}
    choose = make_choice(selection, range(10, 110), Random(1), foreign=foreign)
    numbers = [choose() for _ in range(4000)]
    assert all(10 <= number < 110 for number in numbers)
    return Counter(number % shares == share % shares for number in numbers)


@pytest.mark.parametrize(
    ("kind", "foreign", "expected"),
    [
        ("random", False, 0.25),
        ("exclusive", False, 1.0),
        ("partitioned", False, 0.7 + 0.3 * 0.25),
        ("weighted", False, 0.8 + 0.2 * 0.25),
        ("weighted", True, 0.8),
        ("partitioned", True, 0.7 + 0.3 * 0.25),
    ],
)
@pytest.mark.parametrize("share", [0, 3])
def test_a_selection_takes_its_own_so_often(kind: str, expected: float, share: int, *, foreign: bool) -> None:
    # Five deviations of a binomial distribution.
    most = 5 * (expected * (1 - expected) / 4000) ** 0.5
    assert chosen(kind, share, 4, foreign=foreign)[True] / 4000 == pytest.approx(expected, abs=most)


def test_who_owns_nothing_takes_any() -> None:
    selection: dict[str, Any] = {"kind": "exclusive", "overlap": 0.3, "share": 7, "shares": 9}
    choose = make_choice(selection, range(2, 5), Random(1))
    assert {choose() for _ in range(100)} == {2, 3, 4}


def test_who_owns_all_has_nothing_of_others() -> None:
    assert chosen("weighted", 0, 1, foreign=True, overlap=1.0) == {True: 4000}


def test_deletes_beside_reads_have_every_other_file() -> None:
    for files in range(2, 7):
        found = [
            [slots.first + slots.step * number for number in range(slots.number)]
            for slots in (slots_of(pool, files) for pool in ("prepared", "deletable", "all"))
        ]
        assert found == [list(range(0, files, 2)), list(range(1, files, 2)), list(range(files))]
