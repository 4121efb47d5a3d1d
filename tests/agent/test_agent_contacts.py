from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import contacts
from pytest_sai3bench.agent.contacts import Contacts, contacts_of_folders
from pytest_sai3bench.agent.messages import GET

if TYPE_CHECKING:
    from collections.abc import Callable

MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:20 / /proc rw - proc proc rw
30 22 0:45 / {tmp}/mnt rw,relatime - nfs4 server:/export rw,vers=4.2,addr=10.0.0.1,clientaddr=10.0.1.1
31 30 0:46 / {tmp}/mnt/deep rw - nfs server:/deep rw,mountaddr=10.0.0.9,addr=10.0.0.2
32 22 0:47 / {tmp}/with\\040space rw - tmpfs a\\040b rw
33 22 0:48 / {tmp}/twice rw - ext4 below rw
34 22 0:49 / {tmp}/twice rw - xfs above rw
nonsense
"""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("mnt/deep/x", "mnt/deeper", "with space", "twice"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "mnt" / "deep")
    listing = tmp_path / "mountinfo"
    listing.write_text(MOUNTINFO.replace("{tmp}", str(tmp_path)))
    monkeypatch.setattr(contacts, "_MOUNTS", str(listing))
    return tmp_path


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("", "8:1 ext4 /dev/sda1 "),
        ("mnt/", "0:45 nfs4 server:/export 10.0.0.1"),
        ("mnt/deep/x/", "0:46 nfs server:/deep 10.0.0.2"),
        # It only begins with the same letters.
        ("mnt/deeper/", "0:45 nfs4 server:/export 10.0.0.1"),
        ("with space/", "0:47 tmpfs a b "),
        ("twice/", "0:49 xfs above "),
        ("link/", "0:46 nfs server:/deep 10.0.0.2"),
    ],
)
def test_a_folder_is_on_the_mount_next_above_it(folders: Path, folder: str, expected: str) -> None:
    [contact] = contacts_of_folders([f"{folders}/{folder}"])
    mount = contact["mount"]

    assert mount is not None
    assert f"{mount['device']} {mount['type']} {mount['source']} {mount['address']}" == expected


def test_where_mounts_are_not_listed_nothing_is_known(folders: Path) -> None:
    (folders / "mountinfo").unlink()

    assert contacts_of_folders(["/", "/tmp/"]) == [
        {"endpoint": endpoint, "connections": 0, "remotes": [], "locals": [], "mount": None}
        for endpoint in (0, 1)
    ]


def test_the_mount_of_this_host_has_the_device_that_the_system_names() -> None:
    [contact] = contacts_of_folders(["/proc/"])
    device = Path("/proc").stat().st_dev

    assert contact["mount"] is not None
    assert (contact["mount"]["point"], contact["mount"]["type"]) == ("/proc", "proc")
    assert contact["mount"]["device"] == f"{os.major(device)}:{os.minor(device)}"


class _Sock:
    def __init__(self, remote: tuple[object, ...], local: tuple[object, ...] = ("127.0.0.1", 1)) -> None:
        self._remote, self._local = remote, local

    def getpeername(self) -> tuple[object, ...]:
        return self._remote

    def getsockname(self) -> tuple[object, ...]:
        return self._local


def test_of_many_addresses_the_first_are_kept_and_all_connections_count() -> None:
    noted = Contacts(2)
    for number in range(40):
        noted.add(1, _Sock((f"10.0.0.{number % 20}", 80), ("10.1.1.1", number)))  # type: ignore[arg-type]
    noted.add(1, _Sock(("fe80::1", 80, 0, 2)))  # type: ignore[arg-type]
    first, second = noted.to_wire()

    assert first == {"endpoint": 0, "connections": 0, "remotes": [], "locals": [], "mount": None}
    assert second["connections"] == 41
    assert second["remotes"] == sorted((f"10.0.0.{number}:80", 2) for number in range(16))
    assert second["locals"] == [f"10.1.1.1:{number}" for number in range(4)]


def test_addresses_of_version_6_are_in_brackets() -> None:
    noted = Contacts(1)
    noted.add(0, _Sock(("::1", 80, 0, 0), ("::1", 5000, 0, 0)))  # type: ignore[arg-type]

    assert noted.to_wire()[0]["remotes"] == [("[::1]:80", 1)]
    assert noted.to_wire()[0]["locals"] == ["[::1]:5000"]


def test_a_connection_that_is_gone_already_counts() -> None:
    noted = Contacts(1)
    with socket.socket() as sock:
        noted.add(0, sock)

    assert noted.to_wire() == [{"endpoint": 0, "connections": 1, "remotes": [], "locals": [], "mount": None}]


@pytest.fixture
def refused_address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address: tuple[str, int] = listener.getsockname()
    return address


def _answer(*headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Length: 0", *headers, "", ""]).encode()


def test_connections_are_noted_once_however_many_operations_they_carry(
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    refused_address: tuple[str, int],
) -> None:
    server = start_server(lambda request, peer: _answer(), endpoints=2)
    addresses = [server.addresses[0], refused_address, server.addresses[1]]
    loop = make_loop(addresses, lanes=6)
    found = []
    for _ in range(2):
        run_loop(addresses, [(GET, "key", 0)] * 90, lanes=6, loop=loop)
        used = {(request.endpoint, request.connection) for request in server.requests}
        found.append((loop.contacts(), len(used), server.connections))

    # Those of the first run are kept, and count in the second, too. One that opens when all is done is not noted.
    for (first, refused, second), carried, opened in found:
        assert carried <= first["connections"] + second["connections"] <= opened
        assert (refused["connections"], refused["remotes"], refused["locals"]) == (0, [], [])
        for contact, (host, port) in ((first, addresses[0]), (second, addresses[2])):
            assert contact["remotes"] == [(f"{host}:{port}", contact["connections"])]
            assert all(local.startswith("127.0.0.1:") for local in contact["locals"])
            assert len(set(contact["locals"])) == min(contact["connections"], 4) > 0


def test_each_connection_counts_where_the_server_closes_them(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: _answer("Connection: close"))
    [(host, port)] = server.addresses
    loop = make_loop(server.addresses, lanes=2)
    run_loop(server.addresses, [(GET, "key", 0)] * 20, lanes=2, loop=loop)
    [contact] = loop.contacts()

    assert contact["connections"] == server.connections >= 20
    assert contact["remotes"] == [(f"{host}:{port}", server.connections)]
    assert len(contact["locals"]) == 4
