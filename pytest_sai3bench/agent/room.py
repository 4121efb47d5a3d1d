"""What a host has left: memory for its workers, and room where prepare writes files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .contacts import contacts_of_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .messages import RoomWire


def available_memory(proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> int:
    """Return the bytes that programs may still take without swapping, 0 where the system does not tell.

    In a container that is what its limit leaves; what its files have in the page cache can be had, too.
    """
    try:
        available = _read(f"{proc}/meminfo")["MemAvailable:"] << 10
    except (OSError, KeyError, ValueError):
        return 0
    try:
        with open(f"{proc}/self/cgroup", encoding="ascii") as lines:
            group = next(line.rstrip("\n")[3:] for line in lines if line.startswith("0::"))
        folder = cgroups + group.rstrip("/")
        limit, used = (_number(f"{folder}/memory.{name}") for name in ("max", "current"))
        cached = _read(f"{folder}/memory.stat")["inactive_file"]
    except (OSError, StopIteration, KeyError, ValueError):
        # No limit, or a system that has other ones.
        return available
    return max(0, min(available, limit - used + cached))


def rooms_of_folders(roots: Sequence[str], writes: Sequence[int]) -> list[RoomWire]:
    """Return what is free in the file system of each folder of ``roots``, and how many bytes are to be written there."""
    rooms: dict[tuple[str, bool], RoomWire] = {}
    for contact, root, size in zip(contacts_of_folders(roots), roots, writes):
        mount = contact["mount"]
        # A network file system is the same for all hosts that have mounted it.
        distant = mount is not None and bool(mount["address"])
        try:
            name = mount["source"] if mount is not None and distant else str(os.stat(root).st_dev)
            status = os.statvfs(root)
        except OSError:
            # It is gone, as the first put will find.
            continue
        room = rooms.setdefault(
            (name, distant),
            {
                "endpoint": contact["endpoint"],
                "name": name,
                "distant": distant,
                "free": status.f_bavail * status.f_frsize,
                "writes": 0,
            },
        )
        room["writes"] += size
    return [room for room in rooms.values() if room["writes"]]


def _read(path: str) -> dict[str, int]:
    with open(path, encoding="ascii") as lines:
        return {line.split()[0]: int(line.split()[1]) for line in lines}


def _number(path: str) -> int:
    with open(path, encoding="ascii") as text:
        return int(text.read())
