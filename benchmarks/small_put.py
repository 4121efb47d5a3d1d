"""Client CPU per signed PUT of a 4 KiB object: ours, obstore, s3dlio, boto3, in one run.

    python benchmarks/small_put.py [--rounds 3] [--seconds 2] [--peer-python PATH]

As small_get.py, whose parts it uses; nginx keeps the objects in memory (/dev/shm). Ours makes new data for each object,
the others send the same again and again.
"""

from __future__ import annotations

import argparse
import sys

from nginx import serve_folder
from peers import PEERS
from small_get import Sample, is_installed, measure_ours, measure_peer, show

_PUT = "{op: put, path: new/, object_size: 4KiB, weight: 1}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--lanes", type=int, default=64)
    parser.add_argument(
        "--peer-python", default=sys.executable, help="the Python that has the peers installed"
    )
    options = parser.parse_args()
    present = [name for name in PEERS if is_installed(options.peer_python, name)]
    samples: dict[str, list[Sample]] = {}
    lanes, seconds = options.lanes, options.seconds
    with serve_folder(1, 4096, "/dev/shm") as (port, _):
        for _ in range(options.rounds):
            samples.setdefault("pytest-sai3bench", []).append(measure_ours(port, lanes, seconds, _PUT))
            for name in present:
                samples.setdefault(name, []).append(
                    measure_peer(options.peer_python, name, "put", port, lanes, seconds)
                )
    show(samples, f"signed PUT of 4 KiB, nginx, {lanes} lanes")
    for name in PEERS:
        if name not in present:
            print(f"left out, since not installed: {name}")


if __name__ == "__main__":
    main()
