"""The connections of an event loop: opened, kept while idle, and dropped; the poller watches them all."""

from __future__ import annotations

import errno
import os
import socket
from time import monotonic_ns
from typing import TYPE_CHECKING

from .connection import CONNECTING, IDLE, Connection
from .contacts import Contacts
from .poller import READ, WRITE, make_poller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .payload import Payload
    from .tls import TlsClient


class Connections:
    """Owns the sockets to all endpoints; ``payloads`` takes back what a dropped connection was sending.

    ``drops`` says whether bodies that nothing looks at may be dropped in the kernel.

    ``by_fd`` holds every connection, ``idle`` those of each endpoint that wait for a request, the last used last.
    ``contacts`` knows where all of them have led.
    """

    def __init__(
        self,
        addresses: Sequence[tuple[int, tuple[object, ...]]],
        tls: TlsClient | None,
        payloads: list[Payload],
        *,
        drops: bool,
    ) -> None:
        self.poller = make_poller()
        self.by_fd: dict[int, Connection] = {}
        self.idle: list[list[Connection]] = [[] for _ in addresses]
        self._addresses = addresses
        self._tls = tls
        self._payloads = payloads
        self._drops = drops
        self.contacts = Contacts(len(addresses))

    def connect(self, endpoint: int) -> Connection:
        """Begin to open a connection; raises OSError when that fails at once."""
        family, address = self._addresses[endpoint]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        failure = sock.connect_ex(address)
        if failure not in (0, errno.EINPROGRESS):
            sock.close()
            raise OSError(failure, os.strerror(failure))
        if self._tls is None:
            connection = Connection(sock, endpoint, drops=self._drops)
        else:
            connection = self._tls.connection(sock, endpoint)
        connection.opened_ns = monotonic_ns()
        self.by_fd[connection.fd] = connection
        self.poller.register(connection.fd, READ | WRITE)
        return connection

    def note_kept(self) -> None:
        """Begin to note connections anew, with those that are open."""
        ready = (each for each in self.by_fd.values() if each.state != CONNECTING)
        self.contacts.begin((each.endpoint, each.sock) for each in ready)

    def connect_share(self, lanes: int) -> None:
        """Begin to open what ``lanes`` need when they are spread evenly; those of a dead endpoint are left out."""
        share = -(-lanes // len(self._addresses))
        for endpoint, idle in enumerate(self.idle):
            for _ in range(share - len(idle)):
                try:
                    self.connect(endpoint)
                except OSError:
                    break

    def opening(self) -> list[Connection]:
        """Return the connections that are not ready for requests."""
        return [connection for connection in self.by_fd.values() if connection.state == CONNECTING]

    def oldest_ns(self) -> list[int]:
        """Return for each endpoint when the oldest operation under way there began, 0 where there is none."""
        oldest = [0] * len(self._addresses)
        for connection in self.by_fd.values():
            if connection.task is not None:
                began = oldest[connection.endpoint]
                if not began or connection.began_ns < began:
                    oldest[connection.endpoint] = connection.began_ns
        return oldest

    def moved(self, endpoint: int) -> int:
        """Return a number that changes when bytes of the bodies of an endpoint's operations move."""
        return sum(
            connection.moved
            for connection in self.by_fd.values()
            if connection.endpoint == endpoint and connection.task is not None
        )

    def stuck(self, silent: Sequence[bool], before_ns: int) -> int:
        """Count the operations at silent endpoints that began before an instant."""
        return sum(
            silent[connection.endpoint] and connection.task is not None and connection.began_ns < before_ns
            for connection in self.by_fd.values()
        )

    def establish(self, connection: Connection) -> bool:
        """Go on with a connection that is not ready; True when it is. Raises OSError when it never will be."""
        failure = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
        waits = connection.shake()
        self.poller.modify(connection.fd, waits or READ)
        if not waits:
            self.contacts.add(connection.endpoint, connection.sock)
        return not waits

    def rest(self, connection: Connection) -> None:
        """Keep a connection for the next request to its endpoint."""
        connection.task = None
        connection.state = IDLE
        self.idle[connection.endpoint].append(connection)

    def leave(self, connection: Connection) -> None:
        """End a connection's operation; keep the connection unless the server closes it."""
        connection.began_ns = 0
        if connection.close:
            self.drop(connection)
        else:
            self.rest(connection)

    def drop(self, connection: Connection) -> None:
        """Close a connection; harmless for one that is closed."""
        if connection.payload is not None:
            self._payloads.append(connection.payload)
            connection.payload = None
        if self.by_fd.get(connection.fd) is connection:
            del self.by_fd[connection.fd]
            self.poller.unregister(connection.fd)
            connection.sock.close()

    def drop_idle(self, connection: Connection) -> None:
        """Close a connection on which no operation is under way."""
        idle = self.idle[connection.endpoint]
        if connection in idle:
            idle.remove(connection)
        self.drop(connection)

    def close(self) -> None:
        """Close everything."""
        for connection in list(self.by_fd.values()):
            self.drop(connection)
        self.poller.close()
