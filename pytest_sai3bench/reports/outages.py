"""Endpoints that were left out for a time: a table of every time, and a line on each endpoint."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pytest_sai3bench.reports.tsv import Column, Table
from pytest_sai3bench.results.outages import Outage
from pytest_sai3bench.units import format_seconds

if TYPE_CHECKING:
    from pytest_sai3bench.results.model import PhaseResult

ENDPOINT_EVENTS = Table[Outage](
    "endpoint_events",
    (
        Column("agent_id", "id of the agent", lambda outage: outage.agent),
        Column(
            "worker", "number of the worker process in the run, from 0", lambda outage: str(outage.worker)
        ),
        Column("endpoint_uri", "as written in the suite", lambda outage: outage.endpoint),
        Column(
            "event",
            "why it was left out: `paused` for a burst of errors, `silent`, or `ejected`",
            lambda outage: outage.kind,
        ),
        Column(
            "begin_s",
            "from when on, s from the begin of the window; negative in the warm-up",
            lambda outage: f"{outage.begin_s:.3f}",
        ),
        Column(
            "began_at",
            "the same by the clock of the controller, UTC",
            lambda outage: datetime.fromtimestamp(outage.began_at, timezone.utc).isoformat(
                timespec="milliseconds"
            ),
        ),
        Column(
            "duration_s",
            "until it worked again, or until the end, s",
            lambda outage: f"{outage.duration_s:.3f}",
        ),
        Column("ended", "`yes` when it worked again", lambda outage: "yes" if outage.ended else "no"),
        Column("tries", "operations that tried it in vain meanwhile", lambda outage: str(outage.tries)),
        Column("reason", "what it had done", lambda outage: outage.reason),
    ),
)


def outage_lines(phase: PhaseResult) -> list[str]:
    """Return a line on each endpoint that was left out, for every reason; the first time stands for all."""
    groups: dict[tuple[str, str], list[Outage]] = {}
    for outage in phase.outages:
        groups.setdefault((outage.endpoint, outage.kind), []).append(outage)
    return [_line(phase, outages) for outages in groups.values()]


def _line(phase: PhaseResult, outages: list[Outage]) -> str:
    first = outages[0]
    times = "" if len(outages) == 1 else f" {len(outages)} times"
    by = f" by {first.agent}" if len(phase.agents) > 1 and len({each.agent for each in outages}) == 1 else ""
    total = format_seconds(sum(each.duration_s for each in outages))
    span = f"for {total}" if len(outages) == 1 else f"for {total} in all, first"
    end = "" if all(each.ended for each in outages) else ", until the end"
    reason = " ".join(first.reason.split())
    return f"{first.kind}{times}{by}: {first.endpoint} {span} at {first.begin_s:.1f} s{end}: {reason}"
