from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent.commands import run_command

if TYPE_CHECKING:
    from collections.abc import Callable


class _Going:
    def check(self, _now_ns: int) -> bool:
        return False


class _Stopping:
    """A control that stops as soon as ``ready`` is true; it gives up after a minute."""

    def __init__(self, ready: Callable[[], bool]) -> None:
        self._ready = ready
        self._until = monotonic() + 60

    def check(self, _now_ns: int) -> bool:
        return self._ready() or monotonic() > self._until


@pytest.mark.parametrize(
    ("command", "failure"),
    [
        (["true"], ""),
        (["false"], "false ended with status 1"),
        (["sh", "-c", "echo first; echo second >&2; exit 7"], "sh ended with status 7: first\nsecond"),
        (["sh", "-c", "kill -9 $$"], "sh was ended by signal 9"),
        (["/no/such/program"], "/no/such/program cannot be run: No such file or directory"),
        # There is no shell, and nothing to read.
        (["test", "$HOME", "=", "$HOME"], ""),
        (["sh", "-c", "cat; exit 0"], ""),
    ],
)
def test_why_a_command_failed(command: list[str], failure: str) -> None:
    assert run_command(command, _Going()) == failure


def test_a_command_may_write_much_and_its_end_is_kept() -> None:
    program = "import sys; sys.stdout.write('x' * 1_000_000); sys.stdout.write('the end'); sys.exit(1)"
    failure = run_command([sys.executable, "-c", program], _Going())

    assert failure.startswith(f"{sys.executable} ended with status 1: xxx")
    assert failure.endswith("xthe end")
    assert failure.count("x") <= 2000 + sys.executable.count("x")


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM; "])
def test_a_stop_ends_all_that_a_command_started(tmp_path: Path, stubborn: str) -> None:
    note = tmp_path / "pids"
    script = f"{stubborn}sleep 600 & echo $! $$ > {note}.new; mv {note}.new {note}; wait; wait; sleep 600"
    assert run_command(["sh", "-c", script], _Stopping(note.exists)) == ""

    for pid in map(int, note.read_text().split()):
        # Whoever adopts the child may not have buried it yet.
        stat = Path(f"/proc/{pid}/stat")
        with suppress(FileNotFoundError, ProcessLookupError):
            assert stat.read_text().rpartition(")")[2].split()[0] in "XZ"
