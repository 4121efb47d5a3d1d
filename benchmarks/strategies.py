"""What each strategy makes of one slow endpoint: operations per second, and where they went, in one run.

    python benchmarks/strategies.py [--rounds 3] [--seconds 3] [--lanes 16] [--endpoints 4]

The endpoints are addresses of one small server that answers after a delay; the first needs ten times as long as the
others. Everything else runs as it does for users. Strategies take turns in every round; the table shows medians.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from suites import perform, plan_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

STRATEGIES = ("round_robin", "random", "weighted", "sticky", "least_connections", "least_latency")
_SUITE = """
multi_endpoint:
  strategy: {strategy}
  weights: {weights}
  endpoints: {endpoints}
concurrency: {lanes}
duration: {seconds}s
warmup: 500ms
workload:
  - {{op: get, path: "data/*", weight: 1}}
"""
_FAST_S, _SLOW_S = 0.02, 0.2
_KEYS = "".join(f"<Contents><Key>data/prepared-{number:08d}.dat</Key></Contents>" for number in range(256))
_LISTING = f"<ListBucketResult><IsTruncated>false</IsTruncated>{_KEYS}</ListBucketResult>".encode()
_OBJECT = bytes(4096)


class Sample(NamedTuple):
    """Operations per second, the share of the slow endpoint, median and p99 of latency in milliseconds."""

    ops_per_s: float
    slow_share: float
    p50_ms: float
    p99_ms: float


@contextmanager
def serve(endpoints: int) -> Iterator[list[int]]:
    """Answer every request on so many ports of 127.0.0.1; the first is slow."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(delay_s)
                body = _LISTING if b"list-type=2" in head else _OBJECT
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def listen() -> list[asyncio.Server]:
        return [
            await asyncio.start_server(
                lambda r, w, delay_s=_FAST_S if number else _SLOW_S: answer(r, w, delay_s), "127.0.0.1", 0
            )
            for number in range(endpoints)
        ]

    try:
        servers = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        yield [server.sockets[0].getsockname()[1] for server in servers]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def measure(strategy: str, ports: list[int], lanes: int, seconds: float) -> Sample:
    text = _SUITE.format(
        strategy=strategy,
        # What someone would write who knows the endpoints.
        weights=[1] + [10] * (len(ports) - 1),
        endpoints=[f"s3://127.0.0.1:{port}/bench/" for port in ports],
        lanes=lanes,
        seconds=seconds,
    )
    workload = perform(plan_suite(text))
    tally = workload.tally()
    slow = workload.tally(endpoint=f"s3://127.0.0.1:{ports[0]}/bench/")
    return Sample(
        workload.ops_per_s(tally),
        slow.requests / tally.requests,
        tally.latency.percentile_ns(50) / 1e6,
        tally.latency.percentile_ns(99) / 1e6,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--lanes", type=int, default=16)
    parser.add_argument("--endpoints", type=int, default=4)
    options = parser.parse_args()
    samples: dict[str, list[Sample]] = {strategy: [] for strategy in STRATEGIES}
    with serve(options.endpoints) as ports:
        for _ in range(options.rounds):
            for strategy, measured in samples.items():
                measured.append(measure(strategy, ports, options.lanes, options.seconds))
    medians = {
        strategy: Sample(*(statistics.median(values) for values in zip(*measured, strict=True)))
        for strategy, measured in samples.items()
    }
    print(
        f"GET, {options.endpoints} endpoints, one of {_SLOW_S * 1000:g} ms, the others of {_FAST_S * 1000:g} ms, "
        f"{options.lanes} lanes, {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    print(f"{'strategy':20}{'ops/s':>8}{'vs round_robin':>16}{'slow share':>12}{'p50 ms':>9}{'p99 ms':>9}")
    for strategy, sample in medians.items():
        ratio = sample.ops_per_s / medians["round_robin"].ops_per_s
        print(
            f"{strategy:20}{sample.ops_per_s:8.0f}{ratio:15.2f}x{sample.slow_share:12.1%}"
            f"{sample.p50_ms:9.1f}{sample.p99_ms:9.1f}"
        )


if __name__ == "__main__":
    main()
