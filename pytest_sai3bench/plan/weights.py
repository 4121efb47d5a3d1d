"""The weight of each endpoint of a set, from what the suite says in either form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.ranges import expand_ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def weights_of(
    strategy: str, written: Sequence[float] | Mapping[str, float] | None, uris: Sequence[str]
) -> tuple[float, ...]:
    """Return a weight for each of the endpoints ``uris``, nothing for strategies without; ValueError says what is wrong.

    A mapping may name endpoints that other agents drive, and ranges of them.
    """
    if strategy != "weighted":
        return ()
    if written is None:
        raise ValueError(
            "'strategy: weighted' needs weights: expected 'weights' with a number for each endpoint"
        )
    if isinstance(written, dict):
        known = {
            uri.rstrip("/"): float(weight) for text, weight in written.items() for uri in expand_ranges(text)
        }
        without = next((uri for uri in uris if uri.rstrip("/") not in known), None)
        if without is not None:
            raise ValueError(f"there is no weight for {without}: expected one for each endpoint")
        return tuple(known[uri.rstrip("/")] for uri in uris)
    if len(written) != len(uris):
        raise ValueError(
            f"{len(written)} weights for {len(uris)} endpoints: expected one for each, in their order"
        )
    return tuple(map(float, written))
