"""The pages of the documentation, taken apart; tests get pages, suites and commands as parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(
    r"^(?:<!-- (?P<note>.+?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_CELL_END = re.compile(r"(?<!\\)\|")
_COMMAND = re.compile(r"(?:^|[\s/])(pytest(?: [^#\n]*)?)(?=[#\n]|$)")


class Block(NamedTuple):
    """A fenced block; ``place`` is page and line, ``note`` the comment directly before it."""

    place: str
    language: str
    text: str
    note: str


def blocks() -> Iterator[Block]:
    """Yield the fenced blocks of all pages."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start("text"))
            place = f"{page.relative_to(ROOT)}:{line}"
            yield Block(place, match["language"], match["text"], match["note"] or "")


def without_blocks(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def commands() -> list[str]:
    """Return every command line of pytest that a page shows, in blocks and in the text."""
    shown = [block.text for block in blocks() if block.language != "text"]
    shown += [code for page in PAGES for code in re.findall(r"`([^`\n]+)`", without_blocks(page))]
    return sorted({command.strip() for text in shown for command in _COMMAND.findall(text)})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give ``page`` every page, ``suite`` every YAML block that is (a part of) a suite, ``command`` every command line."""
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
    if "suite" in metafunc.fixturenames:
        suites = [
            block
            for block in blocks()
            if block.language == "yaml" and not block.note.startswith("not a suite: ")
        ]
        metafunc.parametrize("suite", suites, ids=lambda block: block.place)
    if "command" in metafunc.fixturenames:
        metafunc.parametrize("command", commands())


@pytest.fixture
def prose() -> Callable[[Path], str]:
    """Return `without_blocks`."""
    return without_blocks


@pytest.fixture
def pages() -> list[Path]:
    """Return all pages."""
    return PAGES


@pytest.fixture
def notes() -> set[str]:
    """Return the comments before YAML blocks."""
    return {block.note for block in blocks() if block.language == "yaml"}


@pytest.fixture
def table() -> Callable[[str, str], list[list[str]]]:
    """Return the rows of the first table under a heading of a page, without its header and without back-ticks."""

    def find(page: str, heading: str) -> list[list[str]]:
        under = re.split(r"^#+ ", without_blocks(ROOT / "docs" / page), flags=re.MULTILINE)
        text = next(part for part in under if part.startswith(f"{heading}\n"))
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len(lines) > 2, f"there is no table under {heading}"
        return [[cell.strip().replace("`", "") for cell in _CELL_END.split(line)[1:-1]] for line in lines[2:]]

    return find
