"""Offsets between monotonic clocks, from ping-pong samples, and the time that a common start needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# From the first order to the common start: it has to reach every agent before, on hosts that are busy.
_LEAD_NS = 200_000_000
_LEAD_EACH_NS = 1_000_000


@dataclass(frozen=True)
class ClockSample:
    """One round trip: sent and received on our clock, answered on the agent's; nanoseconds."""

    sent_ns: int
    agent_ns: int
    received_ns: int


@dataclass(frozen=True)
class ClockOffset:
    """The agent's clock minus ours, true to ± ``error_ns``."""

    offset_ns: int
    error_ns: int

    def to_agent(self, our_ns: int) -> int:
        """Return an instant of our clock on the agent's."""
        return our_ns + self.offset_ns


def estimate_offset(samples: Sequence[ClockSample]) -> ClockOffset:
    """Return the offset from the sample with the shortest round trip.

    The answer was given between sending and receiving; the middle is the best guess, and it is wrong by at most half the
    round trip (Cristian's algorithm).
    """
    best = min(samples, key=lambda sample: sample.received_ns - sample.sent_ns)
    round_trip = best.received_ns - best.sent_ns
    half = round_trip // 2
    return ClockOffset(best.agent_ns - best.sent_ns - half, round_trip - half)


def lead_ns(clocks: Collection[ClockOffset]) -> int:
    """Return how long before a common start it has to be ordered; nanoseconds.

    Workers are told one after the other, and an order is on its way for half a round trip, of which the error of the
    clock is the shortest there was.
    """
    return _LEAD_NS + _LEAD_EACH_NS * len(clocks) + 4 * max(clock.error_ns for clock in clocks)
