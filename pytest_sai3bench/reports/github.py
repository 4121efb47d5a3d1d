"""What GitHub Actions shows of a session: annotations in a step's output, and the job summary, as Markdown.

Both as documented under "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.reports.parts import by_operation
from pytest_sai3bench.reports.tables import MEASURES, measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_sai3bench.reports.verdicts_json import JudgedRun

# GitHub takes 1 MiB of a step.
LARGEST_SUMMARY = 1_000_000
_CUT = "\n…\n"


def annotation(level: str, message: str, *, file: str, line: int, title: str) -> str:
    """Return the line that annotates a line of a file; ``level`` is ``error``, ``warning`` or ``notice``."""
    properties = {"file": file, "line": str(line), "title": title}
    shown = ",".join(
        f"{name}={_escape(value).replace(':', '%3A').replace(',', '%2C')}"
        for name, value in properties.items()
    )
    return f"::{level} {shown}::{_escape(message)}"


def job_summary(runs: Sequence[JudgedRun]) -> str:
    """Return what all runs measured and how they were judged, as Markdown of at most `LARGEST_SUMMARY` bytes."""
    text = "\n".join(line for run in runs for line in (*_of_run(run), ""))
    if len(text.encode()) > LARGEST_SUMMARY:
        text = text.encode()[: LARGEST_SUMMARY - len(_CUT.encode())].decode(errors="ignore") + _CUT
    return text


def _of_run(run: JudgedRun) -> Iterator[str]:
    result = run.result
    yield f"### `{run.nodeid}`: {result.status}"
    if result.reason:
        yield from ("", *(_cell(line) for line in result.reason.splitlines()))
    if result.workload is not None:
        rows = [(part.name, *measures(part)) for part in by_operation(result.workload)]
        yield from _table(("", *MEASURES), rows)
    # What needs a look comes first.
    verdicts = sorted(run.verdicts, key=lambda verdict: verdict.effect == "passed")
    rows = [
        (
            verdict.effect if verdict.effect == "passed" else f"**{verdict.effect}**",
            f"`{verdict.text}`",
            verdict.measured_text,
            verdict.reason,
        )
        for verdict in verdicts
    ]
    if rows:
        yield from _table(("", "threshold", "measured", "why"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield ""
    for cells in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    return (
        " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
        if "`" not in text
        else text.replace("|", "\\|")
    )


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
