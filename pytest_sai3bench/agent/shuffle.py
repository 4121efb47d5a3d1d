"""A random order of numbers that takes no memory: a small Feistel network, of which numbers out of range are skipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_ROUNDS = 4
_MASK = (1 << 64) - 1
# Odd, so that products depend on all bits; 2^64 over the golden ratio.
_SCATTER = 0x9E3779B97F4A7C15


class Shuffle:
    """The numbers below ``length`` in a random order."""

    def __init__(self, length: int, rng: Random) -> None:
        self._length = length
        # Halves of the same size: at most four times as many numbers as there are.
        self._half = max(1, (max(length - 1, 1).bit_length() + 1) // 2)
        self._keys = [rng.getrandbits(64) for _ in range(_ROUNDS)]

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, position: int) -> int:
        half = self._half
        mask, shift = (1 << half) - 1, 64 - half
        number = position
        while True:
            left, right = number >> half, number & mask
            for key in self._keys:
                # Each round can be undone, so no number comes twice.
                left, right = right, left ^ (((right + key) * _SCATTER & _MASK) >> shift)
            number = left << half | right
            if number < self._length:
                return number
