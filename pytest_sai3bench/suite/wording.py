"""Words that the messages about suite files share."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST = 60


def found(value: object) -> str:
    """Return what stands in the file, in the words of YAML, cut to a readable length."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\u2026"


@lru_cache(maxsize=4096)
def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return ``, did you mean 'x'?`` with the known word that resembles most, or else nothing."""
    near = get_close_matches(word, known, n=1)
    return f", did you mean '{near[0]}'?" if near else ""


def unknown(what: str, value: object, known: Collection[str]) -> str:
    """Return the complaint about a value that is none of the known words."""
    near = nearest(value, tuple(known)) if isinstance(value, str) else ""
    return f"unknown {what} {found(value)}{near or ':'} expected one of {', '.join(known)}"
