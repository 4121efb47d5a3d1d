"""Many tiny files: made in a tree, found by a second run, left alone by its cleanup; and what memory that takes.

python benchmarks/many_files.py [--counts 10000 100000] [--folder DIR] [--limit S]

The first run makes all files and keeps them. The second finds all but every tenth of the last directory, which were
removed meanwhile, makes these, works on them for a second, and removes what it made: so all others must still be there.
The third, with everything gone, makes them and removes all. Peak memory is that of the agent, from its results.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Two levels of directories, as many in each as make the count.
FILES_PER_DIR = 100
# What a worker may need more for the largest count than for the smallest, in MiB.
GOAL_GROWTH_MIB = 16

SUITE = """\
target: file://{folder}/
duration: 1s
concurrency: 4
prepare:
  cleanup: {cleanup}
  directory_structure: {{width: {width}, depth: 2, files_per_dir: {files}}}
  ensure_objects: [{{base_uri: tree/, count: 0, size_spec: 1}}]
workload:
  - {{op: get, path: any, weight: 1}}
  - {{op: stat, path: any, weight: 1}}
"""


def run(suite: Path, limit_s: float) -> dict[str, tuple[float, int, int]]:
    """Run a suite; return for each phase its seconds, its operations, and the peak of its memory in bytes."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--sai3-results=results",
        suite.name,
    ]
    subprocess.run(command, cwd=suite.parent, check=True, timeout=limit_s, stdout=subprocess.DEVNULL)
    (result,) = (suite.parent / "results" / "latest").resolve().rglob("result.json")
    phases = {}
    for phase in json.loads(result.read_text(encoding="utf-8"))["phases"]:
        (agent,) = phase["agents"]
        operations = sum(series["ops"] for series in phase["series"])
        phases[phase["phase"]] = (agent["wall_s"], operations, agent["max_rss_bytes"])
    return phases


def report(what: str, phases: dict[str, tuple[float, int, int]]) -> float:
    """Print one run; return its peak of memory in MiB."""
    parts = []
    for name in ("prepare", "cleanup"):
        if name in phases:
            wall_s, operations, _ = phases[name]
            parts.append(f"{name} {operations:,} operations in {wall_s:.1f} s")
    peak_mib = max(peak for _, _, peak in phases.values()) / 2**20
    print(f"  {what}: {', '.join(parts)}, peak {peak_mib:.1f} MiB", flush=True)
    return peak_mib


def measure(count: int, parent: Path | None, limit_s: float) -> float:
    """Run all three on about so many files; return the highest peak of memory in MiB."""
    width = max(1, round((count / FILES_PER_DIR) ** 0.5))
    total = width**2 * FILES_PER_DIR
    print(f"{total:,} files in {width + width**2:,} directories", flush=True)
    base = Path(tempfile.mkdtemp(prefix="many-files-", dir=parent))
    try:
        folder = base / "mount"
        folder.mkdir()
        suites = {}
        for cleanup in ("false", "true"):
            suites[cleanup] = base / f"cleanup_{cleanup}.sai3.yaml"
            text = SUITE.format(folder=folder, cleanup=cleanup, width=width, files=FILES_PER_DIR)
            suites[cleanup].write_text(text, encoding="utf-8")
        peaks = [report("made", run(suites["false"], limit_s))]
        last = folder / "tree" / f"sai3bench.d1_w{width}.dir" / f"sai3bench.d2_w{width}.dir"
        missing = sorted(last.iterdir())[::10]
        for path in missing:
            path.unlink()
        peaks.append(report("found", run(suites["true"], limit_s)))
        left = sum(1 for path in folder.rglob("*") if path.is_file())
        assert left == total - len(missing), f"{total - left} files are gone instead of {len(missing)}"
        shutil.rmtree(folder / "tree")
        peaks.append(report("made and removed", run(suites["true"], limit_s)))
        assert not list(folder.iterdir()), "something was left behind"
        return max(peaks)
    finally:
        shutil.rmtree(base)


def main() -> None:
    """Compare the peaks of all counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--counts", type=int, nargs="+", default=[10_000, 100_000], help="numbers of files")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where to make them, a temporary folder by default"
    )
    parser.add_argument("--limit", type=float, default=900, help="seconds that one run may take")
    options = parser.parse_args()
    peaks = [measure(count, options.folder, options.limit) for count in sorted(options.counts)]
    print(
        f"{peaks[-1] - peaks[0]:+.1f} MiB from the smallest to the largest (goal: at most +{GOAL_GROWTH_MIB} MiB)"
    )


if __name__ == "__main__":
    main()
