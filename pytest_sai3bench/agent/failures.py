"""What is done about endpoints that fail, and which failures are theirs."""

from __future__ import annotations

from typing import Any, NamedTuple

# Failures that say nothing against the endpoint: it has answered this request, and in order.
_OF_REQUESTS = frozenset(
    {"corrupt", "truncated", "wrong-object", "missing", "denied", "no-space", "read-only"}
    # System calls that fail because of the file.
    | {"eisdir", "enotdir", "eexist", "enotempty", "efbig", "enametoolong", "eloop", "einval"}
)


# A storage that stalls for a second is no longer used, one that does for five is ejected.
_SILENCES_TO_EJECT = 5


class Rules(NamedTuple):
    """What is done about an endpoint that fails (``fail``, ``continue`` or ``eject``), and when; times in ns."""

    failure: str
    eject_after: int
    eject_ns: int
    suspect_ns: int

    @property
    def give_up_ns(self) -> int:
        """How long an endpoint may be silent before it is ejected, where that is done at all."""
        return _SILENCES_TO_EJECT * self.suspect_ns


def make_rules(wire: dict[str, Any]) -> Rules:
    """Return the rules in a worker's plan."""
    return Rules(
        wire["failure"],
        wire["eject_after"],
        int(wire["eject_time_s"] * 1e9),
        int(wire["suspect_after_s"] * 1e9),
    )


def speaks_against_endpoint(kind: str) -> bool:
    """Tell whether a failure of this kind is one of the endpoint, and not of the single request or object."""
    return kind.startswith("http-5") if kind.startswith("http-") else kind not in _OF_REQUESTS
