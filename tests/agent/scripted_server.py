"""A server whose every answer is scripted."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

# No answer in a test may take longer; nothing waits for it when all is well.
PATIENCE_S = 20.0


@dataclass(frozen=True)
class Request:
    """A request as the server saw it; ``number`` counts those of its connection from 1."""

    endpoint: int
    connection: int
    number: int
    method: str
    path: str
    head: str
    body: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, server: ScriptedServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock
        self._unread = b""

    def send(self, data: bytes) -> None:
        """Send some bytes of an answer."""
        self._sock.sendall(data)

    def read(self, most: int) -> bytes:
        """Read on where the server stopped reading."""
        data = self._unread or self._sock.recv(65536)
        if not data:
            raise ConnectionAbortedError
        data, self._unread = data[:most], data[most:]
        return data

    def read_until(self, end: bytes) -> bytes:
        """Read up to ``end`` and leave what follows."""
        data = b""
        while end not in data:
            data += self.read(65536)
        data, _, self._unread = data.partition(end)
        return data

    def stall(self) -> None:
        """Say nothing any more, until the test is over."""
        self._server.over.wait(PATIENCE_S)

    def reset(self) -> None:
        """End the connection as a crash does."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """End the connection, as a server does with one that was idle too long."""
        self._sock.close()
        raise ConnectionAbortedError


class ScriptedServer:
    """Answers on one address per endpoint; ``script`` gets each request, read whole, and returns the answer's bytes.

    A script may also act on the peer itself and return None. ``requests`` holds what arrived. With ``reads_bodies``
    False a request counts as arrived when its head has. With a ``context`` it speaks TLS.
    """

    def __init__(
        self,
        endpoints: int,
        script: Callable[[Request, Peer], bytes | None],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._context = context
        self.requests: list[Request] = []
        self.over = threading.Event()
        self.reads_bodies = True
        self._script = script
        self._threads: list[threading.Thread] = []
        self._socks: list[socket.socket] = []
        self._connections = 0
        self._listeners = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in range(endpoints)]
        self.addresses: list[tuple[str, int]] = [listener.getsockname() for listener in self._listeners]
        for endpoint, listener in enumerate(self._listeners):
            self._start(self._accept, listener, endpoint)

    def refuse(self, endpoint: int) -> None:
        """Take no more connections at an endpoint; harmless when it does not."""
        listener = self._listeners[endpoint]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()

    def listen(self, endpoint: int) -> None:
        """Take connections again at an endpoint that refused them."""
        listener = self._listeners[endpoint] = socket.create_server(self.addresses[endpoint], backlog=512)
        self._start(self._accept, listener, endpoint)

    def close(self) -> None:
        """End every connection and thread."""
        self.over.set()
        for sock in self._socks:
            # A thread that waits in this socket is woken by it.
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        for sock in self._socks:
            sock.close()

    @property
    def connections(self) -> int:
        """How many connections were opened."""
        return self._connections

    def _start(self, work: Callable[..., None], sock: socket.socket, *arguments: Any) -> None:
        self._socks.append(sock)
        thread = threading.Thread(target=work, args=(sock, *arguments), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, endpoint: int) -> None:
        while not self.over.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._connections += 1
            self._start(self._serve, sock, endpoint, self._connections)

    def _serve(self, sock: socket.socket, endpoint: int, connection: int) -> None:
        number = 0
        try:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
                self._socks.append(sock)
                try:
                    sock.do_handshake()
                except OSError:
                    # What the client still sends is taken, or the reset that answers it would overtake the alert.
                    sock = socket.socket(fileno=sock.detach())
                    sock.shutdown(socket.SHUT_WR)
                    while sock.recv(65536):
                        pass
                    raise
            peer = Peer(self, sock)
            while not self.over.is_set():
                head = peer.read_until(b"\r\n\r\n").decode()
                lines = head.split("\r\n")
                method, target, _ = lines[0].split(" ")
                lengths = [line.partition(":")[2] for line in lines if line.startswith("Content-Length:")]
                length = int(lengths[0]) if lengths and self.reads_bodies else 0
                body = b""
                while len(body) < length:
                    body += peer.read(length - len(body))
                number += 1
                request = Request(endpoint, connection, number, method, unquote(target), head, body)
                self.requests.append(request)
                if answer := self._script(request, peer):
                    sock.sendall(answer)
        except OSError:
            pass
        finally:
            sock.close()
