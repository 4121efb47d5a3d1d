"""Folders that hang, as those of a dead NFS server do: here their files are pipes that nobody writes to."""

from __future__ import annotations

import os
import threading
from collections import Counter
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import file_engine
from pytest_sai3bench.plan.model import Endpoint, EndpointRules, FailureMode, Origin
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

S = 1_000_000_000
OBJECTS = 4


class Mounts:
    """Three folders with the same files; the second can hang."""

    def __init__(self, folder: Path) -> None:
        self.endpoints = []
        self.files: list[Path] = []
        for number in range(3):
            root = folder / f"m{number}"
            (root / "data").mkdir(parents=True)
            self.endpoints.append(Endpoint(f"file://{root}/", "file", Origin("", ""), root=f"{root}/"))
            for each in range(OBJECTS):
                path = root / "data" / f"prepared-{each:08d}.dat"
                path.write_bytes(b"x" * 4096)
                if number == 1:
                    self.files.append(path)
        self.hung_ns = 0

    def hang(self) -> None:
        for path in self.files:
            pipe = path.with_suffix(".pipe")
            os.mkfifo(pipe)
            pipe.replace(path)
        self.hung_ns = monotonic_ns()

    def go_on(self) -> None:
        """Let everything that hangs return, and be as before."""
        for path in self.files:
            if not path.is_fifo():
                continue
            whole = path.with_suffix(".whole")
            path.rename(path.with_suffix(".old"))
            whole.write_bytes(b"x" * 4096)
            whole.rename(path)
            try:
                # Whoever waits for a writer reads an end of file.
                while True:
                    os.close(os.open(path.with_suffix(".old"), os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                path.with_suffix(".old").unlink()


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    mounts = Mounts(tmp_path)
    yield mounts
    mounts.go_on()


def make_stage(make_op: Callable[..., Any], duration_s: float) -> StagePlan:
    return StagePlan("workload", duration_s=duration_s, operations=(make_op("get", "data/*"),))


def count_by_endpoint(run: Any) -> Counter[int]:
    return Counter({endpoint: number for (_, endpoint), (number, _) in run.reins.counts().items()})


@pytest.mark.parametrize("failure", ["fail", "continue", "eject"])
def test_a_folder_that_hangs_takes_no_lane_from_the_others(
    make_run: Callable[..., Any], make_op: Callable[..., Any], mounts: Mounts, failure: FailureMode
) -> None:
    run = make_run(
        mounts.endpoints,
        [make_stage(make_op, 1.4)],
        endpoint_rules=EndpointRules(failure, suspect_after_s=0.2, eject_time_s=0.3),
        request_timeout_s=1.0,
    )
    began_ns = monotonic_ns()
    before: Counter[int] = Counter()
    suspected: Counter[int] = Counter()

    def act() -> bool:
        now = monotonic_ns()
        if now - began_ns > 0.3 * S and not mounts.hung_ns:
            before.update(count_by_endpoint(run))
            mounts.hang()
        if mounts.hung_ns and now - mounts.hung_ns > 0.5 * S and not suspected:
            suspected.update(count_by_endpoint(run))
        return False

    run.check()
    result = run.stage(0, stop_when=act)

    counts = count_by_endpoint(run)
    # The four lanes went into it one after the other; others took their place.
    for endpoint in (0, 2):
        assert counts[endpoint] - suspected[endpoint] > 100
    assert result["outcome"] == "completed"
    [outage] = result["outages"]
    assert (outage["endpoint"], outage["ended_ns"], outage["tries"]) == (1, -1, 0)
    assert outage["kind"] == ("ejected" if failure == "eject" else "silent")
    # What has not returned when all is over has failed: at once if ejected, or after the time limit.
    [error] = run.reins.errors()
    assert error[:4] == ("get", 1, "timeout", 4)
    assert error[4].startswith("no end within ")
    assert result["notes"] == []


def test_what_hung_counts_when_it_returns_and_then_there_are_as_many_lanes_as_before(
    make_run: Callable[..., Any], make_op: Callable[..., Any], mounts: Mounts
) -> None:
    run = make_run(
        mounts.endpoints,
        [make_stage(make_op, 2.5)],
        lanes=3,
        endpoint_rules=EndpointRules("continue", suspect_after_s=0.2, eject_time_s=0.3),
    )
    began_ns = monotonic_ns()
    lanes: list[int] = []

    def act() -> bool:
        now = monotonic_ns()
        if now - began_ns > 0.2 * S and not mounts.hung_ns:
            mounts.hang()
        # From when they hang, which on a busy machine is later than meant.
        if mounts.hung_ns and now - mounts.hung_ns > 0.8 * S:
            mounts.go_on()
        lanes.append(sum(lane.is_alive() for lane in run.worker.engine._lanes._lanes))
        return False

    run.check()
    result = run.stage(0, stop_when=act)

    [outage] = result["outages"]
    assert (outage["endpoint"], outage["kind"], outage["tries"]) == (1, "silent", 0)
    assert outage["ended_ns"] > outage["began_ns"]
    assert run.reins.errors() == []
    late = [wire for wire in result["sections"]["measured"] if wire["endpoint"] == 1 and wire["bucket"] == 0]
    # They read nothing, but that took long.
    assert [(wire["count"], wire["bytes"]) for wire in late] == [(3, 0)]
    assert late[0]["min_ns"] > 0.3 * S
    assert max(lanes) == 6
    back = len(lanes) - lanes[::-1].index(6)
    assert 3 in lanes[back:]


def test_a_lane_that_runs_has_moved_and_one_that_hangs_has_not(tmp_path: Path) -> None:
    """A large file is read for long, but its lane runs again and again."""
    pipe, whole, over = tmp_path / "pipe", tmp_path / "whole", threading.Event()
    os.mkfifo(pipe)
    whole.write_bytes(b"x" * 4096)

    def read_on() -> None:
        while not over.is_set():
            whole.read_bytes()

    hangs: Any = threading.Thread(target=pipe.read_bytes)
    runs: Any = threading.Thread(target=read_on)
    for each in (hangs, runs):
        each.start()
    moved = file_engine._FileLane.moved
    try:
        before = moved(runs)
        deadline = monotonic_ns() + 20 * S
        while moved(runs) == before and monotonic_ns() < deadline:
            continue
        assert moved(runs) != before
        # It has come to the pipe when it has not run for a while.
        still, since = moved(hangs), monotonic_ns()
        while monotonic_ns() < since + S // 5 and monotonic_ns() < deadline:
            if moved(hangs) != still:
                still, since = moved(hangs), monotonic_ns()
        assert moved(hangs) == still
    finally:
        over.set()
        pipe.write_bytes(b"")
        for each in (hangs, runs):
            each.join(20)
