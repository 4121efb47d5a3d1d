"""The words that would be right, for messages about those that are not."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.vocabulary import (
    AGENTS,
    ENDPOINTS,
    FOREIGN_NAMES,
    METRICS,
    PART_KINDS,
    SCOPES,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 8


def enumerate_words(words: Iterable[str], last: str = "and") -> str:
    """Return an enumeration in prose, ``a, b and c``; of a long one only the first eight words and how many follow."""
    *head, tail = list(words) or ["none"]
    if len(head) > _SHOWN:
        head, tail = head[:_SHOWN], f"{len(head) + 1 - _SHOWN} more"
        last = "and"
    return f"{', '.join(head)} {last} {tail}" if head else tail


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a question for the known word that looks most like ``word``; empty when none does."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return f"did you mean '{close[0]}'?" if close else ""


def suggest_scope(word: str) -> str:
    """Return the scope that is probably meant by ``word``, or all scopes."""
    legal = (*SCOPES, *(f"{kind}[...]" for kind in PART_KINDS))
    return suggest(word, (*SCOPES, *PART_KINDS, "each")) or f"a scope is one of {', '.join(legal)}"


def suggest_metric(word: str) -> str:
    """Return the metric that is probably meant by ``word``, or all metrics."""
    if word in FOREIGN_NAMES:
        return f"did you mean '{FOREIGN_NAMES[word]}'?"
    if re.fullmatch(r"p[0-9]+(\.[0-9]+)?", word):
        return f"did you mean {enumerate_words(map(repr, _neighbours(float(word[1:]))), 'or')}?"
    return suggest(word, METRICS) or f"a metric is one of {', '.join(METRICS)}"


def complete(scope: str, shown: str) -> str:
    """Return rules that begin with ``shown``, which is a ``scope`` without metric."""
    home = scope if scope in (ENDPOINTS, AGENTS) else ""
    names = [metric.name for metric in METRICS.values() if metric.home == home] or ["p99"]
    return f"write {enumerate_words((f'{shown}.{name}' for name in names), 'or')}"


def _neighbours(percent: float) -> list[str]:
    """Return the known percentiles next below and above; the maximum is the last of them."""
    ladder = [(metric.percent, metric.name) for metric in METRICS.values() if metric.percent]
    below = [name for known, name in ladder if known < percent]
    above = [name for known, name in ladder if known > percent]
    return [*below[-1:], *(above or ["max"])[:1]]
