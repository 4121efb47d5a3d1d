"""Who wants to know how a run goes while it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult


class Observer:
    """Is told what happens in a run; a subclass overrides what it wants to hear.

    All calls come from the thread of the run, between two messages: none may take long.
    """

    def began(self, stage: int, start_ns: int) -> None:
        """All workers will begin the load of stage ``stage`` of the plan at ``start_ns`` of this host's monotonic clock."""

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        """Take what a worker added; seconds in which nothing completed or failed have no tick."""

    def settled(self, worker: WorkerPlan, interval: int | None) -> None:
        """Note that a worker has told all about the intervals before ``interval``, or all there is: it ended or is lost."""

    def counted_cpu(self, agent: str, counters: Sequence[int]) -> None:
        """Take the counters of an agent's host, see `agent.host_cpu.read_host_cpu`; once a second, if it has any."""

    def logged(self, agent: str, piece: bytes) -> None:
        """Take a piece of an agent's log of operations, a gzip file of lines; it sends no more than four unasked."""

    def pulse(self) -> None:
        """Look at the clock: called several times a second, whether there are ticks or not."""

    def objection(self) -> str:
        """Return why the stage has to end before its time, empty as long as it may go on; asked after every message."""
        return ""

    def ended(self, phase: PhaseResult) -> None:
        """Take the result of the stage that began last, as far as it came."""
