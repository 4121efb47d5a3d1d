"""The text of a threshold → a `Rule`, or a `RuleError` that says what would be right.

::

    rule       = [part "."] [scope "."] metric comparison
    part       = "each(" kind ")"  |  kind "[" name or index "]"          kind = "endpoint" | "agent"
    scope      = "total" | operation | "meta" | "endpoints" | "agents"
    comparison = ("<" | "<=" | ">" | ">=" | "==") amount
               | "between" amount "and" amount  |  "within" number "%" "of" amount
               | ("<" | "<=" | ">" | ">=") number "%" "of" "median"  |  "within" number "%" "of" "median"
    amount     = number [unit]

What depends on the workload (is there a put at all?) is not checked here but in `collection`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.rules import (
    OPERATORS,
    Amount,
    Between,
    Limit,
    OfMedian,
    Part,
    Rule,
    Source,
    Within,
)
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
from pytest_sai3bench.units import parse_quantity

if TYPE_CHECKING:
    from pytest_sai3bench.thresholds.rules import Comparison
    from pytest_sai3bench.thresholds.scanner import Segment
    from pytest_sai3bench.units import Kind

_NUMERAL = re.compile(r"[0-9][0-9.,_]*(?: [0-9]{3}(?![0-9]))*")
_NUMBER = re.compile(
    r"(?:[0-9]{1,3}(?P<separator>[,_ ])[0-9]{3}(?:(?P=separator)[0-9]{3})*|[0-9]+)(?:\.[0-9]+)?"
)
# A prefix may stand apart from its unit, as in "2k ops/s".
_UNIT = re.compile(r"(?![0-9]|(?:and|of|abort)\b)(?:[kKMGT]i?\s+(?=[a-z]*/s))?[\w/%]+")
_OPERATOR = re.compile(r"[<>=!]+")
_UNSUPPORTED = re.compile(r"@\w*(?:\([^)]*\))?|abort\s+after\b|(?:of\s+|\*\s*)?baseline\b(?:\([^)]*\))?")
_OF_MEDIAN = re.compile(r"[0-9][0-9.,_ ]*%\s+of\s+median(?!\w)")
_LONE_MEDIAN = re.compile(r"(?:\*\s*)?median(?!\w)")

_MEANT_OPERATOR = {"=": "==", "=<": "<=", "=>": ">=", "===": "=="}
_WHOLE = Amount(Decimal(100), "%")
_COMPARISONS = "write < <= > >= ==, between A and B, or within X% of V"
_NOUNS: dict[Kind, str] = {
    "bytes_per_s": "throughput",
    "per_s": "rate",
    "seconds": "time",
    "percent": "share",
    "number": "count",
}
_UNITS: dict[Kind, tuple[str, ...]] = {
    "bytes_per_s": (" MiB/s", " MB/s"),
    "per_s": (" /s", " ops/s"),
    "seconds": (" ms", " s"),
    "percent": ("%",),
    "number": ("",),
}


# The suites of one folder tend to have the same rules.
@lru_cache(maxsize=4096)
def parse(text: str) -> Rule:
    """Return the rule that ``text`` writes, or raise `RuleError`."""
    return _Parser(text).rule()


class _Parser(Scanner):
    """A recursive descent: every method reads its part of the rule, and fails at the column of what is wrong."""

    def rule(self) -> Rule:
        if not self.rest:
            raise self.error("the rule is empty: write for example get.p99 < 20 ms")
        segments = self.path()
        *before, last = segments
        part_at = before.pop(0) if before and before[0].name in ("each", *PART_KINDS) else None
        part = self.part(part_at) if part_at else None
        basis_at = before.pop() if before and before[-1].name in BASED else None
        metric = self.metric(last)
        if basis_at:
            metric = self.based(metric, basis_at)
        scope_at = before.pop(0) if before else None
        if before:
            meant = ".".join(str(each) for each in (part_at, scope_at, basis_at, last) if each)
            raise self.error(f"'{before[0]}' does not belong here: write {meant}", before[0].column)
        scope = self.scope(scope_at, part, metric)
        self.check_home(metric, scope, part, (scope_at or basis_at or last).column)
        comparison = self.comparison(metric, part, ".".join(map(str, segments)))
        self.refuse_unsupported()
        if self.rest:
            raise self.error(f"unexpected '{self.rest}': the rule is complete before it")
        source = Source(self.text, (part_at or last).column, (scope_at or basis_at or last).column)
        return Rule(scope, metric, comparison, part, source)

    def part(self, segment: Segment) -> Part:
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
        latencies = BASED[segment.name]
        if metric.name in latencies and not segment.opening:
            return latencies[metric.name]
        raise self.error(
            f"'{segment}' stands before latencies only: write {segment.name}.{enumerate_words(latencies, 'or')}",
            segment.column,
        )

    def scope(self, segment: Segment | None, part: Part | None, metric: Metric) -> str:
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

    def comparison(self, metric: Metric, part: Part | None, subject: str) -> Comparison:
        column = self.column
        if self.take_word("between"):
            low = self.amount(metric.kind, f"{metric.name} {metric.example}")
            if not self.take_word("and"):
                raise self.error(f"'and' is missing: write between {low} and a second value")
            high = self.amount(metric.kind, f"{metric.name} {metric.example}")
            if low.value > high.value:
                raise self.error(f"the smaller value comes first: write between {high} and {low}", column)
            return Between(low, high)
        if self.take_word("within"):
            share = self.amount("percent", f"{metric.name} within 5% of a value")
            if not self.take_word("of"):
                raise self.error(f"'of' is missing: write within {share} of a value")
            if self.take_word("median"):
                self.check_median(metric, part, subject, column)
                return OfMedian(Within(share, _WHOLE))
            return Within(share, self.amount(metric.kind, f"{metric.name} {metric.example}"))
        found = self.take(_OPERATOR)
        if found == "==" and metric.kind != "number":
            raise self.error(
                f"== asks for exact equality, which fits counts only: {_COMPARISONS.replace(' ==', '')}",
                column,
            )
        if found in OPERATORS and _OF_MEDIAN.match(self.text, self.position):
            if found == "==":
                raise self.error("a share of the median is hardly ever exact: write <, <=, > or >=", column)
            self.check_median(metric, part, subject, self.column)
            share = self.amount("percent", "")
            self.take_word("of")
            self.take_word("median")
            return OfMedian(Limit(found, share))
        if found in OPERATORS:
            return Limit(found, self.amount(metric.kind, f"{metric.name} {metric.example}"))
        if found:
            meant = f"did you mean '{_MEANT_OPERATOR[found]}'?" if found in _MEANT_OPERATOR else _COMPARISONS
            raise self.error(f"'{found}' is not a comparison; {meant}", column)
        self.refuse_unsupported()
        if self.rest:
            raise self.error(f"'{self.rest}' is not a comparison; {_COMPARISONS}")
        raise self.error(f"a comparison is missing: write {subject} {metric.example}")

    def check_median(self, metric: Metric, part: Part | None, subject: str, column: int) -> None:
        if not metric.has_median:
            raise self.error(f"{metric.name} is not compared with a median: write a fixed limit", column)
        if part is None or part.name is not None:
            _, _, rest = subject.rpartition(f"{part}.")
            raise self.error(
                f"the median is that of all endpoints or agents: write each(endpoint).{rest} or each(agent).{rest}",
                column,
            )

    def refuse_unsupported(self) -> None:
        column = self.column
        if found := self.take(_UNSUPPORTED):
            raise self.error(f"'{found}' is not supported by this version", column)
        if found := self.take(_LONE_MEDIAN):
            raise self.error(
                f"'{found}' does not say how much of it: write for example 85% of median", column
            )

    def amount(self, wanted: Kind, example: str) -> Amount:
        self.refuse_unsupported()
        column = self.column
        numeral = self.take(_NUMERAL)
        if not numeral:
            found = f"'{self.rest}' is not a number" if self.rest else "the limit is missing"
            raise self.error(f"{found}: write for example {example}")
        if not _NUMBER.fullmatch(numeral):
            raise self.error(f"'{numeral}' is not a number: write 1500, 1,500 or 1.5", column)
        unit_column = self.column
        unit = " ".join(self.take(_UNIT).split())
        # Ahead of the unit: in "95% of baseline" the unit is right although the metric is no share.
        self.refuse_unsupported()
        write = f"write {enumerate_words((numeral + known for known in _UNITS[wanted]), 'or')}"
        noun = _NOUNS[wanted]
        kind = _kind_of(unit)
        if wanted == "number" and kind != "number":
            raise self.error(f"a {noun} has no unit: {write}", unit_column)
        if not unit and kind != wanted:
            raise self.error(f"a {noun} needs a unit: {write}", column)
        if kind != wanted:
            raise self.error(f"'{unit}' is not a unit of {noun}: {write}", unit_column)
        amount = Amount(Decimal(re.sub("[,_ ]", "", numeral)), unit)
        if wanted == "number" and amount.value.denominator != 1:
            raise self.error(f"a {noun} is a whole number, not {amount}", column)
        return amount


def _kind_of(unit: str) -> Kind | None:
    try:
        return parse_quantity(f"1 {unit}").kind
    except ValueError:
        return None
