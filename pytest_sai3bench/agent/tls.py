"""TLS over the sockets of `connection` and of the blocking client: contexts, handshakes, sessions, causes of failure.

The records of TLS are decrypted in the program, so every body is copied.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .connection import BODY, Closed, Connection, ConnectionFailed
from .poller import READ, WRITE
from .response import UNTIL_CLOSE

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

# Data arrive in records of at most this size, and a record is read whole or stays out of sight of the poller.
_RECORD_BYTES = 16 << 10
# Verification results of OpenSSL (x509_vfy.h).
_OUT_OF_DATE = {9, 10}
_WITHOUT_ISSUER = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}
# What is not a record begins with other bytes than a record.
_NOT_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}
# Alerts that speak of the peer's certificate: ours, when a server sends them.
_ABOUT_US = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


class TlsSettings(NamedTuple):
    """Whom to trust and who we are, as PEM texts; empty for the system's authorities and for no certificate."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    verify: bool = True


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context of all connections; raises ValueError when a text is not what it should be."""
    try:
        # Authorities that are given replace those of the system.
        context = ssl.create_default_context(cadata=settings.ca or None)
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"no certificates in PEM form: {_reason(error)}") from error
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate:
        _identify(context, settings)
    return context


def _identify(context: ssl.SSLContext, settings: TlsSettings) -> None:
    """Load our certificate and key, for which Python wants a file; on Linux it is one in memory."""
    if hasattr(os, "memfd_create"):
        handle, path = os.memfd_create("certificate"), ""
        shown = f"/proc/self/fd/{handle}"
    else:
        handle, path = tempfile.mkstemp()
        shown = path
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            stream.write(f"{settings.certificate}\n{settings.key}")
            stream.flush()
            context.load_cert_chain(shown, password=_refuse)
    except (ssl.SSLError, UnicodeEncodeError) as error:
        raise ValueError(f"no certificate and its key in PEM form: {_reason(error)}") from error
    finally:
        if path:
            os.unlink(path)


def _refuse() -> str:
    # Without this OpenSSL would ask for it at the terminal.
    raise ValueError("the key is protected by a password: expected one without")


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error).lower().replace("_", " ")


class TlsClient:
    """Makes the TLS connections of one worker; ``hosts`` are the names its endpoints must prove, by endpoint.

    The last session of each endpoint is kept, so that a handshake need not begin from nothing.
    """

    def __init__(self, settings: TlsSettings, hosts: Iterable[str]) -> None:
        self._context = make_context(settings)
        self._hosts = list(hosts)
        self._sessions: list[ssl.SSLSession | None] = [None] * len(self._hosts)

    @staticmethod
    def explain(error: OSError) -> OSError:
        """Return what an error means, see `explain`."""
        return explain(error)

    def wrap(self, sock: socket.socket, endpoint: int) -> ssl.SSLSocket:
        """Return a socket that speaks TLS, before its handshake; ``sock`` must not be used any more."""
        try:
            wrapped = self._context.wrap_socket(
                sock,
                server_hostname=self._hosts[endpoint],
                do_handshake_on_connect=False,
                suppress_ragged_eofs=False,
                session=self._sessions[endpoint],
            )
        except ValueError as error:
            raise ConnectionFailed("wrong-host", str(error)) from error
        return wrapped

    def expect(self, endpoint: int, host: str) -> None:
        """From now on the endpoint has to prove another name."""
        self._hosts[endpoint] = host
        self._sessions[endpoint] = None

    def connection(self, sock: socket.socket, endpoint: int) -> TlsConnection:
        """Return a connection of the event loop over a socket that has begun to connect."""
        return TlsConnection(sock, endpoint, self)

    def keep_session(self, sock: ssl.SSLSocket, endpoint: int) -> None:
        """Use the session of ``sock`` for the endpoint's next handshake, if the server gave one."""
        self._sessions[endpoint] = sock.session or self._sessions[endpoint]


class TlsConnection(Connection):
    """A connection whose bytes are encrypted.

    Either direction may have to wait for the other one: sending for something to arrive, receiving for room to send.
    """

    __slots__ = ("_client", "_reads_first", "_tls", "_writes_first")

    def __init__(self, sock: socket.socket, endpoint: int, client: TlsClient) -> None:
        super().__init__(sock, endpoint)
        self._client = client
        self._tls: ssl.SSLSocket | None = None
        self._reads_first = False
        self._writes_first = False
        self._recv_into: Any = self._read
        self._send: Any = self._write

    @property
    def waits(self) -> int:
        """See `Connection.waits`."""
        if self._reads_first:
            return READ
        return READ | WRITE if self._writes_first else super().waits

    def shake(self) -> int:
        """Go on with the handshake; returns what to wait for, 0 when it is done."""
        try:
            if self._tls is None:
                # Not before the connection stands: the wrapper looks for its peer.
                self.sock = self._tls = self._client.wrap(self.sock, self.endpoint)
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return READ
        except ssl.SSLWantWriteError:
            return READ | WRITE
        except OSError as error:
            raise explain(error) from error
        return 0

    def receive(self, buffer: bytearray, view: memoryview) -> bool:
        """See `Connection.receive`; what could not be sent before something arrived is sent first."""
        if self._reads_first:
            self.flush()
        return super().receive(buffer, view)

    def _write(self, data: bytes | memoryview) -> int:
        assert self._tls is not None
        self._reads_first = False
        try:
            return self._tls.send(data)
        except ssl.SSLWantWriteError:
            raise BlockingIOError from None
        except ssl.SSLWantReadError:
            self._reads_first = self.crossed = True
            raise BlockingIOError from None
        except OSError as error:
            raise explain(error) from error

    def _read(self, view: memoryview, _size: int = 0, _flags: int = 0) -> int:
        """Fill ``view`` with what has arrived; returns 0 at the end. Nothing can be dropped unseen: flags are ignored."""
        assert self._tls is not None
        count = 0
        self._writes_first = False
        try:
            while len(view) - count >= _RECORD_BYTES:
                # With a buffer it returns a number, whatever its annotation says.
                got = cast("int", self._tls.read(len(view) - count, view[count:] if count else view))
                count += got
                # A smaller record is most often the last one, and trying again costs more than being woken again.
                if got < _RECORD_BYTES:
                    break
        except ssl.SSLWantReadError:
            if not count:
                raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self._writes_first = self.crossed = True
            if not count:
                raise BlockingIOError from None
        except OSError as error:
            # What was read before will be dealt with first; the error comes again.
            if not count:
                return self._end(error)
        if self.fresh:
            self._client.keep_session(self._tls, self.endpoint)
        return count

    def _end(self, error: OSError) -> int:
        if not isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
            raise explain(error) from error
        if isinstance(error, ssl.SSLEOFError) and self.state == BODY and self._left == UNTIL_CLOSE:
            # Only a notice of TLS tells the end of such a body from a cut.
            raise Closed("the server closed the connection in the middle of an answer")
        return 0


def explain(error: OSError) -> OSError:
    """Return what an error means: a `ConnectionFailed` of its own kind, `Closed`, or what it was."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = error.verify_code
        kind = "bad-certificate"
        if code in _OTHER_NAME:
            kind = "wrong-host"
        elif code in _OUT_OF_DATE:
            kind = "expired-certificate"
        elif code in _WITHOUT_ISSUER:
            kind = "unknown-ca"
        return ConnectionFailed(
            kind, f"the server's certificate was refused: {error.verify_message.rstrip('.')}"
        )
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return Closed("the server closed the connection")
    if not isinstance(error, ssl.SSLError):
        return error
    reason = error.reason or ""
    if reason in _NOT_TLS:
        return ConnectionFailed("not-tls", "the server does not speak TLS")
    if "ALERT" in reason and any(word in reason for word in _ABOUT_US):
        return ConnectionFailed("client-certificate", f"the server refused the client: {_reason(error)}")
    return ConnectionFailed("tls-failed", f"TLS failed: {_reason(error)}")
