"""How many processes the hosts of agents can keep busy, and how what belongs to an agent is divided among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.agent.cores import physical_cores

if TYPE_CHECKING:
    from pytest_sai3bench.plan.model import HostPlan


def known_cores(host: HostPlan) -> int | None:
    """Return the physical cores of a host, None when it would have to be asked."""
    return physical_cores() if host.is_here else None


def spread(amount: int, parts: int) -> list[int]:
    """Divide ``amount`` into ``parts`` that differ by at most one; the first ones get the remainder."""
    share, rest = divmod(amount, parts)
    return [share + (part < rest) for part in range(parts)]
