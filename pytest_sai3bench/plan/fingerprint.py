"""What two runs must have in common for their numbers to be compared, as texts by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_sai3bench.plan.model import RunPlan

# Where something is written, who is told about it, and what is the consequence of something else.
_LEFT_OUT = frozenset(
    {
        "origin",
        "strategy_origin",
        "where",
        "env",
        "op_log_bytes",
        "worker",
        "workers",
        "seed",
        "sharers",
        "share",
        "shares",
    }
)


def fingerprint(plan: RunPlan) -> dict[str, str]:
    """Return what a plan asks for: agents, endpoints and load. What is the same for all workers is there once.

    Neither secrets nor the files of certificates are in it, nor the places of embedded endpoints.
    """
    workers = [(worker["agent"], dict(_flatten(worker))) for worker in plan.to_document()["workers"]]
    found = {
        "agents": ", ".join(dict.fromkeys(agent for agent, _ in workers)),
        "endpoints": ", ".join(endpoint.uri for endpoint in plan.endpoints),
        "tls.verify": "" if plan.tls is None else str(plan.tls.verify),
    }
    for name in dict.fromkeys(name for _, values in workers for name in values):
        known = {values.get(name) for _, values in workers}
        if len(known) == 1:
            found[name] = str(known.pop())
        else:
            found |= {f"{agent}.{name}": values[name] for agent, values in workers if name in values}
    return found


def _flatten(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, part in value.items():
            if name not in _LEFT_OUT:
                yield from _flatten(part, f"{place}.{name}" if place else name)
    elif isinstance(value, (list, tuple)):
        for number, part in enumerate(value, 1):
            yield from _flatten(part, f"{place}[{number}]")
    else:
        yield place, str(value)
