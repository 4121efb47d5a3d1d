"""Reading what a threshold limits: words of its dotted path, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.rules import Part
from pytest_sai3bench.thresholds.scanner import Scanner
from pytest_sai3bench.thresholds.suggestions import complete, enumerate_words, suggest_metric, suggest_scope
from pytest_sai3bench.thresholds.vocabulary import (
    AGENTS,
    BASED,
    ENDPOINTS,
    METRICS,
    OPERATIONS_OF,
    PART_KINDS,
    SCOPES,
    SPELLINGS,
    TOTAL,
    TTFB,
    Metric,
)

if TYPE_CHECKING:
    from pytest_sai3bench.thresholds.scanner import Segment


class Subjects(Scanner):
    """Reads the words of a path as part, scope and metric."""

    def part(self, segment: Segment) -> Part:
        """Return the part that ``segment`` names: one endpoint or agent, or each of them."""
        for kind in PART_KINDS:
            if segment.name == "each" and (segment.opening, segment.argument) == ("(", kind):
                return Part(kind)
            if segment.name == kind and segment.opening == "[" and segment.argument:
                return Part(kind, segment.argument)
        if segment.name == "each":
            raise self.error(f"'{segment}' is not known: write each(endpoint) or each(agent)", segment.column)
        name = "URI" if segment.name == "endpoint" else "id"
        raise self.error(
            f"'{segment}' does not say which: write {segment.name}[1], {segment.name}[{name}] or each({segment.name})",
            segment.column,
        )

    def metric(self, segment: Segment) -> Metric:
        """Return the metric that ``segment`` names."""
        name = SPELLINGS.get(segment.name, segment.name)
        if name in METRICS and not segment.opening:
            return METRICS[name]
        if name in METRICS:
            raise self.error(f"'{segment}' has brackets too many: write {name}", segment.column)
        if name in BASED:
            meant = enumerate_words((f"{segment}.{latency}" for latency in BASED[name]), "or")
            raise self.error(f"a metric is missing after '{segment}': write {meant}", segment.column)
        if name in (*SCOPES, *PART_KINDS, "each"):
            raise self.error(
                f"a metric is missing after '{segment}': {complete(name, str(segment))}", segment.column
            )
        raise self.error(f"'{name}' is not a metric; {suggest_metric(name)}", segment.column)

    def based(self, metric: Metric, segment: Segment) -> Metric:
        """Return the ``metric`` on the basis that ``segment`` names, which only latencies have."""
        latencies = BASED[segment.name]
        if metric.name in latencies and not segment.opening:
            return latencies[metric.name]
        raise self.error(
            f"'{segment}' stands before latencies only: write {segment.name}.{enumerate_words(latencies, 'or')}",
            segment.column,
        )

    def scope(self, segment: Segment | None, part: Part | None, metric: Metric) -> str:
        """Return the scope that ``segment`` names, or what is meant without one."""
        if segment is None:
            # An agent's own numbers need no further scope.
            return AGENTS if part and part.kind == "agent" and metric.home == "agents" else TOTAL
        if segment.name in SCOPES and segment.opening:
            raise self.error(
                f"'{segment}' has brackets too many: write {segment.name}.{metric.name}",
                segment.column,
            )
        if part and segment.name in (ENDPOINTS, AGENTS, "each", *PART_KINDS):
            raise self.error(f"'{segment}' cannot follow {part}: write {part}.{metric.name}", segment.column)
        if segment.name not in SCOPES:
            raise self.error(
                f"'{segment.name}' is not a scope; {suggest_scope(segment.name)}", segment.column
            )
        return segment.name

    def check_home(self, metric: Metric, scope: str, part: Part | None, column: int) -> None:
        """Raise `RuleError` when what ``scope`` and ``part`` name has no such metric."""
        name = metric.name
        if metric.home == "endpoints" and (scope != ENDPOINTS or part):
            raise self.error(f"{name} belongs to the set of endpoints: write endpoints.{name}", column)
        if metric.home == "agents" and scope != AGENTS:
            raise self.error(
                f"{name} belongs to agents: write agents.{name}, agent[1].{name} or each(agent).{name}",
                column,
            )
        if metric.home == "operations" and scope in (ENDPOINTS, AGENTS):
            own = enumerate_words(known.name for known in METRICS.values() if known.home == scope)
            raise self.error(
                f"'{scope}' has {own} only: for the {name} of every {scope[:-1]} write each({scope[:-1]}).{name}",
                column,
            )
        if name == "achieved_rate" and (scope != TOTAL or (part and part.kind == "endpoint")):
            raise self.error(
                f"a rate is one of all operations: write total.{name} or each(agent).{name}", column
            )
        if metric.home == "operations" and not metric.operations.intersection(OPERATIONS_OF[scope]):
            if metric.basis == TTFB:
                raise self.error(f"only gets have a time to first byte: write get.{name}", column)
            raise self.error(f"{scope} moves no bytes: throughput belongs to total, get and put", column)
