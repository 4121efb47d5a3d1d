"""The times for which endpoints were left out, for the reader of the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import OutageWire

# Why an endpoint is left out: a burst of errors, no sign of life, or failures under `endpoint_failure: eject`.
PAUSED, SILENT, EJECTED = "paused", "silent", "ejected"
# What is more than this is only counted: an endpoint that comes and goes must not fill the memory.
_MOST = 1000


class Outages:
    """Every time that an endpoint was left out, until it worked again; ``uncounted`` are those beyond the first 1,000."""

    def __init__(self) -> None:
        self.uncounted = 0
        self._all: list[OutageWire] = []
        self._open: dict[int, OutageWire] = {}

    def begin(self, endpoint: int, kind: str, now_ns: int, reason: str) -> None:
        """Note that an endpoint is left out; one that has not worked since the last time is still out."""
        outage = self._open.get(endpoint)
        if outage is None:
            outage = {
                "endpoint": endpoint,
                "kind": kind,
                "reason": reason,
                "began_ns": now_ns,
                "ended_ns": -1,
                "tries": 0,
            }
            self._open[endpoint] = outage
            if len(self._all) < _MOST:
                self._all.append(outage)
            else:
                self.uncounted += 1
        elif outage["kind"] != kind:
            outage["kind"], outage["reason"] = kind, reason

    def fail_again(self, endpoint: int) -> None:
        """Note that an endpoint was tried again without success."""
        self._open[endpoint]["tries"] += 1

    def end(self, endpoint: int, now_ns: int) -> None:
        """Note that an endpoint works again."""
        self._open.pop(endpoint)["ended_ns"] = now_ns

    def reason(self, endpoint: int) -> str:
        """Return why an endpoint is out."""
        outage = self._open[endpoint]
        return f"{outage['kind']}: {outage['reason']}"

    def to_wire(self) -> list[OutageWire]:
        """Return all of them as builtins, in the order in which they began."""
        return list(self._all)
