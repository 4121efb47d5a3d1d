"""AWS Signature Version 4 for S3, arranged so that a request costs three hashes and four joins.

Format: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html. Everything that does not
depend on path and query is made once a second. Bodies are sent as ``UNSIGNED-PAYLOAD``: hashing them would cost more
than sending them.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import NamedTuple

UNSIGNED = "UNSIGNED-PAYLOAD"


class Credentials(NamedTuple):
    """Keys of an S3 account; ``token`` is for temporary credentials."""

    access_key: str
    secret_key: str
    region: str
    token: str | None = None


def signing_key(secret_key: str, date: str, region: str) -> bytes:
    """Return the day's key for S3; ``date`` is YYYYMMDD in UTC."""
    key = b"AWS4" + secret_key.encode()
    for part in (date, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


class Signer:
    """Makes signed request heads for one host; without credentials the heads are anonymous.

    ``host`` is the value of the Host header. Paths are percent-encoded and begin with a slash; queries are encoded and
    sorted by name, as the signature wants them.
    """

    def __init__(self, host: str, credentials: Credentials | None) -> None:
        self._host = host
        self._credentials = credentials
        self._second = -1
        self._day = ""
        self._canonical_tail = ""
        self._scope_head = ""
        self._head_tail = f" HTTP/1.1\r\nHost: {host}\r\n"
        self._inner = hashlib.sha256()
        self._outer = hashlib.sha256()

    def head(self, method: str, path: str, query: str, more: str = "") -> bytes:
        """Return a whole request head; ``more`` holds further header lines, each ending in CR LF, not signed."""
        target = f"{path}?{query}" if query else path
        if self._credentials is None:
            return f"{method} {target}{self._head_tail}{more}\r\n".encode()
        now = int(time.time())
        if now != self._second:
            self._set_time(now)
        canonical = f"{method}\n{path}\n{query}{self._canonical_tail}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        # HMAC (RFC 2104) from two prepared states: less than half the price of hmac.digest.
        inner = self._inner.copy()
        inner.update(f"{self._scope_head}{digest}".encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return f"{method} {target}{self._head_tail}{outer.hexdigest()}\r\n{more}\r\n".encode()

    def _set_time(self, now: int) -> None:
        credentials = self._credentials
        assert credentials is not None
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        day = stamp[:8]
        if day != self._day:
            key = signing_key(credentials.secret_key, day, credentials.region)
            padded = key.ljust(64, b"\0")
            self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
            self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
            self._day = day
        headers = [("host", self._host), ("x-amz-content-sha256", UNSIGNED), ("x-amz-date", stamp)]
        if credentials.token:
            headers.append(("x-amz-security-token", credentials.token))
        names = ";".join(name for name, _ in headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers)
        scope = f"{day}/{credentials.region}/s3/aws4_request"
        self._canonical_tail = f"\n{lines}\n{names}\n{UNSIGNED}"
        self._scope_head = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n"
        sent = "".join(f"{name}: {value}\r\n" for name, value in headers[1:])
        self._head_tail = (
            f" HTTP/1.1\r\nHost: {self._host}\r\n{sent}"
            f"Authorization: AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature="
        )
        self._second = now
