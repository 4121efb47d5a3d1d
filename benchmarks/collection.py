"""What the plugin costs before anything runs: collecting many suites, and loading it where there are none.

python benchmarks/collection.py [SUITES]
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 10
GOAL_COLLECT_S = 5.0
GOAL_IMPORT_MS = 50.0

SUITE = """\
# Suite {number} of a folder for one storage system with eight addresses.
name: mixed-{number}
multi_endpoint:
  strategy: least_connections
  endpoints:
    - s3://10.0.0.1:9000/bench-{number}/
    - s3://10.0.0.2:9000/bench-{number}/
    - s3://10.0.0.3:9000/bench-{number}/
    - s3://10.0.0.4:9000/bench-{number}/
    - s3://10.0.0.5:9000/bench-{number}/
    - s3://10.0.0.6:9000/bench-{number}/
    - s3://10.0.0.7:9000/bench-{number}/
    - s3://10.0.0.8:9000/bench-{number}/

duration: 60s
warmup: 5s
concurrency: 64

prepare:
  ensure_objects:
    - base_uri: data/
      count: 10_000
      size_spec: {{type: uniform, min: 4KiB, max: 1MiB}}
  cleanup: true

workload:
  - {{op: get, path: "data/*", weight: 60}}
  - {{op: put, path: new/, weight: 20, object_size: 1MiB}}
  - {{op: list, path: data/, weight: 5}}
  - {{op: stat, path: "data/*", weight: 10}}
  - {{op: delete, path: "data/*", weight: 5}}

thresholds:
  - get.throughput >= 500 MiB/s
  - get.p99 < 20 ms
  - put.p95 < 80 ms
  - each(endpoint).get.p99 < 25 ms
  - endpoints.imbalance <= 5%
  - {{rule: list.p99 < 50 ms, severity: warn}}
"""


def time_pytest(*arguments: str, cwd: Path) -> float:
    """Return the wall time of one run of pytest in seconds; a plugin that is slow at the end is left out."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
        *arguments,
    ]
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def measure_collection(suites: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(suites):
            folder.joinpath(f"suite_{number:04d}.sai3.yaml").write_text(SUITE.format(number=number))
        taken_s = time_pytest("--collect-only", "-qq", cwd=folder)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = SUITE.count("\n")
    cpu_s = usage.ru_utime + usage.ru_stime
    print(
        f"{suites} suites of {lines} lines collected in {taken_s:.2f} s, {cpu_s:.2f} s of them CPU "
        f"(goal: at most {GOAL_COLLECT_S:g} s for 1000)"
    )


def measure_import() -> None:
    """Alternate the two, so that a busy machine disturbs both alike; a single ``-V`` would load no plugins."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The first start of each writes byte code.
        time_pytest("-VV", cwd=folder)
        pairs = [
            (time_pytest("-VV", cwd=folder), time_pytest("-VV", "-p", "no:sai3bench", cwd=folder))
            for _ in range(PAIRS)
        ]
    added_ms = statistics.median(loaded - bare for loaded, bare in pairs) * 1000
    bare_ms = statistics.median(bare for _, bare in pairs) * 1000
    print(
        f"pytest -VV takes {bare_ms:.0f} ms without the plugin, {added_ms:+.0f} ms with it "
        f"(median of {PAIRS} pairs, goal: at most {GOAL_IMPORT_MS:g} ms)"
    )


if __name__ == "__main__":
    for name in ("PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    measure_collection(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    measure_import()
