"""Data for PUTs: unique per object and 4 KiB block, repeatable, and cheap.

A pool of random bytes is made once. An object's content is the pool, repeated, with the first 16 bytes of every 4 KiB
block replaced by the object's number and the block's number; so no two aligned blocks are alike. What the repetition
means for storage that compresses or finds similar blocks stands in docs/explanation/measurement.md.
"""

from __future__ import annotations

import random
from array import array
from hashlib import blake2b

POOL_BYTES = 1 << 20
BLOCK_BYTES = 4096
# Upper bound of what one call of `chunk` returns.
CHUNK_BYTES = 128 << 10
_WORDS_PER_BLOCK = BLOCK_BYTES // 8


def make_pool(seed: int) -> memoryview:
    """Return `POOL_BYTES` of random data that depend on ``seed`` alone."""
    return memoryview(random.Random(seed).randbytes(POOL_BYTES))  # noqa: S311 - test data, not a secret


def object_number(key: str) -> int:
    """64-bit number of an object: a digest of its key, the same in every process (unlike ``hash``)."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little")


class Payload:
    """Content of one object after another, in one reused buffer; for one thread and one object at a time."""

    def __init__(self, pool: memoryview) -> None:
        self._pool = pool
        self._buffer = bytearray(0)
        self._view = memoryview(self._buffer)
        self._number = 0
        self._size = 0
        self._offset = 0

    def begin(self, number: int, size_bytes: int) -> None:
        """Start with the object ``number`` of ``size_bytes``."""
        self._number = number
        self._size = size_bytes
        self._offset = 0
        wanted = min(size_bytes, CHUNK_BYTES)
        if len(self._buffer) < wanted:
            # Whole blocks, so that stamps can be written as strided words.
            self._buffer = bytearray(-(-wanted // BLOCK_BYTES) * BLOCK_BYTES)
            self._view = memoryview(self._buffer)

    def chunk(self) -> memoryview:
        """Return the next piece, empty at the end; it is valid until the next call."""
        offset = self._offset
        length = min(self._size - offset, CHUNK_BYTES)
        if length <= 0:
            return self._view[:0]
        self._offset = offset + length
        blocks = -(-length // BLOCK_BYTES)
        padded = blocks * BLOCK_BYTES
        start = offset % POOL_BYTES
        self._view[:padded] = self._pool[start : start + padded]
        words = self._view[:padded].cast("Q")
        first = offset // BLOCK_BYTES
        words[::_WORDS_PER_BLOCK] = memoryview(array("Q", [self._number]) * blocks)
        words[1::_WORDS_PER_BLOCK] = memoryview(array("Q", range(first, first + blocks)))
        return self._view[:length]
