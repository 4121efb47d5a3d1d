"""Proof of what was contacted: the ends of connections, noted once for each, and the mounts of folders."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from .messages import ContactWire, MountWire

# A name may lead to more addresses, and each connection has a port of its own: some of them are proof enough.
_MOST_REMOTE = 16
_MOST_LOCAL = 4
_MOUNTS = "/proc/self/mountinfo"
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Contacts:
    """The connections of a stage by endpoint; `begin` each stage with those that are still open."""

    def __init__(self, endpoints: int) -> None:
        self._endpoints = [_Contact() for _ in range(endpoints)]

    def begin(self, kept: Iterable[tuple[int, socket.socket]]) -> None:
        """Forget the stage before; its connections that are ``kept`` count in this one, too."""
        self._endpoints = [_Contact() for _ in self._endpoints]
        for endpoint, sock in kept:
            self.add(endpoint, sock)

    def add(self, endpoint: int, sock: socket.socket) -> None:
        """Note a connection that is ready for requests."""
        contact = self._endpoints[endpoint]
        contact.connections += 1
        try:
            remote, local = _text(sock.getpeername()), _text(sock.getsockname())
        except OSError:
            # The other side has closed it meanwhile.
            return
        remotes = contact.remotes
        if remote in remotes or len(remotes) < _MOST_REMOTE:
            remotes[remote] = remotes.get(remote, 0) + 1
        if len(contact.locals) < _MOST_LOCAL:
            contact.locals.append(local)

    def to_wire(self) -> list[ContactWire]:
        """Return what is known as builtins."""
        return [
            {
                "endpoint": endpoint,
                "connections": contact.connections,
                "remotes": sorted(contact.remotes.items()),
                "locals": contact.locals,
                "mount": None,
            }
            for endpoint, contact in enumerate(self._endpoints)
        ]


class _Contact:
    def __init__(self) -> None:
        self.connections = 0
        self.remotes: dict[str, int] = {}
        self.locals: list[str] = []


def _text(address: tuple[object, ...]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


class _Mount(NamedTuple):
    """A line of ``/proc/self/mountinfo``, see proc_pid_mountinfo(5)."""

    device: str
    point: str
    kind: str
    source: str
    options: str


def contacts_of_folders(roots: Iterable[str]) -> list[ContactWire]:
    """Return the mount of each folder: what keeps it, and for a network file system which address."""
    mounts = _read_mounts()
    return [
        {
            "endpoint": endpoint,
            "connections": 0,
            "remotes": [],
            "locals": [],
            "mount": _mount_of(root, mounts),
        }
        for endpoint, root in enumerate(roots)
    ]


def _mount_of(root: str, mounts: list[_Mount]) -> MountWire | None:
    path = os.path.realpath(root)
    around = [mount for mount in mounts if f"{path}/".startswith(f"{mount.point.rstrip('/')}/")]
    if not around:
        return None
    # Of several at one place the last hides the others.
    found = max(enumerate(around), key=lambda each: (len(each[1].point), each[0]))[1]
    address = re.search(r"(?:^|,)addr=([^,]+)", found.options)
    return {
        "device": found.device,
        "point": found.point,
        "type": found.kind,
        "source": found.source,
        "address": address[1] if address else "",
    }


def _read_mounts() -> list[_Mount]:
    """Return all mounts, none where the system does not list them."""
    mounts = []
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
            for line in lines:
                left, _, right = line.rstrip("\n").partition(" - ")
                before, after = left.split(" "), right.split(" ")
                if len(before) >= 5 and len(after) >= 3:
                    mounts.append(
                        _Mount(before[2], _unescape(before[4]), after[0], _unescape(after[1]), after[2])
                    )
    except OSError:
        return []
    return mounts


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)
