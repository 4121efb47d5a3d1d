"""YAML 1.2 on top of PyYAML: text to nodes, and the core schema for plain scalars.

PyYAML's own schema is that of YAML 1.1, where ``yes`` is a boolean, ``1:30`` is 90 and ``2024-01-01`` a date. Here,
as in the tool whose dialect is read, these are texts; so are ``1_000`` and ``012``, which some readers take as numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.nodes import Node, ScalarNode

if TYPE_CHECKING:
    from collections.abc import Iterator

PLAIN = "plain"
"""Tag of a scalar without quotes, whose type is found by `resolve`."""
TEXT = "text"
"""Tag of a scalar that is text: quoted, or in block style."""
COLLECTION = "collection"
"""Tag of a list or mapping."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_NUMERIC_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,999})")
_BASED = re.compile(r"0x[0-9a-fA-F]{1,100}|0o[0-7]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]{0,999})(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))


class MalformedError(Exception):
    """Text that is not one YAML document; line and column count from 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


class _CoreTags:
    """The methods by which PyYAML's composers ask for the tag of a node that has none."""

    def resolve(self, kind: type[Node], value: Any, implicit: tuple[bool, bool]) -> str:  # noqa: ARG002
        if kind is not ScalarNode:
            return COLLECTION
        return PLAIN if implicit[0] else TEXT

    def descend_resolver(self, parent: Node, index: Any) -> None:
        pass

    def ascend_resolver(self) -> None:
        pass


class _SlowComposer(
    _CoreTags, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer
):
    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)


if yaml.__with_libyaml__:
    from yaml._yaml import CParser

    class _FastComposer(_CoreTags, CParser):
        pass

    _Composer: type[_FastComposer | _SlowComposer] = _FastComposer
else:  # pragma: no cover - depends on how PyYAML was built
    _Composer = _SlowComposer


def compose(text: str) -> Node | None:
    """Return the root node of the one document in a text, None when there is none; raises MalformedError."""
    try:
        return _Composer(text).get_single_node()
    except RecursionError:
        # The composer in C has a limit of its own.
        raise MalformedError("lists and mappings are nested too deep") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MalformedError(
            f"the character {chr(error.character)!r} is not allowed in YAML", line
        ) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise MalformedError(_explanation(error), line, column) from error


def events(text: str) -> Iterator[yaml.Event]:
    """Yield the parser's events one by one; raises yaml.YAMLError where the text is malformed."""
    parser = _Composer(text)
    while event := parser.get_event():
        yield event


def _explanation(error: yaml.MarkedYAMLError) -> str:
    context, problem = error.context or "", error.problem or ""
    if context.startswith("expected a single document"):
        return "a second document begins here: expected one document in a file"
    if context.startswith("found duplicate anchor"):
        return "the name of an anchor is used twice: expected each &name once"
    if problem.startswith("found undefined alias"):
        return "the alias has no anchor: expected an &name of this name above it, or a pattern that begins with * in quotes"
    if context == "while scanning an alias":
        return "not valid YAML: a * in front makes an alias: put a pattern that begins with * in quotes"
    if problem.startswith("found a tab character"):
        return "not valid YAML: a tab stands where blanks have to: indent with spaces"
    if problem.startswith("mapping values are not allowed"):
        return "not valid YAML: a ':' where no key can stand: check the indent, or put text that holds ': ' in quotes"
    if problem.startswith("found character"):
        return "not valid YAML: a value cannot start with a tab, @, ` or %: indent with spaces, put such text in quotes"
    began = f" {context} that begins in line {error.context_mark.line + 1}" if error.context_mark else ""
    if context in ("while parsing a flow sequence", "while parsing a flow mapping"):
        # Addresses with ranges are often what stands there.
        began += "; text with brackets or braces in it needs quotes there"
    return f"not valid YAML: {problem}{began}"


def resolve(text: str) -> str | int | float | bool | None:
    """Return the value of a plain scalar by the core schema."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in _NUMERIC_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text) or text in _NAN:
        return float(text.replace(".", ""))
    return text
