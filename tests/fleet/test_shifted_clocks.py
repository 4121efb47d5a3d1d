"""Hosts whose clocks show another time, or run at another speed: one start and one time for all agents."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent.op_log import COLUMNS
from pytest_sai3bench.fleet import fleet
from pytest_sai3bench.fleet.intervals import Intervals
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.timeline import Interval

_SUITE = """
    duration: 300ms
    concurrency: 2
    op_log: {{}}
    io_rate: {{iops: 200, distribution: deterministic}}
    distributed:
      agents:
        - {{address: localhost, id: here, target_override: "file://{{tmp}}/m1/"}}
        - {{address: there, id: there, gateway: "popen//python={python}", target_override: "file://{{tmp}}/m2/"}}
    prepare:
      ensure_objects: [{{base_uri: data/, count: 8, size_spec: 1}}]
      post_prepare_delay: {rest}
    workload:
      - {{op: get, path: "data/*", weight: 1}}
"""
# Both clocks of Python go ``speed`` times as fast, and show ``shift`` seconds more.
_CLOCK = """
import time

def change(name, unit):
    true = getattr(time, name)
    setattr(time, name, lambda: type(unit)(true() * {speed} + {shift} * unit))

for name, unit in (("monotonic", 1.0), ("monotonic_ns", 10**9), ("time", 1.0), ("time_ns", 10**9)):
    change(name, unit)
"""
_SHIFT_S = 100_000


class _Log(Observer):
    """The lines of all agents' logs of operations: who, and when it began."""

    def __init__(self) -> None:
        self._pieces: dict[str, bytes] = {}

    def logged(self, agent: str, piece: bytes) -> None:
        self._pieces[agent] = self._pieces.get(agent, b"") + piece

    def instants(self, agent: str) -> list[float]:
        """Return when operations of an agent began and ended, in seconds since the epoch."""
        lines = gzip.decompress(self._pieces[agent]).decode().splitlines()
        rows = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]
        # Python reads six digits of a second, no more.
        return [
            datetime.fromisoformat(f"{row[column][:26]}+00:00").timestamp()
            for row in rows
            for column in ("start", "end")
        ]


def _perform(plan: RunPlan, *observers: Observer) -> tuple[Run, float, float]:
    """Return the run, and when it began and ended by our clock."""
    began = time.time()
    run = Run(plan, None, run_id="run", started_at=began, observers=observers)
    try:
        run.prepare()
        run.work()
    finally:
        run.clean_up()
    return run, began, time.time()


def _with_clock(folder: Path, *, speed: float, shift: int) -> str:
    """Return the command of a Python that has a clock of its own."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(_CLOCK.format(speed=speed, shift=shift))
    return f"env PYTHONPATH={folder} {sys.executable}"


def _in_another_time(_folder: Path) -> str:
    """Return the command of a Python in a namespace whose monotonic clock is the kernel's own, shifted."""
    command = ["unshare", "-T", "--monotonic", str(_SHIFT_S)]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs the right to make time namespaces (root)")
    return " ".join([*command, sys.executable])


def _with_shifted_clock(folder: Path) -> str:
    return _with_clock(folder, speed=1, shift=_SHIFT_S)


@pytest.mark.parametrize("python_in", [_in_another_time, _with_shifted_clock])
def test_a_shifted_clock_changes_neither_start_nor_time(
    plan_of: Callable[[str], RunPlan], store: Path, tmp_path: Path, python_in: Callable[[Path], str]
) -> None:
    plan = plan_of(_SUITE.format(python=python_in(tmp_path / "clock"), rest=0))
    log, intervals = _Log(), list[tuple[str, "Interval"]]()
    cut = Intervals(plan, lambda phase, _started_at, interval: intervals.append((phase, interval)))
    run, began, ended = _perform(plan, log, cut)
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    for phase in result.phases:
        here, there = phase.agents
        # The error is a bound, no guess.
        assert abs(here.clock_offset_s) <= here.clock_error_s
        assert abs(there.clock_offset_s - _SHIFT_S) <= there.clock_error_s
        # By its own clock nobody begins before the instant it was told, and nobody a day later.
        assert min(here.start_skew_s, there.start_skew_s) >= 0
        assert max(here.start_skew_s, there.start_skew_s) < 60
    assert result.workload is not None
    assert [agent.due_starts for agent in result.workload.agents] == [30, 30]
    # Whatever the host's own clock says.
    for agent in ("here", "there"):
        instants = log.instants(agent)
        error_s = next(each.clock_error_s for each in result.workload.agents if each.agent == agent)
        assert began - error_s <= min(instants) <= max(instants) <= ended + error_s
    # Seconds are those since the common start.
    measured = [interval for phase, interval in intervals if phase == "workload"]
    assert max(interval.end_s for interval in measured) < 60
    assert {key.agent for interval in measured for key in interval.sections["measured"]} == {"here", "there"}


def test_a_clock_that_drifts_is_compared_again(
    plan_of: Callable[[str], RunPlan], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "_CLOCK_S", 0.0)
    python = _with_clock(tmp_path / "clock", speed=2, shift=0)
    run, _, _ = _perform(plan_of(_SUITE.format(python=python, rest="500ms")))
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    prepare, workload = (
        next(agent for agent in phase.agents if agent.agent == "there") for phase in result.phases
    )
    # At twice the speed the rest after prepare takes a quarter of a second, in which its clock gains as much.
    gained_s = workload.clock_offset_s - prepare.clock_offset_s
    assert gained_s >= 0.25 - prepare.clock_error_s - workload.clock_error_s
