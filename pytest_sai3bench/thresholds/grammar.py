"""The text of a threshold → a `Rule`, or a `RuleError` that says what would be right.

::

    rule       = [part "."] [scope "."] metric comparison [window] ["abort" "after" time]
    part       = "each(" kind ")"  |  kind "[" name or index "]"          kind = "endpoint" | "agent"
    scope      = "total" | operation | "meta" | "endpoints" | "agents"
    comparison = ("<" | "<=" | ">" | ">=" | "==") amount
               | "between" amount "and" amount  |  "within" number "%" "of" (amount | reference)
               | ("<" | "<=" | ">" | ">=") number "%" "of" reference
    reference  = "median"  |  "baseline" ["(" name ")"]
    window     = "@each(" time ")"  |  "@last(" time ")"  |  "@steady"
    amount     = number [unit]

What depends on the workload (is there a put at all?) is not checked here but in `collection`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.amounts import Amounts
from pytest_sai3bench.thresholds.rules import (
    OPERATORS,
    Amount,
    Between,
    Limit,
    OfBaseline,
    OfMedian,
    Part,
    Rule,
    RuleError,
    Source,
    Window,
    Within,
)
from pytest_sai3bench.thresholds.subjects import Subjects
from pytest_sai3bench.thresholds.suggestions import suggest
from pytest_sai3bench.thresholds.vocabulary import BASED, PART_KINDS, WINDOW_KINDS, Metric

if TYPE_CHECKING:
    from pytest_sai3bench.thresholds.rules import Comparison

_OPERATOR = re.compile(r"[<>=!]+")
_SHARE_OF = re.compile(r"[0-9][0-9.,_ ]*%\s+of(?!\w)")
_BASELINE_NAME = re.compile(r"\(\s*([A-Za-z0-9_.-]*)\s*\)")
_WORD = re.compile(r"[A-Za-z_]\w*")
_AT = re.compile(r"@\s*\w*")
_LENGTH = re.compile(r"\(")
_END = re.compile(r"\)")

_MEANT_OPERATOR = {"=": "==", "=<": "<=", "=>": ">=", "===": "=="}
_WHOLE = Amount(Decimal(100), "%")
_WINDOWS = "write @each(10s) or @last(60s)"
_REFERENCES = "median or baseline"
_COMPARISONS = "write < <= > >= ==, between A and B, or within X% of V"


# The suites of one folder tend to have the same rules.
@lru_cache(maxsize=4096)
def parse(text: str) -> Rule:
    """Return the rule that ``text`` writes, or raise `RuleError`."""
    return _Parser(text).rule()


class _Parser(Subjects, Amounts):
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
        subject = ".".join(map(str, segments))
        self.refuse_window(metric, subject)
        comparison = self.comparison(metric, part, subject)
        self.refuse_reference()
        window_column = self.column
        window = self.window(metric, comparison)
        abort_column = self.column
        abort_after = self.abort(metric, comparison)
        if self.rest:
            raise self.error(f"unexpected '{self.rest}': the rule is complete before it")
        source = Source(
            self.text,
            (part_at or last).column,
            (scope_at or basis_at or last).column,
            window_column,
            abort_column,
        )
        return Rule(scope, metric, comparison, part, window, abort_after, source)

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
            if reference := self.reference(Within(share, _WHOLE), metric, part, subject, column):
                return reference
            return Within(share, self.amount(metric.kind, f"{metric.name} {metric.example}"))
        found = self.take(_OPERATOR)
        if found == "==" and metric.kind != "number":
            raise self.error(
                f"== asks for exact equality, which fits counts only: {_COMPARISONS.replace(' ==', '')}",
                column,
            )
        if found in OPERATORS and _SHARE_OF.match(self.text, self.position):
            column_of_share = self.column
            share = self.amount("percent", "")
            self.take_word("of")
            reference = self.reference(Limit(found, share), metric, part, subject, column_of_share)
            if reference is None:
                raise self.error(f"'of' is followed by {_REFERENCES}: write {share} of baseline")
            if found == "==":
                raise self.error(
                    f"a share of the {reference.reference} is hardly ever exact: write <, <=, > or >=", column
                )
            return reference
        if found in OPERATORS:
            return Limit(found, self.amount(metric.kind, f"{metric.name} {metric.example}"))
        if found:
            meant = f"did you mean '{_MEANT_OPERATOR[found]}'?" if found in _MEANT_OPERATOR else _COMPARISONS
            raise self.error(f"'{found}' is not a comparison; {meant}", column)
        self.refuse_reference()
        if self.rest:
            raise self.error(f"'{self.rest}' is not a comparison; {_COMPARISONS}")
        raise self.error(f"a comparison is missing: write {subject} {metric.example}")

    def reference(
        self, share: Limit | Within, metric: Metric, part: Part | None, subject: str, column: int
    ) -> OfMedian | OfBaseline | None:
        """Read what ``share``, which stands at ``column``, is of; None when it is of an amount."""
        if self.take_word("median"):
            self.check_median(metric, part, subject, column)
            return OfMedian(share)
        if not self.take_word("baseline"):
            word_column = self.column
            if word := self.take(_WORD):
                expected = f"an amount, {_REFERENCES}" if isinstance(share, Within) else _REFERENCES
                meant = suggest(word, ("median", "baseline"))
                found = f"not '{word}'; {meant}" if meant else f"not '{word}'"
                raise self.error(f"'of' is followed by {expected}, {found}", word_column)
            return None
        if not metric.has_baseline:
            raise self.error(f"{metric.name} is not compared with a baseline: write a fixed limit", column)
        if not self.rest.startswith("("):
            return OfBaseline(share)
        name_column = self.column
        name = _BASELINE_NAME.fullmatch(self.take(re.compile(r"\([^)]*\)?")).rstrip())
        if name is None or not name[1]:
            raise self.error(
                "the name of a baseline has letters, digits and _.-: write baseline(main)", name_column
            )
        return OfBaseline(share, name[1])

    def refuse_window(self, metric: Metric, subject: str) -> None:
        """Raise `RuleError` when a window comes next, ahead of the comparison."""
        start = self.position
        if not self.window(metric):
            return
        window = self.text[start : self.position].rstrip()
        comparison, abort, after = self.rest.partition("abort ")
        meant = f"{subject} {comparison.strip()} {window} {abort}{after}".rstrip()
        try:
            parse(meant)
        except RuleError:
            meant = f"{subject} {metric.example} {window}"
        raise self.error(f"a window stands at the end, behind the comparison: write {meant}", start + 1)

    def window(self, metric: Metric, comparison: Comparison | None = None) -> Window | None:
        column = self.column
        found = self.take(_AT)
        if not found:
            return None
        kind = found[1:].strip()
        if kind not in WINDOW_KINDS:
            raise self.error(f"'{found}' is not a window; {_WINDOWS}", column)
        if not metric.has_windows:
            raise self.error(f"{metric.name} is known of the whole run only: remove '{found}'", column)
        if isinstance(comparison, OfBaseline):
            raise self.error(f"a baseline is that of the whole measured time: remove '{found}'", column)
        if kind == "steady":
            return Window(kind)
        if not self.take(_LENGTH):
            raise self.error(f"how long is missing after '{found}': write @{kind}(10s)")
        length = self.duration(f"@{kind}(10s)")
        if not self.take(_END):
            raise self.error(f"')' is missing: write @{kind}({length})")
        return Window(kind, length)

    def abort(self, metric: Metric, comparison: Comparison) -> Amount | None:
        column = self.column
        if not self.take_word("abort"):
            return None
        if not self.take_word("after"):
            raise self.error("'after' is missing: write abort after 10s")
        if not metric.has_windows:
            raise self.error(f"{metric.name} is known when the run is over: remove 'abort after'", column)
        if isinstance(comparison, OfBaseline):
            raise self.error(
                "a run is compared with a baseline when it is over: remove 'abort after'", column
            )
        return self.duration("abort after 10s")

    def duration(self, example: str) -> Amount:
        column = self.column
        length = self.amount("seconds", example)
        if not length.value:
            raise self.error(f"the time is above 0: write for example {example}", column)
        return length

    def check_median(self, metric: Metric, part: Part | None, subject: str, column: int) -> None:
        if not metric.has_median:
            raise self.error(f"{metric.name} is not compared with a median: write a fixed limit", column)
        if part is None or part.name is not None:
            _, _, rest = subject.rpartition(f"{part}.")
            raise self.error(
                f"the median is that of all endpoints or agents: write each(endpoint).{rest} or each(agent).{rest}",
                column,
            )
