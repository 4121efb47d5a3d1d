"""Whether what a GET returned is what prepare wrote: compared piece by piece, without holding the object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .engine import OperationFailed
from .payload import BLOCK_BYTES, CHUNK_BYTES, STAMP_BYTES, object_number

if TYPE_CHECKING:
    from .payload import Payload, Shape

CORRUPT, TRUNCATED, WRONG_OBJECT = "corrupt", "truncated", "wrong-object"


class WrongContentError(OperationFailed):
    """An object that holds something else than was written; ``kind`` is one of the three above."""


class Check:
    """Compares the content of one object with what it must be.

    ``payload`` makes the content again; many checks of one thread may share it. Of a part of the object, the checked
    bytes are those from ``start`` up to ``end``.
    """

    def __init__(
        self,
        payload: Payload,
        key: str,
        size_bytes: int,
        shape: Shape,
        *,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        self._payload = payload
        self._key = key
        self._number = object_number(key)
        self._size = size_bytes
        self._shape = shape
        self._received = start
        self._end = size_bytes if end is None else end
        self._problem: tuple[str, str] | None = None

    def feed(self, data: memoryview) -> None:
        """Take the next piece; after the first difference the rest is only counted."""
        while data and self._received < self._end and self._problem is None:
            expected = self._expect(self._number, min(len(data), self._end - self._received))
            piece = data[: len(expected)]
            # A bytearray compares with anything as one block of memory, a memoryview item by item.
            if bytearray(piece) != expected:
                self._problem = self._name(piece, expected)
            self._received += len(piece)
            data = data[len(piece) :]
        self._received += len(data)

    def finish(self) -> tuple[str, str] | None:
        """Return kind and text of what is wrong with the whole, None when nothing is."""
        if self._problem is None and self._received != self._end:
            self._problem = wrong_size(
                self._key, self._received, self._size if self._received < self._end else self._end
            )
        return self._problem

    def _expect(self, number: int, length: int) -> memoryview:
        """Return what comes next in the object ``number``, at most ``length`` bytes."""
        skip = self._received % BLOCK_BYTES
        self._payload.begin(number, self._size, self._shape, self._received - skip)
        return self._payload.chunk(min(skip + length, CHUNK_BYTES))[skip:]

    def _name(self, piece: memoryview, expected: memoryview) -> tuple[str, str]:
        different = int.from_bytes(piece, "little") ^ int.from_bytes(expected, "little")
        place = ((different & -different).bit_length() - 1) // 8
        text = f"{self._key}: byte {self._received + place} is 0x{piece[place]:02x}, expected 0x{expected[place]:02x}"
        # Another object says which one it is, and all that follows is that object's: one flipped bit is not enough.
        if self._received == 0 and len(piece) > 2 * STAMP_BYTES and not self._shape.zero:
            number = int.from_bytes(piece[:8], "little")
            if number != self._number and bytearray(piece) == self._expect(number, len(piece)):
                return WRONG_OBJECT, f"{self._key}: the content of another object, from byte 0 on"
        return CORRUPT, text


def wrong_size(key: str, size_bytes: int, expected: int) -> tuple[str, str]:
    """Return kind and text of a size that is not the one that was written."""
    return TRUNCATED if size_bytes < expected else CORRUPT, f"{key}: {size_bytes} bytes, expected {expected}"
