"""Sizes and data of objects."""

from __future__ import annotations

import math
import statistics
import zlib
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.payload import (
    BLOCK_BYTES,
    CHUNK_BYTES,
    POOL_BYTES,
    Payload,
    make_pool,
    object_number,
)
from pytest_sai3bench.agent.sizes import make_sampler
from pytest_sai3bench.plan.model import SizePlan

POOL = make_pool(42)
DRAWS = 20_000


def draw(size: SizePlan, count: int = DRAWS, seed: int = 5) -> list[int]:
    sampler = make_sampler(size.to_wire(), Random(seed))
    return [sampler() for _ in range(count)]


def test_a_fixed_size_is_what_it_is() -> None:
    assert set(draw(SizePlan("fixed", 777, 777), 10)) == {777}
    assert set(draw(SizePlan("uniform", 777, 777), 10)) == {777}


def test_uniform_sizes_spread_evenly_with_both_ends() -> None:
    assert set(draw(SizePlan("uniform", 10, 15))) == {10, 11, 12, 13, 14, 15}
    sizes = draw(SizePlan("uniform", 1000, 9000))
    assert 1000 <= min(sizes) <= max(sizes) <= 9000
    # Standard deviation of the mean of n draws: width / sqrt(12 n). Five of them are one in a million.
    assert statistics.fmean(sizes) == pytest.approx(5000, abs=5 * 8000 / math.sqrt(12 * DRAWS))
    assert statistics.stdev(sizes) == pytest.approx(8000 / math.sqrt(12), rel=0.02)


def test_lognormal_sizes_have_the_mean_and_deviation_that_are_written() -> None:
    sizes = draw(SizePlan("lognormal", 1, 1 << 62, 100_000.0, 50_000.0))
    assert statistics.fmean(sizes) == pytest.approx(100_000, abs=5 * 50_000 / math.sqrt(DRAWS))
    # The fourth moment of this distribution makes the deviation less certain.
    assert statistics.stdev(sizes) == pytest.approx(50_000, rel=0.05)


def test_lognormal_sizes_stay_within_their_bounds() -> None:
    sizes = draw(SizePlan("lognormal", 90_000, 110_000, 100_000.0, 50_000.0))
    assert 90_000 <= min(sizes) <= max(sizes) <= 110_000
    # Drawn again, not cut: the bounds themselves are as rare as any other size.
    assert sizes.count(90_000) + sizes.count(110_000) < 10


def test_bounds_that_are_never_met_are_taken_as_they_are() -> None:
    assert set(draw(SizePlan("lognormal", 1, 10, 1e6, 1.0), 20)) == {10}
    assert set(draw(SizePlan("lognormal", 1 << 40, 1 << 50, 1e6, 1.0), 20)) == {1 << 40}


@pytest.mark.parametrize("kind", ["uniform", "lognormal"])
def test_sizes_are_drawn_afresh_and_repeat_with_the_seed(kind: Literal["uniform", "lognormal"]) -> None:
    size = SizePlan(kind, 1000, 1_000_000, 100_000.0, 50_000.0)
    assert draw(size, 50) == draw(size, 50)
    assert draw(size, 50) != draw(size, 50, seed=6)
    assert len(set(draw(size, 50))) > 45


def content_of(number: int, size: int, payload: Payload | None = None) -> bytes:
    payload = payload or Payload(POOL)
    payload.begin(number, size)
    pieces = []
    while piece := payload.chunk():
        assert len(piece) <= CHUNK_BYTES
        pieces.append(bytes(piece))
    assert not payload.chunk()
    return b"".join(pieces)


sizes = st.one_of(
    st.integers(0, 3 * BLOCK_BYTES),
    st.builds(
        lambda unit, times, offset: max(0, unit * times + offset),
        st.sampled_from([BLOCK_BYTES, CHUNK_BYTES, POOL_BYTES]),
        st.integers(1, 2),
        st.integers(-2, 2),
    ),
)
numbers = st.integers(0, (1 << 64) - 1)


@settings(deadline=None)
@given(numbers, sizes)
def test_an_object_is_the_pool_with_a_stamp_in_each_block(number: int, size: int) -> None:
    content = content_of(number, size)

    assert len(content) == size
    for block, start in enumerate(range(0, size, BLOCK_BYTES)):
        stamp = number.to_bytes(8, "little") + block.to_bytes(8, "little")
        place = start % POOL_BYTES
        expected = stamp + bytes(POOL[place + 16 : place + BLOCK_BYTES])
        assert content[start : start + BLOCK_BYTES] == expected[: size - start]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(numbers, sizes), min_size=1, max_size=4))
def test_content_depends_on_number_and_size_alone(objects: list[tuple[int, int]]) -> None:
    reused = Payload(make_pool(42))
    for number, size in objects:
        assert content_of(number, size, reused) == content_of(number, size)


def test_no_two_blocks_are_alike() -> None:
    blocks: set[bytes] = set()
    for key in ("a", "b", "data/obj_1", "data/obj_2"):
        content = content_of(object_number(key), 3 * POOL_BYTES)
        blocks.update(content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES))
    assert len(blocks) == 4 * 3 * POOL_BYTES // BLOCK_BYTES


def test_content_does_not_compress() -> None:
    content = content_of(1, POOL_BYTES)
    assert len(zlib.compress(content)) > 0.99 * len(content)


def test_pools_repeat_with_the_seed_and_object_numbers_in_every_process() -> None:
    assert make_pool(42) == POOL
    assert make_pool(43) != POOL
    # A digest, unlike hash(), is the same everywhere.
    assert object_number("data/obj_1") == 4308081072026384443
