"""What a threshold came to: frozen values that reports and failure texts show as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest_sai3bench.errors import Location

Outcome = Literal["passed", "failed", "inconclusive"]
Severity = Literal["fail", "warn"]
Effect = Literal["passed", "failed", "xfailed", "warned", "inconclusive"]


@dataclass(frozen=True)
class Row:
    """What one endpoint or agent showed of the limited metric; the worst of all is marked."""

    name: str
    value: str
    worst: bool = False


@dataclass(frozen=True)
class Verdict:
    """The outcome of one threshold in one run.

    ``measured`` is in base units (bytes/s, 1/s, seconds; 1 is 100%) and None when nothing was measured;
    ``measured_text`` shows it in the unit of the rule, with as many digits as it takes to tell it from the limit.
    ``margin`` is (measured - bound) / bound for the nearest bound: positive above it, None for a bound of 0.
    ``samples`` counts what the value rests on. ``reason`` is a sentence, empty when passed. ``rows`` are there for
    failed rules when more than one endpoint (or agent) could be the culprit. ``window`` says from when to when it was
    measured, counted from the begin of the measured time; it is empty for the whole of it. ``stage`` names the stage that
    was judged where several run the workload.
    """

    id: str
    text: str
    location: Location | None
    severity: Severity
    xfail: str | None
    outcome: Outcome
    limit_text: str
    measured: float | None = None
    measured_text: str = ""
    margin: float | None = None
    samples: int = 0
    reason: str = ""
    rows: tuple[Row, ...] = ()
    window: str = ""
    stage: str = ""

    @property
    def effect(self) -> Effect:
        """The outcome, seen with what was to be expected and how severe it is: what a session counts."""
        if self.outcome == "failed" and self.xfail is not None:
            return "xfailed"
        return "warned" if self.outcome == "failed" and self.severity == "warn" else self.outcome
