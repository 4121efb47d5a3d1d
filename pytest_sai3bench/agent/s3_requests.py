"""S3 requests of one endpoint, and what their answers say (REST API of 2006-03-01)."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, unquote_plus
from xml.etree import ElementTree as ET

from .messages import DELETE, GET, LIST, OPERATIONS, PUT, STAT
from .sigv4 import Credentials, Signer

if TYPE_CHECKING:
    from collections.abc import Iterator

_METHODS = {GET: "GET", PUT: "PUT", LIST: "GET", STAT: "HEAD", DELETE: "DELETE"}
# By operation, so that the hot path indexes a tuple.
METHODS = tuple(_METHODS.get(op, "") for op in range(len(OPERATIONS)))
_TAG = {
    name: re.compile(rf"<{name}>(.*?)</{name}>".encode(), re.DOTALL)
    for name in ("Code", "Message", "Region", "Endpoint")
}
_TRUNCATED = re.compile(rb"<IsTruncated>\s*true\s*</IsTruncated>")
_TOKEN = re.compile(rb"<NextContinuationToken>(.*?)</NextContinuationToken>", re.DOTALL)


def quote_key(key: str) -> str:
    """Percent-encode an object's key for path and signature (S3 encodes once and keeps slashes)."""
    return quote(key, safe="/~")


def _quote_value(value: str) -> str:
    return quote(value, safe="~")


class Listed(NamedTuple):
    """One page of a listing: keys relative to the endpoint, and the token of the next page (empty at the end)."""

    keys: list[str]
    token: str


class S3Requests:
    """Builds the requests of one endpoint; keys are percent-encoded and relative to its bucket and prefix.

    The bucket stands in the path, or in the name of the host. ``host`` is that name: to resolve, and to find in a
    certificate; ``bucket`` is as it was written.
    """

    def __init__(self, endpoint: dict[str, object], credentials: Credentials | None) -> None:
        bucket, host, port = quote(str(endpoint["bucket"])), str(endpoint["host"]), int(str(endpoint["port"]))
        virtual = bool(endpoint.get("virtual"))
        self.bucket = str(endpoint["bucket"])
        self.host = host = f"{bucket}.{host}" if virtual else host
        shown = f"[{host}]" if ":" in host else host
        default = 443 if endpoint.get("tls") else 80
        self._signer = Signer(shown if port == default else f"{shown}:{port}", credentials)
        self.prefix = str(endpoint["prefix"])
        self._bucket = "/" if virtual else f"/{bucket}"
        self._base = f"{'' if virtual else self._bucket}/{quote_key(self.prefix)}"

    def object(self, op: int, key: str) -> bytes:
        """Return the head of a GET, STAT or DELETE."""
        return self._signer.head(METHODS[op], self._base + key, "")

    def range(self, key: str, start: int, end: int) -> bytes:
        """Return the head of a GET of the bytes from ``start`` up to ``end``."""
        return self._signer.head("GET", self._base + key, "", f"Range: bytes={start}-{end - 1}\r\n")

    def put(self, key: str, size_bytes: int) -> bytes:
        """Return the head of a PUT."""
        return self._signer.head("PUT", self._base + key, "", f"Content-Length: {size_bytes}\r\n")

    def create_upload(self, key: str) -> bytes:
        """Return the head of a CreateMultipartUpload."""
        return self._signer.head("POST", self._base + key, "uploads=", "Content-Length: 0\r\n")

    def upload_part(self, key: str, upload_id: str, number: int, size_bytes: int) -> bytes:
        """Return the head of an UploadPart."""
        query = f"partNumber={number}&uploadId={_quote_value(upload_id)}"
        return self._signer.head("PUT", self._base + key, query, f"Content-Length: {size_bytes}\r\n")

    def complete_upload(self, key: str, upload_id: str, body: bytes) -> bytes:
        """Return a whole CompleteMultipartUpload; ``body`` names the parts."""
        more = f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
        return self._signer.head("POST", self._base + key, f"uploadId={_quote_value(upload_id)}", more) + body

    def abort_upload(self, key: str, upload_id: str) -> bytes:
        """Return the head of an AbortMultipartUpload."""
        return self._signer.head("DELETE", self._base + key, f"uploadId={_quote_value(upload_id)}")

    def list(self, folder: str, token: str, *, recursive: bool = True, most: int = 1000) -> bytes:
        """Return the head of one page of ListObjectsV2; ``folder`` is percent-encoded like a key."""
        # In the order of their names, which is what the signature wants.
        query = f"continuation-token={_quote_value(token)}&" if token else ""
        if not recursive:
            query += "delimiter=%2F&"
        prefix = _quote_value(self.prefix + unquote(folder))
        query += f"encoding-type=url&list-type=2&max-keys={most}&prefix={prefix}"
        return self._signer.head("GET", self._bucket, query)

    def parse_page(self, body: bytes) -> Listed:
        """Return the keys of a page, percent-encoded; raises ValueError when it is not a listing."""
        try:
            root = ET.fromstring(body)  # noqa: S314 - expat bounds entity expansion
        except ET.ParseError as error:
            raise ValueError(f"the listing is not XML: {error}") from None
        space = root.tag[: root.tag.find("}") + 1]
        if root.tag != f"{space}ListBucketResult":
            raise ValueError(f"expected a ListBucketResult, got {root.tag[len(space) :]}")
        encoded = root.findtext(f"{space}EncodingType") == "url"
        keys = [quote_key(key) for key in self._keys(root, space, encoded=encoded)]
        token = root.findtext(f"{space}NextContinuationToken", "")
        return Listed(keys, token if root.findtext(f"{space}IsTruncated") == "true" else "")

    def _keys(self, root: ET.Element, space: str, *, encoded: bool) -> Iterator[str]:
        for item in root.iter(f"{space}Key"):
            key = unquote_plus(item.text or "") if encoded else item.text or ""
            # A key that ends in a slash stands for a folder, not for an object with data.
            if key.startswith(self.prefix) and not key.endswith("/"):
                yield key[len(self.prefix) :]


def next_token(body: bytes) -> str:
    """Return the token of the page after this one, empty at the end: the cheap way, for LIST as a measured operation."""
    if not _TRUNCATED.search(body):
        return ""
    match = _TOKEN.search(body)
    return unescape(match.group(1).decode()) if match else ""


def describe_error(status: int, body: bytes) -> str:
    """Return status, code and message of an error answer: ``403 SignatureDoesNotMatch: The request …``."""
    parts = [str(status)]
    code, message = (_TAG[name].search(body) for name in ("Code", "Message"))
    if code:
        parts.append(code.group(1).decode(errors="replace"))
    text = " ".join(parts)
    if message:
        text += f": {unescape(message.group(1).decode(errors='replace'))[:200]}"
    return text


def error_field(body: bytes, name: str) -> str:
    """Return the ``Code``, ``Region`` or ``Endpoint`` of an S3 error, empty without one."""
    found = _TAG[name].search(body)
    return unescape(found.group(1).decode(errors="replace")) if found else ""
