"""Which ``multi_endpoint`` counts for an agent: its own, and for what that leaves out the one of all agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.suite.endpoints import MultiEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.places import Place

_ALIASES = {"endpoint_uris": "endpoints", "load_balance_strategy": "strategy"}


@dataclass(frozen=True)
class Block:
    """A ``multi_endpoint`` as it counts: its values, and for each that is written the place where it is."""

    values: MultiEndpoint
    places: Mapping[str, Place]


def shared_block(suite: Suite) -> Block | None:
    """Return the block of all agents, None when there is none or it is switched off.

    Where there is none, the keys of dl-driver stand for it.
    """
    return _read(suite.multi_endpoint, ("multi_endpoint",)) or _read_aliases(suite)


def own_block(suite: Suite, number: int) -> Block | None:
    """Return the block of agent ``number``, None when there is none or it is switched off.

    Each key counts as a whole: endpoints of the two blocks are never put together.
    """
    agents = suite.distributed.agents if suite.distributed else ()
    own = _read(agents[number].multi_endpoint, ("distributed", "agents", number, "multi_endpoint"))
    shared = shared_block(suite)
    if own is None or shared is None:
        return own
    taken = {key: getattr(shared.values, key) for key in shared.places.keys() - own.places.keys()}
    return Block(own.values.model_copy(update=taken), {**shared.places, **own.places})


def _read(block: MultiEndpoint | None, place: Place) -> Block | None:
    if block is None or not block.enabled:
        return None
    return Block(block, {key: (*place, key) for key in block.model_fields_set})


def aliases(suite: Suite) -> Iterator[tuple[str, Place, object]]:
    """Yield the keys of dl-driver that a suite has: which key of the block each stands for, its place and its value.

    Of two for the same key the later one counts.
    """
    for section, place in ((suite.dataset, ("dataset",)), (suite, ())):
        for alias, key in _ALIASES.items():
            if section is not None and alias in section.model_fields_set:
                yield key, (*place, alias), getattr(section, alias)


def _read_aliases(suite: Suite) -> Block | None:
    places = {key: place for key, place, _ in aliases(suite)}
    values = {key: value for key, _, value in aliases(suite)}
    return Block(MultiEndpoint().model_copy(update=values), places) if values else None
