"""When endpoints were left out by the workers that drove them, see `pytest_sai3bench.agent.health`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_sai3bench.results.merge import WorkerOutcome

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Outage:
    """A time for which one worker process of an agent left an endpoint out.

    ``kind`` is ``paused`` (a burst of errors), ``silent`` or ``ejected``. ``begin_s`` counts from the begin of the window
    and is negative before it; ``began_at`` is the same instant in seconds since the epoch, by the controller's clock.
    It ``ended`` when the endpoint worked again, or else ``duration_s`` lasts to the end of the load. ``tries`` is how
    often the endpoint was tried in vain meanwhile.
    """

    agent: str
    worker: int
    endpoint: str
    kind: str
    reason: str
    begin_s: float
    began_at: float
    duration_s: float
    ended: bool
    tries: int


def read_outages(outcomes: Iterable[WorkerOutcome]) -> tuple[Outage, ...]:
    """Return what all workers reported, in the order of time; a worker that was lost has not told."""
    found = (outage for outcome in outcomes for outage in _read(outcome))
    return tuple(sorted(found, key=lambda outage: outage.began_at))


def _read(outcome: WorkerOutcome) -> Iterator[Outage]:
    result = outcome.result
    if result is None:
        return
    for wire in result["outages"]:
        began_ns, ended = wire["began_ns"], wire["ended_ns"] >= 0
        ended_ns = wire["ended_ns"] if ended else max(began_ns, result["ended_ns"])
        yield Outage(
            agent=outcome.agent,
            worker=outcome.worker,
            endpoint=outcome.endpoints[wire["endpoint"]],
            kind=wire["kind"],
            reason=wire["reason"],
            begin_s=(began_ns - result["window_ns"][0]) / _NS_PER_S,
            began_at=(began_ns - outcome.clock_offset_ns + outcome.epoch_ns) / _NS_PER_S,
            duration_s=(ended_ns - began_ns) / _NS_PER_S,
            ended=ended,
            tries=wire["tries"],
        )
