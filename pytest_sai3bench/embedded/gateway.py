"""One endpoint address of the embedded server, as seen over HTTP."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_sai3bench.agent.sigv4 import Signer
from pytest_sai3bench.errors import EmbeddedServerError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.agent.sigv4 import Credentials

_TIMEOUT_S = 10.0
_REQUESTS = re.compile(
    r'^SeaweedFS_s3_request_total\{bucket="(.*)",code="\d+",type="(\w+)"\} (\S+)$', re.MULTILINE
)


@dataclass(frozen=True)
class Gateway:
    """Where one S3 endpoint and its counters answer; with ``ca_file`` it speaks TLS."""

    name: str
    host: str
    port: int
    metrics_port: int
    ca_file: Path | None = None

    def is_ready(self, credentials: Credentials) -> bool:
        """Tell whether a signed request succeeds."""
        try:
            return self._request("GET", "/", credentials)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def create_bucket(self, bucket: str, credentials: Credentials) -> None:
        """Create a bucket unless it is there."""
        status, body = self._request("PUT", f"/{quote(bucket)}", credentials)
        if status not in {200, 409}:
            code = re.search(r"<Code>(.*?)</Code>", body)
            raise EmbeddedServerError(
                f"The embedded server did not create bucket {bucket!r}: {status} {code[1] if code else body}.",
                remedy="A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens.",
            )

    def request_counts(self, bucket: str | None) -> Counter[str]:
        """Return how many requests were answered, by type (``GET``, ``PUT``, ``LIST`` …), for one bucket or all."""
        connection = http.client.HTTPConnection(self.host, self.metrics_port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        counts: Counter[str] = Counter()
        for of_bucket, kind, count in _REQUESTS.findall(text):
            if bucket in {None, of_bucket}:
                counts[kind] += int(float(count))
        return counts

    def _connect(self) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=_TIMEOUT_S)
        if self.ca_file is None:
            return plain
        context = ssl.create_default_context(cafile=self.ca_file)
        return context.wrap_socket(plain, server_hostname=self.host)

    def _request(self, method: str, path: str, credentials: Credentials) -> tuple[int, str]:
        head = Signer(f"{self.host}:{self.port}", credentials).head(
            method, path, "", "Content-Length: 0\r\nConnection: close\r\n"
        )
        with self._connect() as connection:
            connection.sendall(head)
            response = http.client.HTTPResponse(connection, method=method)
            try:
                response.begin()
                return response.status, response.read().decode(errors="replace")
            finally:
                response.close()
