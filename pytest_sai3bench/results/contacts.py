"""How endpoints were reached: proof that an address of the suite was really contacted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sai3bench.agent.messages import ContactWire

_MOST_LOCAL = 4


@dataclass(frozen=True)
class Mount:
    """Where a folder is: the device's number, mount point, type of file system, and what is mounted.

    ``address`` is that of the server of a network file system, empty for others.
    """

    device: str
    point: str
    type: str
    source: str
    address: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.type, self.source, self.address)))


@dataclass(frozen=True)
class Contact:
    """How an agent reached an endpoint in a phase.

    ``connections`` counts those that were ready for requests, ``remotes`` how many of them led to each address,
    ``locals`` has some of their other ends. ``mount`` is that of a folder.
    """

    endpoint: str
    connections: int = 0
    remotes: tuple[tuple[str, int], ...] = ()
    locals: tuple[str, ...] = ()
    mount: Mount | None = None

    def to_json(self) -> dict[str, Any]:
        """Return all fields as JSON has them."""
        return asdict(self) | {
            "remotes": [list(remote) for remote in self.remotes],
            "locals": list(self.locals),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Contact:
        """Return the contact of which `to_json` made this."""
        return cls(
            document["endpoint"],
            document["connections"],
            tuple((address, count) for address, count in document["remotes"]),
            tuple(document["locals"]),
            Mount(**document["mount"]) if document["mount"] else None,
        )


def merge_contacts(contacts: Iterable[tuple[str, ContactWire]]) -> tuple[Contact, ...]:
    """Return what workers say of their endpoints, by URI; each endpoint once, in the order of first mention."""
    by_uri: dict[str, list[ContactWire]] = {}
    for uri, contact in contacts:
        by_uri.setdefault(uri, []).append(contact)
    return tuple(_merge(uri, parts) for uri, parts in by_uri.items())


def _merge(uri: str, parts: list[ContactWire]) -> Contact:
    remotes: dict[str, int] = {}
    for address, count in (remote for part in parts for remote in part["remotes"]):
        remotes[address] = remotes.get(address, 0) + count
    mount = parts[0]["mount"]
    return Contact(
        uri,
        sum(part["connections"] for part in parts),
        tuple(sorted(remotes.items())),
        tuple(local for part in parts for local in part["locals"])[:_MOST_LOCAL],
        Mount(**mount) if mount else None,
    )
