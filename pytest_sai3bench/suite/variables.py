"""Variables in the text of a suite: ``${NAME}`` and ``${NAME:-default}``; ``$$`` is one dollar.

Names are those of the environment, ``matrix.NAME`` for the values of a matrix, or ``fixture.NAME`` and
``fixture.NAME.ATTRIBUTE`` for those of pytest's fixtures, which are known only when a suite runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARKED = re.compile(r"\$(?:\$|\{(?P<inside>[^}]*)(?P<end>\}?))")
_INSIDE = re.compile(
    r"(?P<name>(?P<axis>matrix\.)?[A-Za-z_][A-Za-z0-9_]*|(?P<fixture>fixture(?:\.[A-Za-z0-9_]+)+))(?P<default>:-.*)?",
    re.DOTALL,
)


def fixture_names(text: str) -> list[str]:
    """Return the names of the variables that stand for values of fixtures: ``fixture.minio.endpoint``."""
    insides = (_INSIDE.fullmatch(match["inside"]) for match in _MARKED.finditer(text) if match["end"])
    return [inside["name"] for inside in insides if inside and inside["fixture"]]


def expand(text: str, env: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the text with its variables replaced, and what is wrong with those that could not be.

    As in a shell, the default also stands in for a variable that is set but empty. A value of a fixture that ``env`` does
    not have stays as it is written, without a complaint.
    """
    complaints: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match["inside"] is None:
            return "$"
        inside = _INSIDE.fullmatch(match["inside"]) if match["end"] else None
        if inside is None:
            complaints.append(
                f"{match[0]!r} is not a variable: expected ${{NAME}} or ${{NAME:-default}}; $$ writes a dollar"
            )
            return match[0]
        name, default = inside["name"], inside["default"]
        if inside["fixture"]:
            if default is not None:
                complaints.append(
                    f"{match[0]} has a default: expected ${{{name}}}, which a fixture always has"
                )
            return env.get(name, match[0])
        if default is not None:
            return env.get(name) or default.removeprefix(":-")
        if name not in env and inside["axis"]:
            complaints.append(f"{match[0]} is no value of the matrix: expected a name that 'matrix' has")
        elif name not in env:
            complaints.append(
                f"variable {name} is not set: set it, or give a default with ${{{name}:-default}}"
            )
        return env.get(name, match[0])

    return _MARKED.sub(replacement, text), complaints
