"""Links, anchors and commands of the pages lead somewhere; nothing in them is of one machine only."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH_OF_A_MACHINE = re.compile(r"(?<![\w/.:*~-])/(?:tmp|home|root|work|var|opt|Users)\b[^\s`]*")


def slugs(text: str) -> set[str]:
    """Return the anchors that headings get where Markdown is shown."""
    anchors: Counter[str] = Counter()
    for heading in _HEADING.findall(text):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchors[slug] += 1
    return {
        f"{slug}-{number}" if number else slug for slug, count in anchors.items() for number in range(count)
    }


def test_every_link_leads_to_a_page_and_a_heading(page: Path, prose: Callable[[Path], str]) -> None:
    broken = []
    for link in _LINK.findall(prose(page)):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if "://" not in link and (not target.exists() or (anchor and anchor not in slugs(prose(target)))):
            broken.append(link)
    assert broken == []


def test_every_page_is_reached_from_the_index(pages: list[Path], prose: Callable[[Path], str]) -> None:
    index = next(page for page in pages if page.name == "index.md")
    reached: set[Path] = set()
    waiting = [index]
    while waiting:
        page = waiting.pop()
        if page in pages and page not in reached:
            reached.add(page)
            links = [link.partition("#")[0] for link in _LINK.findall(prose(page)) if "://" not in link]
            waiting += [(page.parent / link).resolve() for link in links if link.endswith(".md")]
    assert {page for page in pages if index.parent in page.parents} <= reached


def test_no_page_shows_a_path_of_some_machine(page: Path) -> None:
    assert _PATH_OF_A_MACHINE.findall(page.read_text(encoding="utf-8")) == []


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Return every option of pytest and of the plugins that are installed."""
    command = [sys.executable, "-m", "pytest", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return set(re.findall(r"(?<![\w-])(-\w(?![\w-])|--[\w-]+)", text))


def test_every_option_of_a_command_exists(command: str, options: set[str]) -> None:
    used = {word.partition("=")[0] for word in shlex.split(command) if word.startswith("-")}
    # The value of a short option may stand directly behind it, as in -n4.
    assert {word if word.startswith("--") else word[:2] for word in used} <= options
