"""Which event loop does what a plan asks for: each feature is a class of its own, so that none costs those without it."""

from __future__ import annotations

from functools import cache

from .crowding import BoundedLoop
from .gated_loop import GatedLoop
from .http_loop import HttpLoop
from .logged_loop import LoggedLoop


@cache
def choose_loop(*, logged: bool, bounded: bool, gated: bool) -> type[HttpLoop]:
    """Return the class of an event loop with these features: a log, bounds on connections, gates for operations."""
    # The log has to hear first that a lane goes on, since what is in line may begin then. What waits for a connection
    # has been let through its gates, so it goes before what waits for those.
    features: tuple[tuple[bool, type[HttpLoop]], ...] = (
        (logged, LoggedLoop),
        (bounded, BoundedLoop),
        (gated, GatedLoop),
    )
    bases = tuple(loop for wanted, loop in features if wanted)
    if len(bases) > 1:
        return type("".join(base.__name__.replace("Loop", "") for base in bases) + "Loop", bases, {})
    return bases[0] if bases else HttpLoop
