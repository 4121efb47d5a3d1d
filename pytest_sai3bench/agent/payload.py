"""Data of objects: unique per object and block, repeatable from seed, key and offset, and cheap to make.

A pool of random bytes is made once. An object walks through the pool from a place of its own, and takes a step aside
in every lap; each sector of 512 bytes then begins with a word from elsewhere in the pool, and each block of 4 KiB with
the object's number and the block's. What storage that reduces data can still see in it stands in
docs/explanation/measurement.md, together with what a `Shape` asks for.
"""

from __future__ import annotations

import random
from array import array
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

POOL_BYTES = 8 << 20
# The unit of `Shape`, aligned to the object.
BLOCK_BYTES = 4096
SECTOR_BYTES = 512
# Upper bound of what one call of `chunk` returns; it divides the pool.
CHUNK_BYTES = 128 << 10
# Odd, so that sectors that meet the same place of the pool again meet it at another byte.
STEP_BYTES = 37_799
STAMP_BYTES = 16
# Odd: so the upper bits of the product, modulo 2^64, depend on all bits of a number, and change with any one of them.
_SCATTER = 0x9E3779B97F4A7C15
_WORDS_PER_BLOCK = BLOCK_BYTES // 8
_WORDS_PER_SECTOR = SECTOR_BYTES // 8
_POOL_WORDS = POOL_BYTES // 8
_ZEROS = memoryview(bytes(CHUNK_BYTES))


class Shape(NamedTuple):
    """What data are like: all ``zero``; or one of ``dedup`` blocks new, and one of ``compress`` bytes of a block."""

    zero: bool = False
    dedup: int = 1
    compress: int = 1


PLAIN = Shape()


class Pool:
    """Random bytes that depend on ``seed`` alone, made when they are first asked for.

    After the end comes the beginning again, for a chunk's length.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @cached_property
    def data(self) -> memoryview:
        """The pool as bytes."""
        rng = random.Random(self._seed)  # noqa: S311 - test data, not a secret
        data = bytearray(POOL_BYTES + CHUNK_BYTES)
        # Piece by piece: the generator needs several times the memory of what it makes.
        for start in range(0, POOL_BYTES, CHUNK_BYTES):
            data[start : start + CHUNK_BYTES] = rng.randbytes(CHUNK_BYTES)
        data[POOL_BYTES:] = data[:CHUNK_BYTES]
        return memoryview(data).toreadonly()

    @cached_property
    def words(self) -> memoryview:
        """The pool as 64-bit words."""
        return self.data.cast("Q")


def make_pool(plan: dict[str, Any]) -> Pool:
    """Return the pool of a plan; it is ready when objects will be written or verified: the first shall not be slower."""
    pool = Pool(plan["data_seed"])
    if any(
        (stage["kind"] == "prepare" and stage["create"])
        or any((each["op"] == "put" or each["verify"]) and each["weight"] for each in stage["operations"])
        for stage in plan["stages"]
    ):
        assert pool.words
    return pool


def object_number(key: str) -> int:
    """64-bit number of an object: a digest of its key, the same in every process (unlike ``hash``)."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")


class Payload:
    """Content of one object after another, in one reused buffer; for one thread and one object at a time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._view = self._words = memoryview(b"")
        self._shape = PLAIN
        self._number = self._start = 0
        self._size = 0
        self._unique = BLOCK_BYTES
        self._offset = 0
        self._skip = 0

    @property
    def offset(self) -> int:
        """How far the content has been made, in bytes."""
        return self._offset

    def begin(self, number: int, size_bytes: int, shape: Shape = PLAIN, offset: int = 0) -> None:
        """Start with the object ``number`` of ``size_bytes`` at ``offset``, which is the border of a block."""
        self._number = number
        self._start = number * _SCATTER >> 41 & POOL_BYTES - 1
        self._size = size_bytes
        self._shape = shape
        self._offset = offset
        wanted = size_bytes if size_bytes < CHUNK_BYTES else CHUNK_BYTES
        if len(self._view) < wanted:
            # Whole blocks, so that stamps can be written as strided words.
            self._view = memoryview(bytearray(_whole_blocks(wanted)))
            self._words = self._view.cast("Q")
        blocks = -(-size_bytes // BLOCK_BYTES)
        if shape.dedup > 1:
            blocks = -(-blocks // shape.dedup)
        self._unique = blocks * BLOCK_BYTES

    def begin_part(self, number: int, size_bytes: int, shape: Shape, start: int, end: int) -> None:
        """Start with the bytes from ``start`` up to ``end`` of an object; ``start`` may lie anywhere."""
        self._skip = start % BLOCK_BYTES
        self.begin(number, size_bytes, shape, start - self._skip)
        self._size = end

    def chunk(self, most: int = CHUNK_BYTES) -> memoryview:
        """Return the next piece of at most ``most`` bytes, empty at the end; it is valid until the next call.

        Only whole blocks, or `CHUNK_BYTES` and more, leave the next call where it can go on.
        """
        offset = self._offset
        length = min(self._size - offset, most, CHUNK_BYTES)
        if length <= 0:
            return self._view[:0]
        self._offset = offset + length
        skip, self._skip = self._skip, 0
        if self._shape.zero:
            return _ZEROS[skip:length]
        padded = _whole_blocks(length)
        at = 0
        while at < padded:
            place = (offset + at) % self._unique
            piece = min(padded - at, self._unique - place, POOL_BYTES - place % POOL_BYTES)
            self._write(at, place, piece)
            at += piece
        if self._shape.compress > 1:
            self._thin(padded)
        return self._view[skip:length]

    def _write(self, at: int, place: int, length: int) -> None:
        """Write whole blocks: ``length`` bytes of what is unique in the object, from ``place`` on; all in one lap."""
        number = self._number
        end = at + length
        start = (self._start + place // POOL_BYTES * STEP_BYTES + place) % POOL_BYTES
        self._view[at:end] = self._pool.data[start : start + length]
        words = self._words[at // 8 : end // 8]
        start = ((number >> 32) + place // SECTOR_BYTES) % _POOL_WORDS
        words[::_WORDS_PER_SECTOR] = self._pool.words[start : start + length // SECTOR_BYTES]
        blocks = length // BLOCK_BYTES
        first = place // BLOCK_BYTES
        if blocks == 1:
            words[0], words[1] = number, first
            return
        words[::_WORDS_PER_BLOCK] = memoryview(array("Q", [number]) * blocks)
        words[1::_WORDS_PER_BLOCK] = memoryview(array("Q", range(first, first + blocks)))

    def _thin(self, length: int) -> None:
        """Let zeros follow the part of each block that is to stay; a stamp always does."""
        stay = max(-(-BLOCK_BYTES // self._shape.compress), STAMP_BYTES)
        zeros = _ZEROS[: BLOCK_BYTES - stay]
        for start in range(0, length, BLOCK_BYTES):
            self._view[start + stay : start + BLOCK_BYTES] = zeros


def _whole_blocks(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES
