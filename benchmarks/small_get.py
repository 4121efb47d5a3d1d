"""Client CPU per signed GET of a 4 KiB object: ours, wrk (unsigned, the floor), obstore, s3dlio, boto3, in one run.

    python benchmarks/small_get.py [--rounds 3] [--seconds 3] [--peer-python PATH]

Ours runs as it does for users: suite, plan, agent process; the figures are those of its result. All clients talk to the
same nginx, one after the other in every round; the table shows medians. Peers that are not installed are left out, and
said to be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from nginx import object_name, serve_objects
from peers import OBJECTS, PEERS
from suites import perform, plan_suite

_SUITE = """
target: s3://127.0.0.1:{port}/bench/
concurrency: {lanes}
duration: {seconds}s
warmup: 300ms
workload:
  - {operation}
"""
_GET = '{op: get, path: "data/*", weight: 1}'


class Sample(NamedTuple):
    """One measurement: CPU microseconds per operation, operations per second."""

    cpu_us: float
    ops_per_s: float


def measure_ours(port: int, lanes: int, seconds: float, operation: str = _GET) -> Sample:
    text = _SUITE.format(port=port, lanes=lanes, seconds=seconds, operation=operation)
    workload = perform(plan_suite(text))
    tally = workload.tally()
    warmup = sum(part.requests for part in workload.warmup.values())
    # CPU is that of the whole process over the whole stage, so all of its operations count.
    return Sample(workload.agents[0].cpu_s / (tally.requests + warmup) * 1e6, workload.ops_per_s(tally))


def measure_wrk(port: int, lanes: int, seconds: float) -> Sample:
    url = f"http://127.0.0.1:{port}/bench/{object_name(0)}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["wrk", "-t1", f"-c{lanes}", f"-d{max(1, round(seconds))}s", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert requests is not None
    assert rate is not None
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Sample(cpu_s / int(requests[1]) * 1e6, float(rate[1]))


def measure_peer(  # noqa: PLR0917 - the arguments of one command, in its order
    python: str, name: str, operation: str, port: int, lanes: int, seconds: float
) -> Sample:
    script = str(Path(__file__).with_name("peers.py"))
    command = [python, script, name, operation, str(port), str(lanes), str(seconds)]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        # Some clients crash on their way out, after they have printed what they measured.
        if done.stdout:
            break
        print(f"{name} crashed with exit status {done.returncode}; once more", file=sys.stderr)
    else:
        raise SystemExit(f"{name} crashed three times:\n{done.stderr[-2000:]}")
    measured = json.loads(done.stdout.splitlines()[-1])
    return Sample(measured["cpu_s"] / measured["ops"] * 1e6, measured["ops"] / measured["wall_s"])


def is_installed(python: str, name: str) -> bool:
    return subprocess.run([python, "-c", f"import {name}"], capture_output=True, check=False).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument("--growth", type=int, nargs="*", default=[16, 512], help="further lanes of ours")
    parser.add_argument(
        "--peer-python", default=sys.executable, help="the Python that has the peers installed"
    )
    options = parser.parse_args()
    samples: dict[str, list[Sample]] = {}
    absent = [name for name in PEERS if not is_installed(options.peer_python, name)]
    if shutil.which("wrk") is None:
        absent.append("wrk")
    with serve_objects(OBJECTS, 4096) as port:
        for _ in range(options.rounds):
            lanes, seconds = options.lanes, options.seconds
            if "wrk" not in absent:
                samples.setdefault("wrk (unsigned)", []).append(measure_wrk(port, lanes, seconds))
            samples.setdefault("pytest-sai3bench", []).append(measure_ours(port, lanes, seconds))
            for name in PEERS:
                if name not in absent:
                    peer = measure_peer(options.peer_python, name, "get", port, lanes, seconds)
                    samples.setdefault(name, []).append(peer)
            for other in options.growth:
                samples.setdefault(f"pytest-sai3bench, {other} lanes", []).append(
                    measure_ours(port, other, seconds)
                )
    show(samples, f"signed GET of 4 KiB, nginx, {options.lanes} lanes")
    for name in absent:
        print(f"left out, since not installed: {name}")


def show(samples: dict[str, list[Sample]], title: str) -> None:
    medians = {
        name: Sample(*(statistics.median(values) for values in zip(*measured, strict=True)))
        for name, measured in samples.items()
    }
    ours = medians["pytest-sai3bench"]
    print(f"{title}, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'client':32}{'CPU us/op':>12}{'min':>8}{'max':>8}{'ops/s':>10}{'CPU vs ours':>13}")
    for name, sample in medians.items():
        cpu = [measured.cpu_us for measured in samples[name]]
        print(
            f"{name:32}{sample.cpu_us:12.1f}{min(cpu):8.1f}{max(cpu):8.1f}{sample.ops_per_s:10.0f}"
            f"{sample.cpu_us / ours.cpu_us:12.2f}x"
        )


if __name__ == "__main__":
    main()
