"""Whether a rate is kept, and whether latency from the schedule shows a stall as theory says.

    python benchmarks/rate.py [--seconds 10] [--rate 2000] [--processes 2]

Everything runs as it does for users, against nginx. For the second table its process is stopped in the middle of the
window: of all operations a share of (S - x) / W must then take longer than x, for a stall S in a window W.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nginx import serve_objects
from suites import perform, plan_suite

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.results.model import PhaseResult

_SUITE = """
target: s3://127.0.0.1:{port}/bench/
concurrency: 64
processes: {processes}
duration: {seconds}s
warmup: 500ms
io_rate: {{iops: {rate}, distribution: {distribution}}}
workload:
  - {{op: get, path: "data/*", weight: 1}}
"""
_STALL_S = 2.0


def measure(during: Callable[[], None] = lambda: None, **values: object) -> PhaseResult:
    beside = threading.Thread(target=during)
    workload = perform(plan_suite(_SUITE.format(**values)), before_load=beside.start)
    beside.join()
    return workload


def stop_for_a_while(before_s: float) -> None:
    """Stop the processes of nginx, which are children of this one, for the length of the stall."""
    time.sleep(before_s)
    pids = [pid for child in _children(os.getpid()) for pid in _children(child)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(_STALL_S)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    found = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    # Agents have children of their own, or none.
    return [child for child in found if b"nginx" in Path(f"/proc/{child}/cmdline").read_bytes()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print(
        f"{options.rate}/s for {options.seconds} s, {options.processes} processes, {os.cpu_count()} cores, "
        f"Python {sys.version.split()[0]}"
    )
    print(f"{'distribution':16}{'due':>8}{'done/s':>10}{'off by':>9}{'missed':>8}{'lag p99':>11}{'late':>7}")
    with serve_objects(1000, 4096) as port:
        common = {"port": port, "processes": options.processes, "seconds": options.seconds}
        for distribution in ("deterministic", "uniform", "exponential"):
            phase = measure(rate=options.rate, distribution=distribution, **common)
            [agent] = phase.agents
            done = phase.ops_per_s(phase.tally())
            print(
                f"{distribution:16}{agent.due_starts:8}{done:10.1f}{done / options.rate - 1:9.2%}"
                f"{agent.missed_starts:8}{agent.start_lag_p99_s * 1e6:8.0f} us{agent.late_starts:7}"
            )
        rate = options.rate // 4
        stalled = measure(lambda: stop_for_a_while(2.0), rate=rate, distribution="deterministic", **common)
    print(f"\nlatency at {rate}/s when the server stalls for {_STALL_S:g} s of {options.seconds} s")
    print(f"{'percentile':12}{'theory':>10}{'response':>11}{'service':>11}")
    tally = stalled.tally()
    for percent in (50.0, 85.0, 90.0, 95.0, 99.0):
        theory = max(0.0, _STALL_S - (1 - percent / 100) * options.seconds)
        response, service = (part.percentile_ns(percent) / 1e9 for part in (tally.response, tally.latency))
        print(f"p{percent:<11g}{theory:8.3f} s{response:9.3f} s{service:9.3f} s")


if __name__ == "__main__":
    main()
