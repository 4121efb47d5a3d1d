"""Addresses of storage: the text of an endpoint, taken apart.

The first part after ``s3://`` is a server when it has a port, is an IP address or ``localhost``, or cannot be a
bucket; else it is a bucket, whose server comes from the environment. A name with two or more dots can be either, and
tools differ in what they take it for, so it is refused with the two ways to write it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Scheme = Literal["s3", "file", "direct"]

_LATER = ("az", "gs", "gcs")
EXAMPLES = "file:///mnt/data/ or s3://host:9000/bucket/"
_HTTP_PORT = 80
_HTTPS_PORT = 443
# The text is not repeated, it holds a secret.
_NO_CREDENTIALS = "credentials do not belong in a URI: expected them in the environment or a profile of AWS"
_EMBEDDED = re.compile(r"embedded-(?P<index>0|[1-9][0-9]{0,3})")
_SERVER = re.compile(r"(?:\[(?P<literal>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[^:]*))?")
_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_LIKE_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,63}")
# Names that work without a server address in front: those of DNS.
_DNS_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")


@dataclass(frozen=True)
class ParsedUri:
    """The parts of an address.

    ``path`` is the rest as written: for ``s3`` what follows the bucket, without a slash in front; for folders the
    absolute path, or below a mount of the embedded server what follows its name, without a slash in front.
    ``host`` (an IPv6 address without brackets) and ``port`` are "" and 0 where the environment or the embedded server
    decides; ``embedded_index`` counts from 1. ``tls`` is True for ``s3+https``.
    """

    scheme: Scheme
    host: str = ""
    port: int = 0
    bucket: str = ""
    path: str = ""
    embedded_index: int | None = None
    tls: bool = False

    @property
    def shown_scheme(self) -> str:
        """The scheme as it is written."""
        return "s3+https" if self.tls else self.scheme


@lru_cache(maxsize=4096)
def parse_uri(text: str) -> ParsedUri:
    """Take an address apart; raises ValueError with a text that says how to write it."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise ValueError(f"{text!r} has no scheme: expected a URI such as {EXAMPLES}")
    if len(text.split()) != 1 or text != text.strip():
        raise ValueError(f"{text!r} holds a blank: expected a URI such as {EXAMPLES}")
    if scheme == "file":
        return _parse_folder("file", text, rest)
    if scheme == "direct":
        return _parse_folder("direct", text, rest)
    if scheme == "s3":
        return _parse_s3(text, rest)
    if scheme == "s3+https":
        return _parse_s3_over_tls(text, rest)
    if scheme in _LATER:
        raise ValueError(
            f"{scheme}:// is not supported by this version: expected file://, direct://, s3:// or s3+https://"
        )
    if scheme in {"http", "https"}:
        wanted = "s3" if scheme == "http" else "s3+https"
        raise ValueError(
            f"{text!r} is a web address: expected {wanted}://, such as {wanted}://host:9000/bucket/"
        )
    raise ValueError(f"unknown scheme {scheme!r}: expected a URI such as {EXAMPLES}")


def _parse_folder(scheme: Literal["file", "direct"], text: str, rest: str) -> ParsedUri:
    first, _, path = rest.partition("/")
    if (index := _embedded_index(text, first)) is not None:
        return ParsedUri(scheme, path=path, embedded_index=index)
    if first or not rest:
        raise ValueError(
            f"{text!r} is not an absolute path: expected three slashes, such as {scheme}:///mnt/data/"
        )
    return ParsedUri(scheme, path=rest)


def _parse_s3(text: str, rest: str) -> ParsedUri:
    first, _, after = rest.partition("/")
    if "@" in first:
        raise ValueError(_NO_CREDENTIALS)
    if not first:
        raise ValueError(f"{text!r} names no bucket: expected s3://bucket/prefix/ or s3://host:9000/bucket/")
    index = _embedded_index(text, first)
    if index is None and not _is_server(first):
        if first.count(".") > 1:
            raise ValueError(
                f"'{first}' may be a server or a bucket: expected s3://{first}:{_HTTP_PORT}/bucket/ for a server, "
                f"s3://host:port/{first}/ for a bucket"
            )
        return ParsedUri("s3", bucket=_checked_bucket(first), path=after)
    host, port = ("", 0) if index is not None else _parse_server(text, first)
    bucket, _, path = after.partition("/")
    if not bucket:
        raise ValueError(f"{text!r} names no bucket: expected s3://{first}/bucket/")
    return ParsedUri("s3", host, port, _checked_bucket(bucket), path, index)


def _parse_s3_over_tls(text: str, rest: str) -> ParsedUri:
    """Take apart what always names a server: buckets alone have no scheme for TLS, their server's URL has one."""
    first, _, after = rest.partition("/")
    if "@" in first:
        raise ValueError(_NO_CREDENTIALS)
    bucket, _, path = after.partition("/")
    if not first or not bucket:
        raise ValueError(f"{text!r} names no bucket: expected s3+https://host/bucket/ with the server's name")
    index = _embedded_index(text, first)
    host, port = ("", 0) if index is not None else _parse_server(text, first, _HTTPS_PORT)
    return ParsedUri("s3", host, port, _checked_bucket(bucket), path, index, tls=True)


def _embedded_index(text: str, first: str) -> int | None:
    match = _EMBEDDED.fullmatch(first)
    if match is None:
        return None
    if match["index"] == "0":
        raise ValueError(f"{text!r}: addresses of the embedded server count from 1, expected embedded-1")
    return int(match["index"])


def _is_server(first: str) -> bool:
    if ":" in first or first == "localhost":
        return True
    return _is_ip_address(first) or ("." in first and not _DNS_BUCKET.fullmatch(first))


def _is_ip_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _parse_server(text: str, server: str, default_port: int = _HTTP_PORT) -> tuple[str, int]:
    match = _SERVER.fullmatch(server)
    if match is None:
        raise ValueError(
            f"{text!r}: {server!r} is not host:port; an IPv6 address stands in brackets, s3://[::1]:9000/b/"
        )
    if match["literal"] is not None:
        try:
            ipaddress.IPv6Address(match["literal"])
        except ValueError:
            raise ValueError(f"{text!r}: {match['literal']!r} is not an IPv6 address") from None
    elif not _HOST_NAME.fullmatch(match["name"]):
        raise ValueError(f"{text!r}: {match['name']!r} is not a host name")
    elif _LIKE_IPV4.fullmatch(match["name"]) and not _is_ip_address(match["name"]):
        raise ValueError(f"{text!r}: {match['name']!r} is not an IPv4 address")
    if match["port"] is None:
        port = default_port
    else:
        port = int(match["port"]) if re.fullmatch("[0-9]{1,5}", match["port"]) else 0
        if not 1 <= port <= 65535:
            raise ValueError(f"{text!r}: {match['port']!r} is not a port: expected a number from 1 to 65535")
    return match["literal"] or match["name"], port


def holds_credentials(text: str) -> bool:
    """Tell whether something stands in front of a server that may be a secret."""
    return "@" in text.partition("://")[2].partition("/")[0]


def is_address(host: str) -> bool:
    """Tell whether a host is written as an address, and not as a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_label(bucket: str) -> bool:
    """Tell whether a bucket can stand in front of the name of a host."""
    return _DNS_BUCKET.fullmatch(bucket) is not None


def _checked_bucket(bucket: str) -> str:
    if not _BUCKET.fullmatch(bucket):
        raise ValueError(
            f"{bucket!r} cannot be a bucket: expected 3 to 63 letters, digits, '.', '-' or '_', "
            "as in s3://host:9000/bucket/"
        )
    return bucket
