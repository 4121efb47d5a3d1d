"""Sizes and data of objects."""

from __future__ import annotations

import lzma
import math
import statistics
import struct
from random import Random
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.payload import (
    BLOCK_BYTES,
    CHUNK_BYTES,
    PLAIN,
    POOL_BYTES,
    SECTOR_BYTES,
    Payload,
    Pool,
    Shape,
    object_number,
)
from pytest_sai3bench.agent.sizes import make_sampler
from pytest_sai3bench.plan.work import SizePlan

POOL = Pool(42)
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


def content_of(number: int, size: int, shape: Shape = PLAIN, payload: Payload | None = None) -> bytes:
    payload = payload or Payload(POOL)
    payload.begin(number, size, shape)
    pieces = []
    while piece := payload.chunk():
        assert len(piece) <= CHUNK_BYTES
        pieces.append(bytes(piece))
    assert not payload.chunk()
    return b"".join(pieces)


def blocks_of(content: bytes) -> list[bytes]:
    return [content[start : start + BLOCK_BYTES] for start in range(0, len(content), BLOCK_BYTES)]


sizes = st.one_of(
    st.integers(0, 3 * BLOCK_BYTES),
    st.builds(
        lambda unit, times, offset: max(0, unit * times + offset),
        st.sampled_from([BLOCK_BYTES, CHUNK_BYTES]),
        st.integers(1, 3),
        st.integers(-2, 2),
    ),
)
numbers = st.integers(0, (1 << 64) - 1)
shapes = st.builds(Shape, st.booleans(), st.integers(1, 40), st.integers(1, 256))


@settings(deadline=None)
@given(numbers, sizes)
def test_an_object_is_the_pool_with_a_stamp_in_each_block_and_a_word_in_each_sector(
    number: int, size: int
) -> None:
    content = content_of(number, size)

    assert len(content) == size
    for sector, start in enumerate(range(0, size, SECTOR_BYTES)):
        word = ((number >> 32) + sector) % (POOL_BYTES // 8) * 8
        expected = bytes(POOL.data[word : word + 8])
        place = ((number * 0x9E3779B97F4A7C15 >> 41) + start) % POOL_BYTES + 8
        expected += POOL.data[place : place + SECTOR_BYTES - 8]
        if start % BLOCK_BYTES == 0:
            expected = struct.pack("<QQ", number, start // BLOCK_BYTES) + expected[16:]
        assert content[start : start + SECTOR_BYTES] == expected[: size - start]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(numbers, sizes, shapes), min_size=1, max_size=4))
def test_content_depends_on_number_size_and_shape_alone(objects: list[tuple[int, int, Shape]]) -> None:
    reused = Payload(POOL)
    for number, size, shape in objects:
        assert content_of(number, size, shape, reused) == content_of(number, size, shape)


@settings(deadline=None, max_examples=60)
@given(numbers, sizes, shapes, st.data())
def test_content_can_be_had_from_any_block_on(
    number: int, size: int, shape: Shape, data: st.DataObject
) -> None:
    whole = content_of(number, size, shape)
    offset = data.draw(st.integers(0, size // BLOCK_BYTES)) * BLOCK_BYTES
    most = data.draw(st.integers(1, 2 * CHUNK_BYTES))
    payload = Payload(POOL)
    payload.begin(number, size, shape, offset)
    assert payload.chunk(most) == whole[offset : offset + min(most, CHUNK_BYTES)]


def test_no_two_sectors_are_alike_in_objects_larger_than_the_pool() -> None:
    sectors: set[bytes] = set()
    total = 0
    for key, size in (
        ("a", 2 * POOL_BYTES),
        ("data/obj_1", POOL_BYTES // 2),
        ("data/obj_2", POOL_BYTES // 2),
    ):
        content = content_of(object_number(key), size)
        sectors.update(content[start : start + SECTOR_BYTES] for start in range(0, size, SECTOR_BYTES))
        total += size // SECTOR_BYTES
    assert len(sectors) == total


def test_content_does_not_compress_where_the_pool_begins_again() -> None:
    payload = Payload(POOL)
    payload.begin(1, 3 * POOL_BYTES, PLAIN, POOL_BYTES - CHUNK_BYTES)
    content = b"".join(bytes(payload.chunk()) for _ in range(8))
    assert len(lzma.compress(content, preset=0)) > 0.995 * len(content)


@settings(deadline=None)
@given(numbers, sizes, st.integers(1, 40))
def test_one_of_n_blocks_is_new_and_they_come_in_turn(number: int, size: int, factor: int) -> None:
    blocks = blocks_of(content_of(number, size, Shape(dedup=factor)))
    new = -(-len(blocks) // factor)
    plain = blocks_of(content_of(number, new * BLOCK_BYTES))
    assert len(set(plain)) == new
    assert blocks == [plain[place % new][: len(block)] for place, block in enumerate(blocks)]


@settings(deadline=None)
@given(numbers, sizes, st.integers(1, 256))
def test_one_of_n_bytes_of_a_block_stays_and_zeros_follow(number: int, size: int, factor: int) -> None:
    stay = -(-BLOCK_BYTES // factor)
    plain = blocks_of(content_of(number, size))
    shaped = blocks_of(content_of(number, size, Shape(compress=factor)))
    assert shaped == [(block[:stay] + bytes(BLOCK_BYTES))[: len(block)] for block in plain]


@given(sizes)
def test_zeros_are_nothing_but_zeros(size: int) -> None:
    assert content_of(7, size, Shape(zero=True)) == bytes(size)


def test_pools_repeat_with_the_seed_and_object_numbers_in_every_process() -> None:
    assert Pool(42).data == POOL.data
    assert Pool(43).data[:64] != POOL.data[:64]
    # A digest, unlike hash(), is the same everywhere.
    assert object_number("data/obj_1") == 4308081072026384443
