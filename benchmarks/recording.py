"""Nanoseconds that the recorder takes for one operation: ``python benchmarks/recording.py``.

Operations of a mixed load with log-normal latencies over four endpoints and three sizes, each with an instant of its own,
as they come from the event loop. The cost of the loop around the calls is measured by itself and taken off.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections import deque
from random import Random
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.recorder import SECOND_NS, Recorder, Window, series_base

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATIONS = 200_000
ROUNDS = 7
ENDPOINTS = 4
GOAL_NS = 600

_Operation = tuple[int, int, int, int]


def draw_operations(rng: Random) -> list[_Operation]:
    """Return base, instant, latency and size of each; 50,000 in a second."""
    return [
        (
            series_base(rng.choice((0, 0, 1, 3)), number % ENDPOINTS, ENDPOINTS),
            number * SECOND_NS // 50_000,
            int(rng.lognormvariate(13.8, 0.6)),
            rng.choice((4096, 65536, 1 << 20)),
        )
        for number in range(OPERATIONS)
    ]


def measure(record: Callable[[int, int, int, int], object], operations: list[_Operation]) -> float:
    """Return CPU nanoseconds per call, the loop around it taken off."""
    before = time.process_time_ns()
    for _base, _now, _latency, _size in operations:
        pass
    between = time.process_time_ns()
    for base, now, latency, size in operations:
        record(base, now, latency, size)
    return (time.process_time_ns() - between - (between - before)) / len(operations)


def main() -> None:
    operations = draw_operations(Random(1))
    costs = []
    for _ in range(ROUNDS):
        recorder = Recorder(Window(0, 0, 1 << 62), deque())
        costs.append(measure(recorder.record, operations))
    print(f"recording one operation, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(
        f"{statistics.median(costs):.0f} ns (median of {ROUNDS}, {min(costs):.0f} to {max(costs):.0f}; "
        f"goal: at most {GOAL_NS})"
    )


if __name__ == "__main__":
    main()
