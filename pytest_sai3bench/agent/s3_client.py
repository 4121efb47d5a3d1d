"""One S3 request at a time, blocking, on a connection of its own: listings and checks before the clock starts."""

from __future__ import annotations

import socket
from contextlib import ExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .connection import Connection, ConnectionFailed
from .messages import STAT
from .response import BadResponse, find_field
from .s3_requests import describe_error, error_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .s3_requests import S3Requests
    from .tls import TlsClient

_BUFFER_BYTES = 64 << 10
# How a server of TLS answers to what is none: a record of the type alert.
_TLS_ALERT = b"\x15\x03"

# Failure kinds by the code of S3's answer.
CAUSES = {
    "SignatureDoesNotMatch": "bad-secret",
    "InvalidAccessKeyId": "unknown-key",
    "NoSuchBucket": "no-bucket",
    "AccessDenied": "denied",
}


class RequestFailed(OSError):
    """A request that got no useful answer; ``kind`` is one of the failure kinds of `messages`.

    ``region`` is where the server says that the bucket is, when it does.
    """

    def __init__(self, kind: str, detail: str, region: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.region = region


class Answer(NamedTuple):
    """Status and body of an answer; of an error the head, too."""

    status: int
    body: bytes
    head: bytes = b""


def resolve(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    """Return (family, address) to connect to; raises `RequestFailed` when the name does not resolve."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise RequestFailed("unresolved", f"{host}: {error.strerror}") from None
    return family, address


class S3Client:
    """Talks to one endpoint; every request has the time limit given, as a whole.

    With ``tls`` it does so over TLS, as its number ``endpoint``.
    """

    def __init__(
        self,
        requests: S3Requests,
        address: tuple[int, tuple[object, ...]],
        *,
        connect_timeout_s: float,
        timeout_s: float,
        tls: TlsClient | None = None,
        endpoint: int = 0,
    ) -> None:
        self._requests = requests
        self._family, self._address = address
        self._connect_timeout_s = connect_timeout_s
        self._timeout_s = timeout_s
        self._tls = tls
        self._endpoint = endpoint

    def request(self, head: bytes, *, bodiless: bool = False) -> Answer:
        """Send ``head`` and return the whole answer; raises `RequestFailed` when none comes."""
        buffer = bytearray(_BUFFER_BYTES)
        view = memoryview(buffer)
        deadline = monotonic() + self._timeout_s
        with ExitStack() as closing:
            limit = f"no connection within {self._connect_timeout_s:g} s"
            try:
                sock = self._open(closing)
                limit = f"no answer within {self._timeout_s:g} s"
                connection = Connection(sock, 0)
                connection.expect(bodiless=bodiless, keep=True)
                # A server that refuses the client may say so and close before it has read anything.
                with suppress(OSError):
                    sock.sendall(head)
                while True:
                    sock.settimeout(max(0.001, deadline - monotonic()))
                    if connection.receive(buffer, view):
                        if self._tls is not None:
                            self._tls.keep_session(sock, self._endpoint)
                        return Answer(connection.status, connection.body, connection.head)
            except ConnectionRefusedError:
                raise RequestFailed("refused", "connection refused") from None
            except (TimeoutError, socket.timeout):
                raise RequestFailed("timeout", limit) from None
            except (BadResponse, OSError) as error:
                if buffer.startswith(_TLS_ALERT):
                    raise RequestFailed("needs-tls", "the server speaks TLS") from None
                raise self._failure(error) from None

    def _open(self, closing: ExitStack) -> Any:
        """Return a socket that is ready for a request: a plain one, or one of TLS."""
        sock = closing.enter_context(socket.socket(self._family, socket.SOCK_STREAM))
        sock.settimeout(self._connect_timeout_s)
        sock.connect(self._address)
        if self._tls is None:
            return sock
        wrapped = closing.enter_context(self._tls.wrap(sock, self._endpoint))
        wrapped.do_handshake()
        return wrapped

    def _failure(self, error: Exception) -> RequestFailed:
        if isinstance(error, BadResponse):
            return RequestFailed("not-http", str(error))
        if self._tls is not None and isinstance(error, OSError):
            error = self._tls.explain(error)
        if isinstance(error, ConnectionFailed):
            return RequestFailed(error.kind, str(error))
        return RequestFailed("unreachable", getattr(error, "strerror", None) or str(error))

    def check(self) -> None:
        """List one object of the bucket; raises `RequestFailed` with the cause when the endpoint is not usable."""
        self._raise_for(self.request(self._requests.list("", "", most=1)))

    def exists(self, key: str) -> bool:
        """Tell whether an object is there (403 counts as not there: so answers who may not list)."""
        answer = self.request(self._requests.object(STAT, key), bodiless=True)
        if answer.status not in {403, 404}:
            self._raise_for(answer)
        return answer.status == 200

    def names(self, folder: str, *, recursive: bool) -> Iterator[str]:
        """Yield the keys below ``folder``, page by page, percent-encoded and relative to the endpoint."""
        token = ""
        while True:
            answer = self.request(self._requests.list(folder, token, recursive=recursive))
            self._raise_for(answer)
            try:
                page = self._requests.parse_page(answer.body)
            except ValueError as error:
                raise RequestFailed("other", str(error)) from None
            yield from page.keys
            token = page.token
            if not token:
                return

    def _raise_for(self, answer: Answer) -> None:
        if answer.status < 300:
            return
        if answer.status == 400 and b"HTTPS" in answer.body:
            # The words differ, but servers of TLS that answer to plain HTTP name it.
            raise RequestFailed("needs-tls", "the server speaks TLS")
        code = error_field(answer.body, "Code")
        region = find_field(answer.head, "x-amz-bucket-region") or error_field(answer.body, "Region")
        shown = describe_error(answer.status, answer.body)
        if answer.status < 400:
            named = {"host": self._sent_on_to(answer), "region": region}
            to = ", ".join(f"{what} {name}" for what, name in named.items() if name)
            to = to or "a place it does not name"
            text = f"{shown.rstrip('.')}; the server sends requests on to {to}"
            raise RequestFailed("redirected", text, region)
        if code == "AuthorizationHeaderMalformed" and region:
            raise RequestFailed("wrong-region", f"{shown.rstrip('.')}; the region is {region}", region)
        raise RequestFailed(CAUSES.get(code, "denied" if answer.status == 403 else "other"), shown)

    def _sent_on_to(self, answer: Answer) -> str:
        """Return the server that a redirection names, without the bucket in front of it."""
        try:
            named = urlsplit(find_field(answer.head, "location")).netloc
        except ValueError:
            named = ""
        host = named or error_field(answer.body, "Endpoint")
        front = f"{self._requests.bucket}."
        return host.removeprefix(front)
