"""HTTP/1.1 responses: pure parsing of heads and chunked bodies (RFC 9112), strict where a miscount could hide."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

# A head longer than this is not an object store's.
LONGEST_HEAD = 64 << 10


class BadResponse(ValueError):
    """Bytes that are not an HTTP response that can be counted."""


# Lengths of bodies that do not declare one.
UNTIL_CLOSE = -1
CHUNKED = -2

_STATUS = re.compile(rb"HTTP/1\.(\d) ([1-9]\d\d)(?=[ \r]|\Z)")
# The only headers that decide where an answer ends. One pass of findall over the head is cheaper than any other way.
_FIELDS = re.compile(
    rb"\r\n(content-length|transfer-encoding|connection)[ \t]*:([^\r]*)", re.IGNORECASE
).findall
# The same, for all that an ordinary answer has: then it matches once, with the length.
_ORDINARY = re.compile(
    rb"\r\n(?:content-length: (\d{1,18})(?=\r)|content-length|transfer-encoding|connection(?!: keep-alive\r))",
    re.IGNORECASE,
).findall
# Eighteen digits are an exabyte: enough, and far from where Python refuses to read a number.
_LENGTH = re.compile(rb"\d{1,18}").fullmatch
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,15})[ \t]*(?:;.*)?", re.IGNORECASE | re.DOTALL).fullmatch
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
    line = _STATUS.match(head)
    if line is None:
        raise BadResponse(f"the answer is not HTTP: {head[:40]!r}")
    status = int(line.group(2))
    length = UNTIL_CLOSE
    close = line.group(1) == b"0"
    for name, value in _FIELDS(head):
        field, text = name.lower(), value.strip()
        if field == b"content-length":
            length = _merge_length(length, text)
        elif field == b"connection":
            options = text.lower().replace(b" ", b"").split(b",")
            close = b"close" in options or (close and b"keep-alive" not in options)
        elif text.lower() == b"chunked":
            length = CHUNKED
        else:
            raise BadResponse(f"unknown Transfer-Encoding: {text[:40]!r}")
    if bodiless or status in {204, 304} or status < 200:
        return status, 0, close
    return status, length, close or length == UNTIL_CLOSE


def find_field(head: bytes, name: str) -> str:
    """Return the value of a header in a head, empty without one."""
    match = re.search(rb"\r\n%b[ \t]*:([^\r]*)" % re.escape(name.encode()), head, re.IGNORECASE)
    return match.group(1).strip().decode("latin-1") if match else ""


def retry_after_ns(head: bytes, now_s: float) -> int:
    """Return how long a server asks to wait (RFC 9110, section 10.2.3), 0 when it does not say or cannot be understood.

    ``now_s`` is the time of day in seconds since the epoch: servers may name an instant.
    """
    text = find_field(head, "retry-after")
    if re.fullmatch("[0-9]{1,9}", text):
        return int(text) * 1_000_000_000
    try:
        until_s = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0
    return max(0, int((until_s - now_s) * 1e9))


def _merge_length(known: int, declared: bytes) -> int:
    if not _LENGTH(declared):
        raise BadResponse(f"Content-Length is not a number of bytes: {declared[:40]!r}")
    length = int(declared)
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

    def feed(self, data: bytes, *, keep: bool = True) -> bytes:
        """Take the next bytes and return the content among them, if it is to be kept.

        Bytes after the end raise `BadResponse`.
        """
        content = bytearray()
        at = 0
        while at < len(data):
            if self.done:
                raise BadResponse("bytes follow the end of a chunked body")
            if self._left > 2:
                count = min(self._left - 2, len(data) - at)
                if keep:
                    content += data[at : at + count]
                self.size += count
                self._left -= count
                at += count
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
        return bytes(content)

    def _end_line(self) -> None:
        line, self._line = self._line.strip(), b""
        if self._trailer:
            self.done = not line
            return
        number = _CHUNK_SIZE(line)
        if number is None:
            raise BadResponse(f"a chunk's size is not a number: {line[:40]!r}")
        size = int(number.group(1), 16)
        if size:
            self._left = size + 2
        else:
            self._trailer = True
