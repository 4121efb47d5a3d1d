"""HTTP/1.1 responses: pure parsing of heads and chunked bodies (RFC 9112), strict where a miscount could hide."""

from __future__ import annotations

import re

# A head longer than this is not an object store's.
LONGEST_HEAD = 64 << 10


class BadResponse(ValueError):
    """Bytes that are not an HTTP response that can be counted."""


# Lengths of bodies that do not declare one.
UNTIL_CLOSE = -1
CHUNKED = -2

# The only headers that decide where an answer ends. One pass of findall over the head is cheaper than any other way.
_FIELDS = re.compile(
    rb"\r\n(?:content-length:[ \t]*([^\r]*)|transfer-encoding:[ \t]*([^\r]*)|connection:[ \t]*(close|keep-alive))",
    re.IGNORECASE,
)
# The same, for all that an ordinary answer has: then it matches once, with the length.
_ORDINARY = re.compile(
    rb"\r\n(?:content-length: (\d+)(?=\r)|content-length:|transfer-encoding:|connection:[ \t]*close)",
    re.IGNORECASE,
).findall
_ORDINARY_STATUS = {b"HTTP/1.1 200 ": 200, b"HTTP/1.1 206 ": 206}


def parse_ordinary(buffer: bytearray, end: int) -> tuple[int, int]:
    """Parse the head of a success with a declared length in ``buffer[:end]``, final CR LF included.

    Returns status and length, or (0, 0) for any other head: then `parse_head` has to look at it.
    """
    status = _ORDINARY_STATUS.get(bytes(buffer[:13]), 0)
    if status:
        fields = _ORDINARY(buffer, 0, end)
        if len(fields) == 1 and fields[0]:
            return status, int(fields[0])
    return 0, 0


def parse_head(head: bytes, *, bodiless: bool) -> tuple[int, int, bool]:
    """Parse a head without its final empty line; ``bodiless`` says that the request was a HEAD.

    Returns status, length of the body in bytes (or `UNTIL_CLOSE`, `CHUNKED`), and whether the connection ends with it.
    """
    if head[:7] != b"HTTP/1." or head[8:9] != b" ":
        raise BadResponse(f"the answer is not HTTP: {head[:40]!r}")
    digits = head[9:12]
    if not digits.isdigit():
        raise BadResponse(f"the status line is not HTTP: {head[:40]!r}")
    status = int(digits)
    length = UNTIL_CLOSE
    close = head[7:8] == b"0"
    for declared, coding, connection in _FIELDS.findall(head):
        if declared:
            length = _merge_length(length, declared)
        elif coding:
            if coding.strip().lower() != b"chunked":
                raise BadResponse(f"unknown Transfer-Encoding: {coding[:40]!r}")
            length = CHUNKED
        else:
            close = connection.lower() == b"close"
    if bodiless or status in {204, 304} or status < 200:
        return status, 0, close
    return status, length, close or length == UNTIL_CLOSE


def _merge_length(known: int, declared: bytes) -> int:
    digits = declared.strip()
    if not digits.isdigit():
        raise BadResponse(f"Content-Length is not a number: {declared[:40]!r}")
    length = int(digits)
    if known >= 0 and known != length:
        raise BadResponse(f"two different Content-Lengths: {known} and {length}")
    # A chunked body ends where its last chunk says (RFC 9112, section 6.3).
    return known if known == CHUNKED else length


class ChunkedBody:
    """Takes a chunked body apart as it arrives; ``size`` counts its bytes without the framing."""

    def __init__(self) -> None:
        self.size = 0
        self.done = False
        self._left = 0
        self._line = b""
        self._trailer = False

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return the content among them; bytes after the end raise `BadResponse`."""
        content = bytearray()
        at = 0
        while at < len(data):
            if self.done:
                raise BadResponse("bytes follow the end of a chunked body")
            if self._left > 2:
                piece = data[at : at + self._left - 2]
                content += piece
                self._left -= len(piece)
                at += len(piece)
            elif self._left:
                # The CR LF that ends a chunk.
                if data[at : at + 1] != (b"\r" if self._left == 2 else b"\n"):
                    raise BadResponse("a chunk is longer than it says")
                self._left -= 1
                at += 1
            else:
                end = data.find(b"\n", at)
                self._line += data[at : end + 1 if end >= 0 else None]
                if len(self._line) > LONGEST_HEAD:
                    raise BadResponse("a chunk's size line does not end")
                if end < 0:
                    break
                at = end + 1
                self._end_line()
        self.size += len(content)
        return bytes(content)

    def _end_line(self) -> None:
        line, self._line = self._line.strip(), b""
        if self._trailer:
            self.done = not line
            return
        digits = line.partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            raise BadResponse(f"a chunk's size is not a number: {line[:40]!r}") from None
        if size < 0 or digits[:1] in (b"+", b"-"):
            raise BadResponse(f"a chunk's size is not a number: {line[:40]!r}")
        if size == 0:
            self._trailer = True
        else:
            self._left = size + 2
