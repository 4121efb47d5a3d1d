"""Aligned text tables that fit the width of a terminal, and the columns that all of them share."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from pytest_sai3bench.units import format_count, format_duration_ns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.reports.parts import Part

MEASURES = ("ops/s", "MiB/s", "p50", "p99", "errors")

_GAP = "  "
_ELLIPSIS = "…"
_NARROWEST = 12
_MIB = 1024 * 1024
# A piece of a URI with the separators before it: addresses differ in whole pieces.
_WORD = re.compile(r"[/:.-]+[^/:.-]*|[^/:.-]+")


def measures(part: Part) -> tuple[str, ...]:
    """Return the cells of ``part`` under `MEASURES`; without any latency there is a dash."""
    latency = part.tally.latency
    return (
        f"{part.ops_per_s:,.{0 if part.ops_per_s >= 100 else 1}f}",
        f"{part.bytes_per_s / _MIB:,.2f}",
        format_duration_ns(latency.percentile_ns(50)) if latency.count else "-",
        format_duration_ns(latency.percentile_ns(99)) if latency.count else "-",
        format_count(part.tally.errors),
    )


def lay_out(
    rows: Sequence[Sequence[str]], *, header: Sequence[str] = (), width: int | None = None
) -> list[str]:
    """Return header and rows as lines: the first column to the left, the others to the right.

    When a line would be wider than ``width``, names in the first column are abbreviated, down to 12 characters. Lines
    that do not fit even so stay wide, because a number that is cut is wrong.
    """
    table = [tuple(header), *rows] if header else list(rows)
    if not table:
        return []
    widths = [max(map(len, column)) for column in zip(*table)]
    names = [row[0] for row in rows]
    if width is not None:
        rest = sum(widths[1:]) + len(_GAP) * (len(widths) - 1)
        names = abbreviate(names, max(width - rest, _NARROWEST))
    names = [*header[:1], *names]
    widths[0] = max(map(len, names))
    return [
        _GAP.join(
            [name.ljust(widths[0]), *(cell.rjust(room) for cell, room in zip(row[1:], widths[1:]))]
        ).rstrip()
        for name, row in zip(names, table)
    ]


def abbreviate(names: Sequence[str], width: int) -> list[str]:
    """Return ``names`` in at most ``width`` characters each, giving up first what does not tell them apart.

    As far as needed, and piece by piece: the end they have in common, the beginning they have in common, the middle of
    each.
    """
    words = [_WORD.findall(name) for name in names]
    end = _common([word[::-1] for word in words])
    begin = _common([word[: len(word) - end] for word in words])
    first = next((cut for cut in range(begin + 1) if _fits(_trim(words, cut, end), width)), None)
    if first is None:
        return [_without_middle(name, width) for name in _trim(words, begin, end)]
    # Where whole pieces of the beginning are gone there may be room for some of the end again.
    last = next(cut for cut in range(end + 1) if _fits(_trim(words, first, cut), width))
    return _trim(words, first, last)


def _common(words: Sequence[Sequence[str]]) -> int:
    """Return how many words all begin with, when there are several; each keeps one of its own."""
    if len(words) < 2:
        return 0
    same = takewhile(lambda column: len(set(column)) == 1, zip(*(word[:-1] for word in words)))
    return sum(1 for _ in same)


def _trim(words: Sequence[Sequence[str]], begin: int, end: int) -> list[str]:
    """Return names without so many of their first and last words."""
    head, tail = _ELLIPSIS * bool(begin), _ELLIPSIS * bool(end)
    return [head + "".join(word[begin : len(word) - end]) + tail for word in words]


def _fits(names: Sequence[str], width: int) -> bool:
    return all(len(name) <= width for name in names)


def _without_middle(name: str, width: int) -> str:
    if len(name) <= width:
        return name
    head = (width - len(_ELLIPSIS)) // 2
    tail = width - len(_ELLIPSIS) - head
    return name[:head] + _ELLIPSIS + name[len(name) - tail :]
