from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.results.contacts import Contact, Mount, merge_contacts

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import ContactWire, MountWire


def wire(
    connections: int, remotes: list[tuple[str, int]], *ends: str, mount: MountWire | None = None
) -> ContactWire:
    return {
        "endpoint": 0,
        "connections": connections,
        "remotes": remotes,
        "locals": list(ends),
        "mount": mount,
    }


def test_contacts_of_workers_are_summed_by_uri() -> None:
    merged = merge_contacts(
        [
            ("b", wire(3, [("10.0.0.1:80", 2), ("10.0.0.3:80", 1)], "h:1", "h:2", "h:3")),
            ("a", wire(0, [])),
            ("b", wire(2, [("10.0.0.2:80", 1), ("10.0.0.3:80", 1)], "h:8", "h:9")),
        ]
    )

    assert merged == (
        Contact(
            "b",
            5,
            (("10.0.0.1:80", 2), ("10.0.0.2:80", 1), ("10.0.0.3:80", 2)),
            ("h:1", "h:2", "h:3", "h:8"),
        ),
        Contact("a"),
    )


def test_the_mount_of_a_folder_is_shown_in_words() -> None:
    nfs: MountWire = {
        "device": "0:45",
        "point": "/mnt/a",
        "type": "nfs4",
        "source": "server:/export",
        "address": "10.0.0.1",
    }
    [contact] = merge_contacts([("a", wire(0, [], mount=nfs)), ("a", wire(0, [], mount=nfs))][:1])

    assert contact.mount == Mount("0:45", "/mnt/a", "nfs4", "server:/export", "10.0.0.1")
    assert str(contact.mount) == "nfs4 server:/export 10.0.0.1"
    assert str(Mount("8:1", "/", "ext4", "/dev/sda1")) == "ext4 /dev/sda1"
