"""The JSON Schema of suites, for editors, from the models themselves and from the list of inactive keys.

Draft 2020-12 (https://json-schema.org/draft/2020-12). It takes every file that is right, and some that are not: what
depends on several values is left to `loader`.
"""

from __future__ import annotations

import re
from typing import Any

from pytest_sai3bench.suite import dialect
from pytest_sai3bench.suite.describe import section_places
from pytest_sai3bench.suite.document import Suite
from pytest_sai3bench.suite.section import Section, known_keys
from pytest_sai3bench.suite.yaml12 import resolve

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTHING = {"type": "null"}
# A value that is no text may be taken from the environment.
_VARIABLE = {"type": "string", "pattern": r"^\$\{.+\}$"}
_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
_INACTIVE = {
    "needless": "Has no effect: {reason}.",
    "later": "Has no effect in this version.",
    "never": "Has no effect, nor has it in sai3-bench.",
}


def json_schema() -> dict[str, Any]:
    """Return the schema of a suite as builtins that JSON takes."""
    schema = Suite.model_json_schema()
    sections = schema["$defs"]
    for section, places in section_places().items():
        properties = (schema if section is Suite else sections[section.__name__])["properties"]
        _add_spellings(section, properties)
        for place in places:
            properties.update(_inactive_keys(place, properties))
    parts = [schema, *sections.values()]
    for part in parts:
        required = part.get("required", ())
        part["properties"] = {
            key: _value(value, required=key in required) for key, value in part["properties"].items()
        }
        _tidy(part)
    # Where anchors may be kept.
    schema["patternProperties"] = {"^x-": {}}
    return {"$schema": _DIALECT, "title": "pytest-sai3bench suite", **schema}


def _add_spellings(section: type[Section], properties: dict[str, Any]) -> None:
    """Add the other names of the fields that have some; the schema knows the first."""
    for key, field in known_keys(section).items():
        first = next(name for name, other in known_keys(section).items() if other == field)
        properties.setdefault(key, properties[first])


def _inactive_keys(place: str, active: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of the dialect that a section takes, but does not act on."""
    found: dict[str, Any] = {}
    for key, effect, accepted, reason in dialect.inactive():
        parent, _, name = key.rpartition(".")
        if parent != place or name in active:
            continue
        if effect in _INACTIVE:
            found[name] = {"description": _INACTIVE[effect].format(reason=reason), "deprecated": True}
        elif accepted:
            found[name] = {"enum": [[] if text == "[]" else resolve(text) for text in accepted]}
    return found


def _value(schema: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Return the schema of a key's value with what may stand there instead: a variable, and nothing where it can be left out."""
    value = dict(schema)
    # What a model of its own has by default is no value that a suite could have.
    if isinstance(value.get("default"), dict) or value.get("default", _NOTHING) in (None, ""):
        value.pop("default", None)
    choices = value.pop("anyOf", None)
    if choices is None:
        kept: dict[str, Any] = {
            key: value.pop(key) for key in ("description", "default", "deprecated") if key in value
        }
        choices, value = ([value] if value else []), kept
    if not choices:
        return value
    if not any(_takes_text(choice) for choice in choices):
        choices = [*choices, _VARIABLE]
    if not required and _NOTHING not in choices:
        choices = [*choices, _NOTHING]
    return {**value, **(choices[0] if len(choices) == 1 else {"anyOf": choices})}


def _takes_text(choice: dict[str, Any]) -> bool:
    """Tell whether a variable may stand there anyway; what is a mapping or a list is none."""
    if any(_takes_text(each) for each in choice.get("anyOf", ())):
        return True
    return choice.get("type") in ("string", "array", "object") or "$ref" in choice


def _in_any_case(words: list[str]) -> str:
    """Return a pattern for words that may be written in capitals; in JSON Schema there is no flag for that."""
    spelt = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else re.escape(c) for c in word) for word in words)
    return f"^(?:{'|'.join(spelt)})$"


def _tidy(part: Any) -> None:
    """Write bounds as JSON Schema does, and leave out titles, which only repeat the keys; in place."""
    if isinstance(part, list):
        for each in part:
            _tidy(each)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("title"), str):
        del part["title"]
    if part.get("type") == "string" and "enum" in part:
        words = part.pop("enum")
        del part["type"]
        part["anyOf"] = [{"enum": words}, {"type": "string", "pattern": _in_any_case(words)}]
    for ours, theirs in _BOUNDS.items():
        if ours in part:
            part[theirs] = part.pop(ours)
    for key, value in part.items():
        if key == "description":
            part[key] = re.sub("``", "`", " ".join(value.split()))
        elif key != "properties":
            _tidy(value)
        else:
            for inner in value.values():
                _tidy(inner)
