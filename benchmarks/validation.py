"""How long it takes to validate one large suite, with and without something to say about most of its entries.

python benchmarks/validation.py [LINES]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL_S = 1.0
ROUNDS = 5
MAIN = "import sys; from pytest_sai3bench.cli import main; sys.exit(main())"

HEAD = """\
name: large
target: s3://10.0.0.1:9000/bench/
duration: 60s
thresholds: [get.p99 < 20 ms, put.throughput >= 500 MiB/s]
prepare:
  ensure_objects: [{base_uri: data/, count: "1,000,000", size_spec: 64KiB}]
workload:
"""
ENTRY = """\
  # A reader and a writer.
  - op: get
    path: data/{number}/*
    weight: 10
  - op: put
    path: new/{number}/
    weight: 5
    size_spec: {{type: lognormal, mean: 1MiB, std_dev: 512KiB}}
    {more}
"""


def time_validation(lines: int, more: str) -> tuple[float, str]:
    """Return the least CPU time of some runs in seconds, and what was counted; the machine may be busy."""
    count = (lines - HEAD.count("\n")) // ENTRY.count("\n")
    with tempfile.TemporaryDirectory() as name:
        suite = Path(name, "large.sai3.yaml")
        suite.write_text(HEAD + "".join(ENTRY.format(number=number, more=more) for number in range(count)))
        taken = []
        for _ in range(ROUNDS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-c", MAIN, "validate", str(suite)]
            shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return min(taken), shown.splitlines()[-1]


if __name__ == "__main__":
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    for more in ("fill: random", "wieght: 5"):
        cpu_s, counted = time_validation(lines, more)
        print(
            f"{lines:,} lines ({counted}): {cpu_s:.2f} s of CPU, start of Python included "
            f"(best of {ROUNDS}, goal: at most {GOAL_S:g} s)"
        )
