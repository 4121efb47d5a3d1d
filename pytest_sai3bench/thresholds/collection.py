"""The thresholds of a suite → rules that can be evaluated, each for one part of the load and with an id of its own."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem
from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.rules import OfBaseline, OfMedian, RuleError
from pytest_sai3bench.thresholds.suggestions import enumerate_words, suggest
from pytest_sai3bench.thresholds.vocabulary import (
    AGENTS,
    ENDPOINTS,
    ERROR_METRICS,
    OPERATIONS_OF,
    TOTAL,
    TTFB,
)
from pytest_sai3bench.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from pytest_sai3bench.errors import Location
    from pytest_sai3bench.thresholds.rules import Rule
    from pytest_sai3bench.thresholds.verdicts import Severity

IMPLICIT = "total.errors == 0"


@dataclass(frozen=True)
class RuleText:
    """One entry of ``thresholds:`` as written, and where: ``path`` is its place in the document (``thresholds[1]``)."""

    text: str
    location: Location
    path: str
    severity: Severity = "fail"
    xfail: str | None = None
    skip: str | None = None
    stage: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds: how long the workload lasts, and how long an interval in which agents report."""

    duration: Fraction
    interval: Fraction


@dataclass(frozen=True)
class Compiled:
    """A rule ready for evaluation: its part, if it has one, names one endpoint (by URI) or one agent (by id).

    ``text`` is the rule as written; ``location`` is None for the implicit rule on errors. ``stage`` is what it judges
    where several stages run the workload.
    """

    id: str
    rule: Rule
    text: str
    location: Location | None
    implicit: bool = False
    severity: Severity = "fail"
    xfail: str | None = None
    skip: str | None = None
    stage: str = ""


def compile_rules(
    texts: Sequence[RuleText],
    *,
    operations: Sequence[str],
    endpoints: Sequence[str],
    agents: Sequence[str],
    has_rate: bool = False,
    has_ttfb: bool = False,
    times: Times | None = None,
    stages: Sequence[str] = (),
) -> tuple[tuple[Compiled, ...], tuple[Problem, ...]]:
    """Return the rules of a workload, in order and with unique ids, and the problems of those that are wrong.

    ``operations`` are those of the workload, which may have a rate, and whose gets may have a time to first byte; windows
    must fit into its ``times``;
    ``endpoints`` the planned URIs, ``agents`` the ids. A rule on ``each(...)`` becomes one rule per endpoint or agent.
    Unless some rule limits errors, `IMPLICIT` is added. With several ``stages`` there is one rule for each of them, or for
    the one that an entry names.
    """
    compiled: list[Compiled] = []
    problems: list[Problem] = []
    for entry in texts:
        try:
            rule = parse(entry.text)
            check(
                rule,
                operations=operations,
                endpoints=endpoints,
                agents=agents,
                has_rate=has_rate,
                has_ttfb=has_ttfb,
                times=times,
            )
        except RuleError as error:
            problems.append(Problem(entry.location, entry.path, str(error)))
            continue
        if isinstance(rule.comparison, OfBaseline) and entry.stage not in ("", *stages[-1:]):
            text = f"a baseline is that of the stage '{stages[-1]}', the last with the workload: expected that one"
            problems.append(Problem(entry.location, f"{entry.path}.stage", text))
        compiled += [_compiled(entry, *each) for each in _resolve(rule, endpoints, agents)]
    return tuple(_complete(compiled, stages)), tuple(problems)


def compile_unplanned(
    texts: Sequence[RuleText], operations: Sequence[str] | None
) -> tuple[tuple[Compiled, ...], tuple[Problem, ...]]:
    """Return the rules of a workload of which the endpoints are not known yet, perhaps not even the ``operations``.

    There is one for each text, so a rule on ``each(...)`` stays one. Otherwise as `compile_rules`.
    """
    compiled: list[Compiled] = []
    problems: list[Problem] = []
    for entry in texts:
        try:
            rule = parse(entry.text)
            if operations is not None:
                _check_operations(rule, operations)
        except RuleError as error:
            problems.append(Problem(entry.location, entry.path, str(error)))
        else:
            compiled.append(_compiled(entry, rule_id(rule), rule))
    return tuple(_complete(compiled, ())), tuple(problems)


def _judged(rule: Rule, stages: Sequence[str]) -> Sequence[str]:
    """Return the stages that a rule judges which names none; a baseline is that of the last one."""
    return stages[-1:] if isinstance(rule.comparison, OfBaseline) else stages


def find_misspelt(texts: Sequence[RuleText]) -> Iterator[Problem]:
    """Yield the problems of texts that are no rules at all, whatever the workload."""
    for entry in texts:
        try:
            parse(entry.text)
        except RuleError as error:
            yield Problem(entry.location, entry.path, str(error))


def check(
    rule: Rule,
    *,
    operations: Sequence[str],
    endpoints: Sequence[str],
    agents: Sequence[str],
    has_rate: bool = False,
    has_ttfb: bool = False,
    times: Times | None = None,
) -> None:
    """Raise `RuleError` for a rule that can never be evaluated in this workload."""
    source = rule.source
    if rule.part and rule.part.name is not None:
        known = endpoints if rule.part.kind == "endpoint" else agents
        if _find(rule.part.name, known) is None:
            raise RuleError(
                source.text, source.part_column, _unknown_part(rule.part.kind, rule.part.name, known)
            )
    if isinstance(rule.comparison, OfMedian) and rule.part:
        known = endpoints if rule.part.kind == "endpoint" else agents
        if len(known) < 2:
            message = f"there is only one {rule.part.kind}: nothing to compare it with"
            raise RuleError(source.text, source.part_column, message)
    _check_times(rule, times)
    if rule.scope in (ENDPOINTS, AGENTS):
        return
    if rule.metric.needs_rate and not has_rate:
        message = f"{rule.metric.name} needs a rate: set io_rate, or remove the rule"
        raise RuleError(source.text, source.scope_column, message)
    _check_operations(rule, operations)
    if rule.metric.basis == TTFB and not has_ttfb:
        message = f"{rule.metric.name} needs s3:// endpoints and the default engine: remove the rule"
        raise RuleError(source.text, source.scope_column, message)


def _check_times(rule: Rule, times: Times | None) -> None:
    """Raise `RuleError` for a window that does not fit into the workload, or that its intervals do not fit into."""
    source = rule.source
    if rule.window and rule.window.kind == "steady":
        raise RuleError(source.text, source.window_column, "'@steady' is not supported by this version")
    if times is None:
        return
    length = rule.window.length if rule.window else None
    if length and length.value % times.interval:
        shown = format_seconds(float(times.interval))
        message = f"{rule.window} is no multiple of the {shown} of an interval: set perf_log.interval"
        raise RuleError(source.text, source.window_column, message)
    if length and length.value > times.duration:
        shown = format_seconds(float(times.duration))
        message = f"{rule.window} is more than the {shown} of the workload"
        raise RuleError(source.text, source.window_column, message)


def _check_operations(rule: Rule, operations: Sequence[str]) -> None:
    """Raise `RuleError` for a rule on what the workload does not do."""
    if rule.scope in (ENDPOINTS, AGENTS):
        return
    source = rule.source
    needed = rule.metric.operations.intersection(OPERATIONS_OF[rule.scope])
    if not needed.intersection(operations):
        missing = rule.scope if rule.scope != TOTAL else " and no ".join(sorted(needed))
        planned = enumerate_words(dict.fromkeys(operations))
        message = f"the workload has no {missing}; it has {planned}"
        raise RuleError(source.text, source.scope_column, message)


def rule_id(rule: Rule) -> str:
    """Return a readable name of what the rule limits, of ``[A-Za-z0-9_.=/[]-]``: ``get.p99[endpoint=2][each=10s]``."""
    name = f"{rule.scope}.{rule.metric.name}"
    if rule.part:
        name += f"[{rule.part.kind}={_plain(rule.part.name or 'each')}]"
    if rule.window:
        length = f"={rule.window.length}".replace(" ", "") if rule.window.length else ""
        name += f"[{rule.window.kind}{_plain(length)}]"
    if isinstance(rule.comparison, OfBaseline):
        chosen = f"={rule.comparison.name}" if rule.comparison.name else ""
        name += f"[baseline{chosen}]"
    return name


def _plain(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.=/-]", "-", text)


def _compiled(entry: RuleText, name: str, rule: Rule) -> Compiled:
    return Compiled(
        name,
        rule,
        entry.text,
        entry.location,
        severity=entry.severity,
        xfail=entry.xfail,
        skip=entry.skip,
        stage=entry.stage,
    )


def _complete(compiled: list[Compiled], stages: Sequence[str]) -> Iterator[Compiled]:
    """Yield the rules for each of several stages, with unique ids, and the implicit one where it is wanted."""
    several = len(stages) > 1
    if several:
        compiled = [
            replace(one, id=f"{one.id}[stage={_plain(stage)}]", stage=stage)
            for one in compiled
            for stage in ([one.stage] if one.stage else _judged(one.rule, stages))
        ]
    else:
        compiled = [replace(one, stage="") for one in compiled]
    for stage in stages if several else [""]:
        if not any(one.rule.metric.name in ERROR_METRICS and one.stage == stage for one in compiled):
            rule = parse(IMPLICIT)
            name = rule_id(rule) + (f"[stage={_plain(stage)}]" if stage else "")
            compiled.append(Compiled(name, rule, IMPLICIT, None, implicit=True, stage=stage))
    yield from _with_unique_ids(compiled)


def _resolve(rule: Rule, endpoints: Sequence[str], agents: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    if rule.part is None:
        yield rule_id(rule), rule
        return
    is_endpoint = rule.part.kind == "endpoint"
    known = endpoints if is_endpoint else agents
    only = None if rule.part.name is None else _find(rule.part.name, known)
    for index, name in enumerate(known):
        if only in (None, index):
            # The id of an endpoint is its number: a URI is long, and its port may change from run to run.
            short = replace(rule.part, name=str(index + 1) if is_endpoint else name)
            yield rule_id(replace(rule, part=short)), replace(rule, part=replace(rule.part, name=name))


def _find(name: str, known: Sequence[str]) -> int | None:
    """Return the position in ``known`` of an id, a URI (with or without its last slash) or a number from 1."""
    for spelling in (name, f"{name}/"):
        if spelling in known:
            return known.index(spelling)
    if name.isdecimal() and 1 <= int(name) <= len(known):
        return int(name) - 1
    return None


def _unknown_part(kind: str, name: str, known: Sequence[str]) -> str:
    if name.isdecimal():
        legal = f"the {len(known)} {kind}s are {kind}[1] to {kind}[{len(known)}]"
        return f"there is no {kind}[{name}]; {legal if len(known) > 1 else f'the only {kind} is {kind}[1]'}"
    meant = suggest(name, known) or f"it has {enumerate_words(known)}"
    return f"'{name}' is not an {kind} of this workload; {meant}"


def _with_unique_ids(compiled: Sequence[Compiled]) -> Iterator[Compiled]:
    seen: Counter[str] = Counter()
    for one in compiled:
        seen[one.id] += 1
        yield replace(one, id=f"{one.id}-{seen[one.id]}") if seen[one.id] > 1 else one
