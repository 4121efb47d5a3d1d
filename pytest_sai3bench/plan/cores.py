"""How many processes a host can keep busy, and how what belongs to an agent is divided among them."""

from __future__ import annotations

import os
from pathlib import Path

_TOPOLOGY = Path("/sys/devices/system/cpu")


def physical_cores(topology: Path = _TOPOLOGY) -> int:
    """Return the number of physical cores that this process may use; logical ones where the system does not tell."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    try:
        # Logical cores of one physical core name the same siblings.
        siblings = {
            (topology / f"cpu{number}/topology/thread_siblings_list").read_text() for number in usable
        }
    except OSError:
        return len(usable)
    return len(siblings)


def spread(amount: int, parts: int) -> list[int]:
    """Divide ``amount`` into ``parts`` that differ by at most one; the first ones get the remainder."""
    share, rest = divmod(amount, parts)
    return [share + (part < rest) for part in range(parts)]
