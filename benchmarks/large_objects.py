"""Client CPU per GiB of objects of 8 MiB: ours and curl, in one run.

    python benchmarks/large_objects.py [--rounds 3] [--seconds 2]

GETs that are dropped in the kernel, the same in ranges of 1 MiB, GETs that are copied, GETs that are copied and verified,
and PUTs; curl reads to /dev/null and uploads a file from the page cache. One operation at a time on one connection, for all. Objects live in memory (/dev/shm).
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from nginx import object_name, serve_folder
from suites import perform, plan_suite

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 8 << 20
OBJECTS = 4
_REPEATS = 48
_MEMORY = "/dev/shm"
_GIB = 1 << 30
_SUITE = """
target: s3://127.0.0.1:{port}/bench/
concurrency: 1
duration: {seconds}s
workload:
  - {operation}
"""
_GET = '{op: get, path: "data/*", weight: 1}'
_COPIED = f"{_GET}\nread_sink: copy"
_RANGED = '{op: get, path: "data/*", weight: 1, range: {size: 1MiB}}'
_VERIFIED = """{op: get, path: new/prepared-00000000.dat, weight: 1, verify: true}
prepare: {force_overwrite: true, ensure_objects: [{base_uri: new/, count: 1, min_size: 8MiB, max_size: 8MiB}]}
"""
_PUT = "{op: put, path: new/, object_size: 8MiB, weight: 1}"


class Sample(NamedTuple):
    """CPU seconds per GiB, and GiB per second."""

    cpu_s: float
    gib_per_s: float


def measure_ours(port: int, operation: str, seconds: float) -> Sample:
    workload = perform(plan_suite(_SUITE.format(port=port, seconds=seconds, operation=operation)))
    tally = workload.tally()
    assert not workload.errors, workload.errors
    moved = tally.requests * SIZE / _GIB
    agent = workload.agents[0]
    return Sample(agent.cpu_s / moved, moved / agent.wall_s)


def measure_curl(arguments: list[str]) -> Sample:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(["curl", "--silent", "--fail", *arguments], check=True, timeout=120)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    moved = _REPEATS * SIZE / _GIB
    return Sample(cpu / moved, moved / wall)


def curl_get(port: int) -> list[str]:
    urls = [f"http://127.0.0.1:{port}/bench/{object_name(n % OBJECTS)}" for n in range(_REPEATS)]
    return [word for url in urls for word in ("-o", "/dev/null", url)]


def curl_put(port: int, file: Path) -> list[str]:
    urls = [f"http://127.0.0.1:{port}/bench/new/curl-{n}" for n in range(_REPEATS)]
    return ["-H", "Expect:", *(word for url in urls for word in ("-T", str(file), url))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    samples: dict[str, list[Sample]] = {}
    with serve_folder(OBJECTS, SIZE, _MEMORY) as (port, bucket):
        file = bucket / object_name(0)
        for _ in range(options.rounds):
            samples.setdefault("curl GET", []).append(measure_curl(curl_get(port)))
            samples.setdefault("GET, dropped", []).append(measure_ours(port, _GET, options.seconds))
            samples.setdefault("GET, copied", []).append(measure_ours(port, _COPIED, options.seconds))
            samples.setdefault("GET, ranges", []).append(measure_ours(port, _RANGED, options.seconds))
            samples.setdefault("GET, verified", []).append(measure_ours(port, _VERIFIED, options.seconds))
            samples.setdefault("curl PUT", []).append(measure_curl(curl_put(port, file)))
            empty(bucket / "new")
            samples.setdefault("PUT", []).append(measure_ours(port, _PUT, options.seconds / 4))
            empty(bucket / "new")
    show(samples)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def show(samples: dict[str, list[Sample]]) -> None:
    print(f"objects of 8 MiB, nginx, one connection, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'client':16}{'CPU s/GiB':>12}{'min':>8}{'max':>8}{'GiB/s':>8}{'CPU vs curl':>14}")
    for name, measured in samples.items():
        cpu = [sample.cpu_s for sample in measured]
        peer = "curl PUT" if "PUT" in name else "curl GET"
        ratio = statistics.median(cpu) / statistics.median(sample.cpu_s for sample in samples[peer])
        rate = statistics.median(sample.gib_per_s for sample in measured)
        print(
            f"{name:16}{statistics.median(cpu):12.2f}{min(cpu):8.2f}{max(cpu):8.2f}{rate:8.2f}{ratio:13.2f}x"
        )


if __name__ == "__main__":
    main()
