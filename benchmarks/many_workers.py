"""What many workers cost the controller, how long they take to start, and how close together they begin.

    python benchmarks/many_workers.py [--workers 64] [--gateways 8] [--runs 10] [--seconds 5] [--each 2]

Each gateway is a host of its own to the controller: a Python with its keeper, and workers started through it. They read
a small file ``--each`` times per second and worker, so that nearly all the CPU is that of staying in touch. Of every
worker a tick is expected for each second of the window; one that did not come is missed. ``start`` is the time from
nothing to the begin of the load, ``its CPU`` the CPU time of the controller until then, ``skew`` that between the first
and the last worker to begin, ``CPU`` that of the controller while the load goes on, of one core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from suites import perform, plan_suite

from pytest_sai3bench.fleet.observer import Observer

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan

_SUITE = """
target: file://{folder}/
concurrency: {processes}
processes: {processes}
duration: {seconds}s
io_rate: {{iops: {rate}, distribution: deterministic}}
distributed:
  agents: [{agents}]
workload:
  - {{op: get, path: one, weight: 1}}
"""


class Cost(NamedTuple):
    """What one run showed."""

    start_s: float
    start_cpu_s: float
    skew_s: float
    cpu: float
    ticks: int
    missed: int


class _Watch(Observer):
    """Counts ticks, and the CPU of this process from the begin of the load to the last result."""

    def __init__(self, plan: RunPlan, seconds: int) -> None:
        self.came: set[tuple[int, int]] = set()
        self.expected = {(worker.worker, tick) for worker in plan.workers for tick in range(seconds)}
        self.began_at = self.ended_at = self.spent_s = self.cpu_s = 0.0

    def began(self, _stage: int, start_ns: int) -> None:
        self.began_at, self.spent_s = start_ns / 1e9, time.process_time()

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        self.came.add((worker.worker, tick["tick"]))

    def ended(self, _phase: object) -> None:
        self.ended_at = time.monotonic()
        self.cpu_s = time.process_time() - self.spent_s


def measure(workers: int, gateways: int, seconds: int, each: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "one").write_text("x")
        agents = ", ".join(
            f"{{address: host-{number}, gateway: 'popen//python=env HOST={number} {sys.executable}'}}"
            for number in range(gateways)
        )
        plan = plan_suite(
            _SUITE.format(
                folder=folder,
                processes=workers // gateways,
                seconds=seconds,
                rate=each * workers,
                agents=agents,
            )
        )
        watch = _Watch(plan, seconds)
        asked, spent_s = time.monotonic(), time.process_time()
        workload = perform(plan, observers=[watch])
    # The earliest of all workers is not kept; none begins before the instant.
    skew_s = max(agent.start_skew_s + agent.clock_error_s for agent in workload.agents)
    return Cost(
        watch.began_at - asked,
        watch.spent_s - spent_s,
        skew_s,
        watch.cpu_s / (watch.ended_at - watch.began_at),
        len(watch.came),
        len(watch.expected - watch.came),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--gateways", type=int, default=8)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--each", type=int, default=2)
    options = parser.parse_args()
    print(
        f"{options.workers} workers through {options.gateways} gateways, {options.each} operations/s each, "
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load average {os.getloadavg()[0]:.1f}"
    )
    print(f"{'run':>4}{'start':>9}{'its CPU':>10}{'skew':>11}{'CPU':>8}{'ticks':>8}{'missed':>8}")
    costs = []
    for number in range(options.runs):
        costs.append(measure(options.workers, options.gateways, options.seconds, options.each))
        print(_line(str(number + 1), costs[-1]), flush=True)
    print(_line("mid", Cost(*(median(values) for values in zip(*costs)))))
    print(_line("max", Cost(*map(max, zip(*costs)))))


def _line(name: str, cost: Cost) -> str:
    return f"{name:>4}{cost.start_s:7.2f} s{cost.start_cpu_s:8.2f} s{cost.skew_s * 1e3:8.2f} ms{cost.cpu:8.1%}{cost.ticks:8.0f}{cost.missed:8.0f}"


if __name__ == "__main__":
    main()
