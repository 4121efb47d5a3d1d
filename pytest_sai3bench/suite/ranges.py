"""Ranges in the text of an endpoint: ``10.0.0.[1-4]``, ``node[01,03,05-07]`` and ``node{1...4}`` stand for several.

What is in brackets and is no range, such as an IPv6 address, is left as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import combinations, product
from math import prod
from typing import NamedTuple

MOST_ENDPOINTS = 256
"""A network of 256 addresses. The limit bounds what a run measures and keeps: each endpoint has histograms of its own."""

_RANGE = re.compile(r"\[(?P<listed>[0-9,-]*[,-][0-9,-]*)\]|\{(?P<spanned>[^{}]*\.\.[^{}]*)\}")
_UNCLOSED = re.compile(r"\[[0-9][^\]]*$|\{[^{}]*\.\.[^}]*$")
_NUMBER = "[0-9]{1,9}"
_LISTED = re.compile(f"(?P<first>{_NUMBER})(?:-(?P<last>{_NUMBER}))?")
_SPANNED = re.compile(rf"(?P<first>{_NUMBER})\.\.\.(?P<last>{_NUMBER})")


class _Numbers(NamedTuple):
    """Numbers with zeros in front up to a width."""

    span: range
    width: int

    def written(self) -> list[str]:
        return [f"{number:0{self.width}}" for number in self.span]


@lru_cache(maxsize=4096)
def expand_ranges(text: str) -> tuple[str, ...]:
    """Return the texts that a text with ranges stands for, the last range counting fastest; one without is itself.

    Raises ValueError that says how to write it.
    """
    unclosed = _UNCLOSED.search(text)
    if unclosed:
        end = {"[": "]", "{": "}"}[unclosed[0][0]]
        raise ValueError(
            f"{text!r}: the range {unclosed[0]!r} is not closed: expected '{end}' after its numbers"
        )
    ranges = list(_RANGE.finditer(text))
    choices = [_parse(text, match) for match in ranges]
    count = prod(sum(len(numbers.span) for numbers in choice) for choice in choices)
    if count > MOST_ENDPOINTS:
        raise ValueError(f"{text!r} stands for {count:,} endpoints: expected at most {MOST_ENDPOINTS}")
    edges = [0, *(edge for match in ranges for edge in match.span()), len(text)]
    between = [text[begin:end] for begin, end in zip(edges[::2], edges[1::2])]
    words = [[word for numbers in choice for word in numbers.written()] for choice in choices]
    return tuple(
        between[0] + "".join(word + after for word, after in zip(chosen, between[1:]))
        for chosen in product(*words)
    )


def _parse(text: str, match: re.Match[str]) -> list[_Numbers]:
    """Return the parts of one range."""
    if match["spanned"] is not None:
        found = _SPANNED.fullmatch(match["spanned"])
        if found is None:
            raise ValueError(
                f"{text!r}: {match[0]!r} is no range: expected numbers and three dots, as in {{1...4}}"
            )
        return [_numbers(text, match[0], found)]
    parts = [_LISTED.fullmatch(part) for part in match["listed"].split(",")]
    if not all(parts):
        raise ValueError(f"{text!r}: {match[0]!r} is no range: expected numbers, as in [1-4] or [1,3,5-7]")
    listed = [_numbers(text, match[0], found) for found in parts if found]
    for one, other in combinations(listed, 2):
        if one.span.start < other.span.stop and other.span.start < one.span.stop:
            raise ValueError(f"{text!r}: {match[0]!r} names a number twice: expected each one once")
    return listed


def _numbers(text: str, whole: str, found: re.Match[str]) -> _Numbers:
    first, last = found["first"], found["last"] or found["first"]
    if int(first) > int(last):
        raise ValueError(f"{text!r}: the range {whole!r} goes down: expected the smaller number first")
    padded = any(len(number) > 1 and number.startswith("0") for number in (first, last))
    if padded and len(first) != len(last):
        raise ValueError(
            f"{text!r}: {first} and {last} in {whole!r} are padded differently: expected as many digits in both"
        )
    return _Numbers(range(int(first), int(last) + 1), len(first) if padded else 0)
