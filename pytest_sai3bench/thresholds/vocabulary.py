"""The words of a threshold: what can be measured, of what, and in which units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from pytest_sai3bench.agent.messages import META_OPERATIONS, OPERATIONS
from pytest_sai3bench.units import parse_quantity

if TYPE_CHECKING:
    from pytest_sai3bench.units import Kind

TOTAL = "total"
META = "meta"
ENDPOINTS = "endpoints"
AGENTS = "agents"
PART_KINDS: tuple[PartKind, ...] = ("endpoint", "agent")
WINDOW_KINDS: tuple[WindowKind, ...] = ("each", "last", "steady")

PartKind = Literal["endpoint", "agent"]
WindowKind = Literal["each", "last", "steady"]
Home = Literal["operations", "endpoints", "agents"]
Basis = Literal["service", "response", "ttfb"]

RESPONSE: Basis = "response"
TTFB: Basis = "ttfb"

# What a scope adds up; only these operations carry bytes of objects.
OPERATIONS_OF = {TOTAL: OPERATIONS, META: META_OPERATIONS, **{op: (op,) for op in OPERATIONS}}
BYTE_OPERATIONS = frozenset({"get", "put"})

SCOPES = (*OPERATIONS_OF, ENDPOINTS, AGENTS)

ERROR_METRICS = ("errors", "error_rate")

# Prefixes that stand alone, directly behind their number.
_PREFIXES = frozenset({"k", "K", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"})


@dataclass(frozen=True)
class Metric:
    """One thing a threshold can limit.

    ``home`` says what has it: the operations of any scope and part, the set of endpoints, or agents. ``kind`` is the
    kind of its units. ``percent`` is the percentile it stands for (0 … 100), or 0. ``example`` is a limit as a user
    would write it. ``basis`` says from where to where a latency lasts: from the send or from the instant at which it was
    due, or only to the first byte of the answer.
    """

    name: str
    kind: Kind
    home: Home
    example: str
    percent: float = 0.0
    basis: Basis = "service"

    @property
    def operations(self) -> frozenset[str]:
        """The operations that have it."""
        if self.basis == TTFB:
            return frozenset({"get"})
        return BYTE_OPERATIONS if self.name == "throughput" else frozenset(OPERATIONS)

    @property
    def needs_rate(self) -> bool:
        """Whether it says something only under a rate."""
        return self.basis == RESPONSE or self.name == "achieved_rate"

    @property
    def is_speed(self) -> bool:
        """Whether a load generator that is too slow makes it worse; it makes no errors."""
        return self.home == "operations" and (
            self.kind in ("seconds", "bytes_per_s", "per_s") or self.name == "achieved_rate"
        )

    @property
    def is_latency(self) -> bool:
        """Whether it is read from a distribution of durations, which can be empty."""
        return self.kind == "seconds" and self.home == "operations"

    @property
    def has_median(self) -> bool:
        """Whether values of it can be compared by their ratio: the usual number of errors is 0."""
        return self.home == "operations" and self.name not in (*ERROR_METRICS, "achieved_rate")

    @property
    def has_baseline(self) -> bool:
        """Whether two runs can be compared by it: the maximum is one operation's, and says nothing of all others."""
        return self.has_median and not self.name.endswith("max")

    @property
    def has_windows(self) -> bool:
        """Whether it is known of a part of the measured time: agents tell about themselves at the end."""
        return self.home != "agents" and self.name != "achieved_rate"

    @property
    def samples_needed(self) -> int:
        """Fewest samples that carry it.

        A percentile needs one sample on average beyond it: with 50 samples the p99 is just their maximum, and says
        nothing about one operation in a hundred. Steady numbers need about ten times more; this is the floor.
        """
        return round(100 / (100 - self.percent)) if self.percent else 1


METRICS = {
    metric.name: metric
    for metric in (
        Metric("throughput", "bytes_per_s", "operations", ">= 500 MiB/s"),
        Metric("ops", "per_s", "operations", ">= 1000 ops/s"),
        Metric("count", "number", "operations", ">= 1000"),
        Metric("errors", "number", "operations", "== 0"),
        Metric("error_rate", "percent", "operations", "<= 0.1%"),
        Metric("mean", "seconds", "operations", "< 20 ms"),
        Metric("p50", "seconds", "operations", "< 20 ms", 50),
        Metric("p90", "seconds", "operations", "< 20 ms", 90),
        Metric("p95", "seconds", "operations", "< 20 ms", 95),
        Metric("p99", "seconds", "operations", "< 20 ms", 99),
        Metric("p999", "seconds", "operations", "< 20 ms", 99.9),
        Metric("max", "seconds", "operations", "< 2 s"),
        Metric("achieved_rate", "percent", "operations", ">= 99%"),
        Metric("imbalance", "percent", "endpoints", "<= 5%"),
        Metric("idle", "number", "endpoints", "== 0"),
        Metric("start_skew", "seconds", "agents", "< 20 ms"),
        Metric("cpu", "percent", "agents", "< 80%"),
    )
}
# Other latencies are written with the basis before them: ``response.p99``, ``ttfb.p99``.
BASED: dict[str, dict[str, Metric]] = {
    basis: {
        name: replace(metric, name=f"{basis}.{name}", basis=basis)
        for name, metric in METRICS.items()
        if metric.is_latency
    }
    for basis in (RESPONSE, TTFB)
}
SPELLINGS = {"p99.9": "p999"}

# Words of other tools, and the metric that is meant.
FOREIGN_NAMES = {
    "avg": "mean",
    "average": "mean",
    "median": "p50",
    "latency": "p99",
    "bandwidth": "throughput",
    "iops": "ops",
    "rate": "ops",
}


def scale_of(unit: str) -> Fraction:
    """Return one ``unit`` in base units (bytes/s, 1/s, seconds, and 1 for 100%), exactly."""
    # The shortest text of a float is the decimal it was made from.
    scale = Fraction(str(parse_quantity(f"1 {unit}").value))
    return scale / 100 if unit == "%" else scale


def attach_unit(number: str, unit: str) -> str:
    """Return a number and its unit as a reader expects them: ``20 ms``, ``5%``, ``2k``, ``0``."""
    is_close = unit in ("", "%") or unit.split(maxsplit=1)[0] in _PREFIXES
    return f"{number}{unit}" if is_close else f"{number} {unit}"
