"""How many processes a host can keep busy."""

from __future__ import annotations

import os

_TOPOLOGY = "/sys/devices/system/cpu"


def physical_cores(topology: str = _TOPOLOGY) -> int:
    """Return the number of physical cores that this process may use; logical ones where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    siblings = set()
    try:
        # Logical cores of one physical core name the same siblings.
        for number in usable:
            with open(f"{topology}/cpu{number}/topology/thread_siblings_list", encoding="ascii") as names:
                siblings.add(names.read())
    except OSError:
        return len(usable)
    return len(siblings)
