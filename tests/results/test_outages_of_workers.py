from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pytest_sai3bench.results.merge import WorkerOutcome
from pytest_sai3bench.results.outages import Outage, read_outages
from pytest_sai3bench.results.sums import Reporter
from pytest_sai3bench.results.ticks import Ticks

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import OutageWire, ResultWire

S = 1_000_000_000
A, B = "s3://a/bucket/", "s3://b/bucket/"


def outcome(
    agent: str, worker: int, offset_s: int, *outages: OutageWire, lost: bool = False
) -> WorkerOutcome:
    """Return what is known of a worker whose clock is ``offset_s`` before that of a controller that started at 1,000,000."""
    result = {
        "window_ns": [(105 + offset_s) * S, (115 + offset_s) * S],
        "ended_ns": (117 + offset_s) * S,
        "outages": list(outages),
    }
    return WorkerOutcome(
        agent=agent,
        worker=worker,
        host="h",
        python="3.12",
        lanes=4,
        clock_offset_ns=offset_s * S,
        clock_error_ns=1,
        endpoints=(A, B),
        # The other keys do not matter here.
        result=None if lost else cast("ResultWire", result),
        ticks=Ticks(Reporter(agent, (A, B))),
        epoch_ns=1_000_000 * S,
    )


def wire(endpoint: int, kind: str, began_s: float, ended_s: float, tries: int = 0) -> OutageWire:
    return {
        "endpoint": endpoint,
        "kind": kind,
        "reason": f"{kind} for a reason",
        "began_ns": int(began_s * S),
        "ended_ns": int(ended_s * S) if ended_s >= 0 else -1,
        "tries": tries,
    }


def test_outages_are_in_the_order_of_the_controllers_time_whatever_the_agents_clocks_say() -> None:
    first = outcome("a1", 0, 7000, wire(0, "ejected", 7106, 7108.5), wire(1, "silent", 7103, 7104))
    second = outcome("a2", 1, -50, wire(1, "paused", 54, -1, 2))

    assert read_outages([first, second]) == (
        Outage("a1", 0, B, "silent", "silent for a reason", -2.0, 1_000_103.0, 1.0, True, 0),
        Outage("a2", 1, B, "paused", "paused for a reason", -1.0, 1_000_104.0, 13.0, False, 2),
        Outage("a1", 0, A, "ejected", "ejected for a reason", 1.0, 1_000_106.0, 2.5, True, 0),
    )


def test_a_worker_that_was_lost_has_none() -> None:
    assert read_outages([outcome("a1", 0, 0, lost=True)]) == ()


def test_one_that_began_at_the_very_end_has_no_length() -> None:
    [outage] = read_outages([outcome("a1", 0, 0, wire(0, "ejected", 118, -1))])
    assert (outage.duration_s, outage.ended) == (0.0, False)
