"""Whatever ends a session early ends its agents, too."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

# What is promised of agents without a controller.
_ALONE_S = 15.0


def _children() -> set[str]:
    """Return the children of this process, whichever of its threads started them."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found |= set((task / "children").read_text().split())
    return found


@pytest.mark.parametrize("options", ["-x", "--maxfail=1 -n1"])
def test_nothing_runs_after_the_last_failure_that_counts(
    pytester: pytest.Pytester, store: Path, write_suite_of_two: Callable[..., None], options: str
) -> None:
    """The item that fails is the one that carries the run out."""
    for name in ("one", "two"):
        write_suite_of_two("get.max < 1 us", name=name, duration="200ms")
    before = _children()
    result = pytester.runpytest_inprocess("-k", "get.max", *options.split())

    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    result.assert_outcomes(failed=1, deselected=4)
    results = pytester.path / "sai3-results" / "latest"
    assert [path.name for path in results.iterdir() if path.is_dir()] == ["one.sai3"]
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert _children() - before == set()


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_a_timeout_of_pytest_timeout(
    pytester: pytest.Pytester,
    store: Path,
    write_suite_of_two: Callable[..., None],
    processes_of: Callable[[Path], list[int]],
    method: str,
) -> None:
    """One of its methods raises in the middle of the run, the other ends the process on the spot."""
    pytest.importorskip("pytest_timeout")
    write_suite_of_two("get.max < 1 us", name="suite", duration="1h")
    # It is the load that takes too long, however busy the machine is before.
    pytester.makeini("[pytest]\ntimeout_func_only = true")
    command = [sys.executable, "-m", "pytest", "--timeout=1", f"--timeout-method={method}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    ended_s = monotonic()
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"

    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    if method == "signal":
        assert "Failed: Timeout (>1.0s) from pytest-timeout." in done.stdout
        run = json.loads((folder / "result.json").read_text())["run"]
        assert (run["status"], run["reason"]) == ("interrupted", "interrupted during workload")
        assert [path for path in store.rglob("*") if path.is_file()] == []
        assert [pid for pid in processes_of(pytester.path) if pid != os.getpid()] == []
    else:
        assert "Timeout" in done.stdout + done.stderr
        assert not (folder / "result.json").exists()
        for pid in processes_of(pytester.path):
            if pid == os.getpid():
                continue
            try:
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            assert select.select([handle], [], [], max(0.0, ended_s + _ALONE_S - monotonic()))[0]
            os.close(handle)
