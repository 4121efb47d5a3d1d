"""Reading the text of a threshold from left to right: words, and the dotted path that names what is limited."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_sai3bench.thresholds.rules import RuleError

# A percentile is one name although it may hold a dot.
_NAME = re.compile(r"p[0-9]+(?:\.[0-9]+)?(?!\w)|[A-Za-z_][\w-]*")


@dataclass(frozen=True)
class Segment:
    """One word of the dotted path, with its argument in [] or () as written."""

    name: str
    opening: str
    argument: str
    column: int

    def __str__(self) -> str:
        closing = {"": "", "[": "]", "(": ")"}[self.opening]
        return f"{self.name}{self.opening}{self.argument}{closing}"


class Scanner:
    """Reads ``text`` from ``position`` on; spaces between words do not count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.skip_space()

    @property
    def column(self) -> int:
        """Where the next word stands, from 1."""
        return self.position + 1

    @property
    def rest(self) -> str:
        """What has not been read."""
        return self.text[self.position :].rstrip()

    def error(self, message: str, column: int | None = None) -> RuleError:
        """Return the error to raise about the word at ``column``, or about the next one."""
        return RuleError(self.text, column or self.column, message)

    def skip_space(self) -> None:
        """Move to the next word."""
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1

    def take(self, pattern: re.Pattern[str]) -> str:
        """Read what ``pattern`` matches here, and the space behind it; empty when it does not match."""
        match = pattern.match(self.text, self.position)
        if match is None or not match.group():
            return ""
        self.position = match.end()
        self.skip_space()
        return match.group()

    def take_word(self, word: str) -> bool:
        """Read ``word`` if it comes next, and say whether it did."""
        return bool(self.take(re.compile(rf"{re.escape(word)}(?!\w)")))

    def path(self) -> list[Segment]:
        """Read words that are joined by dots."""
        segments = [self.segment()]
        while self.text.startswith(".", self.position):
            self.position += 1
            self.skip_space()
            segments.append(self.segment())
        return segments

    def segment(self) -> Segment:
        """Read one word of a path and what stands in brackets behind it."""
        column = self.column
        name = self.take(_NAME)
        if not name:
            found = f"'{self.rest}' does not start" if self.rest else "the rule ends before"
            raise self.error(f"{found} a scope or metric: write for example get.p99 < 20 ms")
        opening = self.text[self.position : self.position + 1]
        if opening not in ("[", "("):
            return Segment(name, "", "", column)
        return Segment(name, opening, self.argument(opening), column)

    def argument(self, opening: str) -> str:
        """Read up to the closing bracket; brackets may nest, as in the URI of an IPv6 address."""
        closing = "]" if opening == "[" else ")"
        depth = 0
        for index in range(self.position, len(self.text)):
            depth += {opening: 1, closing: -1}.get(self.text[index], 0)
            if depth == 0:
                argument = self.text[self.position + 1 : index].strip()
                self.position = index + 1
                self.skip_space()
                return argument
        raise self.error(f"'{opening}' is never closed: '{closing}' is missing")
