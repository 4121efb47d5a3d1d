"""Which files are suites, found out without reading more of them than that takes."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import yaml

from pytest_sai3bench.suite.yaml12 import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SUFFIXES = frozenset((".yaml", ".yml"))
_SIGNS = (("workload",), ("distributed", "stages"))
_MOST_BYTES = 2**20


def matches(path: Path, patterns: Iterable[str]) -> bool:
    """Whether a file matches one of the patterns: its name, or for a pattern with a slash the end of its path."""
    return any(
        fnmatchcase(path.as_posix(), f"*/{pattern.lstrip('/')}")
        if "/" in pattern
        else fnmatchcase(path.name, pattern)
        for pattern in patterns
    )


def looks_like_suite(path: Path) -> bool:
    """Whether the first document of a YAML file has the keys of a suite; what cannot be read does not."""
    if path.suffix.lower() not in _SUFFIXES:
        return False
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
    except OSError:
        return False
    # A glance at the words spares most files of a repository the parser.
    if not any(sign[-1] in text for sign in _SIGNS):
        return False
    try:
        return any(keys in _SIGNS for keys in _outer_keys(text))
    except yaml.YAMLError:
        return False


def has_key(path: Path, key: str) -> bool:
    """Whether the first document of a YAML file has a key at its top level; what cannot be read does not."""
    try:
        with path.open("rb") as stream:
            text = stream.read(_MOST_BYTES).decode("utf-8-sig", errors="replace")
        return key in text and any(keys == (key,) for keys in _outer_keys(text))
    except (OSError, yaml.YAMLError):
        return False


def _outer_keys(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the keys of the outermost mapping and of the mappings directly in it, each with the key it is under."""
    # One entry per open collection: the key whose value is next, "" where a key is next, None for a list.
    open_: list[str | None] = []
    for event in events(text):
        if isinstance(event, yaml.DocumentEndEvent):
            return
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append("" if isinstance(event, yaml.MappingStartEvent) else None)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
        elif not isinstance(event, yaml.NodeEvent):
            continue
        if not open_ or open_[-1] is None:
            continue
        if open_[-1]:
            open_[-1] = ""
        else:
            # A collection or an alias can be a key, but none that is looked for.
            open_[-1] = getattr(event, "value", "") or "?"
            if len(open_) <= 2:
                yield tuple(key or "" for key in open_)
