"""What reads of whole files cost: ours, and fio with the same files, block and number of threads, in one run.

fio's ``sync`` engine with threads does what we do: a lane opens a file, reads it with one call and closes it, then the
next one. Ours runs as it does for users: suite, plan, agent processes. The two take turns in every round; the table
shows medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from suites import perform, plan_suite

if TYPE_CHECKING:
    from collections.abc import Sequence

_SUITE = """
target: {scheme}://{folder}/
concurrency: {lanes}
processes: {processes}
duration: {seconds}s
warmup: 300ms
workload:
  - {{op: get, path: "data/*", weight: 1}}
"""
_NAME = "object.{}"


class Work(NamedTuple):
    """What is read: ``count`` files of ``size`` bytes, by ``lanes`` at one time."""

    scheme: Literal["file", "direct"]
    count: int
    size: int
    lanes: int


class Sample(NamedTuple):
    """One measurement: bytes per second, CPU microseconds per operation."""

    bytes_per_s: float
    cpu_us: float


def compare(work: Work, processes: Sequence[int]) -> None:
    """Measure in rounds as the command line says, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--lanes", type=int, default=work.lanes)
    parser.add_argument(
        "--folder", help="where the files are written; by default the folder for temporary files"
    )
    options = parser.parse_args()
    if shutil.which("fio") is None:
        parser.exit(1, "fio is not installed\n")
    work = work._replace(lanes=options.lanes)
    samples: dict[str, list[Sample]] = {}
    with tempfile.TemporaryDirectory(prefix="sai3bench-", dir=options.folder) as name:
        folder = Path(name)
        write_files(work, folder / "data")
        for _ in range(options.rounds):
            samples.setdefault("fio", []).append(measure_fio(work, folder, options.seconds))
            for number in processes:
                label = f"pytest-sai3bench, {number} process{'es' if number > 1 else ''}"
                samples.setdefault(label, []).append(measure_ours(work, folder, options.seconds, number))
    show(work, samples)


def write_files(work: Work, folder: Path) -> None:
    """Write the files, all with bytes on the storage."""
    folder.mkdir()
    for number in range(work.count):
        with (folder / _NAME.format(number)).open("wb") as file:
            file.write(os.urandom(work.size))
            os.fsync(file.fileno())


def measure_ours(work: Work, folder: Path, seconds: float, processes: int) -> Sample:
    """Run a suite that does nothing but read."""
    text = _SUITE.format(
        scheme=work.scheme, folder=folder, lanes=work.lanes, processes=processes, seconds=seconds
    )
    workload = perform(plan_suite(text))
    tally = workload.tally()
    assert not tally.errors
    warmup = sum(part.requests for part in workload.warmup.values())
    # CPU is that of whole processes over the whole stage, so all of its operations count.
    cpu_s = sum(agent.cpu_s for agent in workload.agents)
    return Sample(workload.ops_per_s(tally) * work.size, cpu_s / (tally.requests + warmup) * 1e6)


def measure_fio(work: Work, folder: Path, seconds: float) -> Sample:
    """Let fio read the same files."""
    command = [
        "fio",
        "--name=read",
        "--ioengine=sync",
        "--thread",
        f"--numjobs={work.lanes}",
        "--group_reporting",
        "--rw=read",
        f"--bs={work.size}",
        f"--directory={folder / 'data'}",
        f"--filename_format={_NAME.format('$filenum')}",
        f"--nrfiles={work.count}",
        f"--size={work.count * work.size}",
        f"--direct={int(work.scheme == 'direct')}",
        # By default fio drops the pages of its files when it starts.
        "--invalidate=0",
        "--fadvise_hint=0",
        "--time_based",
        "--ramp_time=300ms",
        f"--runtime={seconds}",
        "--output-format=json",
    ]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60 + seconds).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    read = json.loads(text)["jobs"][0]["read"]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The ramp costs CPU, but its operations are not counted.
    return Sample(read["bw_bytes"], cpu_s / (read["iops"] * (seconds + 0.3)) * 1e6)


def show(work: Work, samples: dict[str, list[Sample]]) -> None:
    """Print medians, and each client's throughput against that of fio in the same round."""
    print(
        f"reads of {work.count} files of {work.size >> 10} KiB, {work.scheme}://, {work.lanes} lanes, "
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    print(f"{'client':32}{'MiB/s':>9}{'min':>8}{'max':>8}{'CPU us/op':>12}{'throughput vs fio':>20}")
    for name, measured in samples.items():
        rates = [sample.bytes_per_s / 2**20 for sample in measured]
        ratios = [
            ours.bytes_per_s / theirs.bytes_per_s
            for ours, theirs in zip(measured, samples["fio"], strict=True)
        ]
        cpu_us = statistics.median(sample.cpu_us for sample in measured)
        print(
            f"{name:32}{statistics.median(rates):9.0f}{min(rates):8.0f}{max(rates):8.0f}{cpu_us:12.1f}"
            f"{statistics.median(ratios):19.2f}x"
        )
