"""What a run counts, over all its agents, processes, endpoints and seconds, against what servers with troubles counted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sai3bench.fleet.run import Run

SIZE = 1234
_LIST = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
_KEYS = {"access_key": "key", "secret_key": "secret", "region": "us-east-1", "token": None}


class Server(ThreadingHTTPServer):
    """Serves one object of any name; every seventh request is refused, every ninetieth answered late."""

    daemon_threads = True
    # All connections of a test are opened at the same time.
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.numbers = count(1)
        self.lock = threading.Lock()
        self.seen: Counter[int] = Counter()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: agents close their connections when they are through."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        if "?" in self.path:
            self._answer(200, _LIST)
            return
        number = next(self.server.numbers)
        status = 200 if number % 7 else 503
        with self.server.lock:
            self.server.seen[status] += 1
        if not number % 90:
            time.sleep(0.4)
        self._answer(status, bytes(SIZE) if status == 200 else b"<Error><Code>SlowDown</Code></Error>")

    def _answer(self, status: int, body: bytes) -> None:
        self.wfile.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def log_message(self, *arguments: Any) -> None: ...


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    with ExitStack() as closing:
        found = [closing.enter_context(Server()) for _ in range(3)]
        for server in found:
            thread = threading.Thread(
                target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
            )
            thread.start()
            closing.callback(server.shutdown)
        yield found


def test_nothing_is_lost_and_nothing_counted_twice(run_of: Callable[..., Run], servers: list[Server]) -> None:
    a, b, c = (f"s3://127.0.0.1:{server.server_port}/bench/" for server in servers)
    run = run_of(
        f"""
        duration: 1500ms
        warmup: 300ms
        concurrency: 6
        processes: 2
        distributed:
          agents:
            - {{address: localhost, id: x, multi_endpoint: {{endpoints: ["{a}", "{b}"]}}}}
            - {{address: localhost, id: y, multi_endpoint: {{strategy: least_connections, endpoints: ["{b}", "{c}"]}}}}
        workload: [{{op: get, path: data/one, weight: 1}}]
        error_handling:
          retry_on_error: true
          max_retries: 1
          initial_retry_delay_ms: 2
          max_total_errors: 1000000
          error_rate_threshold: 1000000
        """,
        _KEYS,
    )

    run.prepare()
    run.work()
    run.clean_up()
    result = run.result()

    assert (result.status, result.reason) == ("completed", "")
    assert [
        check.name for check in result.checks if not check.passed and check.name.startswith("reconcile")
    ] == []
    workload = result.workload
    assert workload is not None
    for uri, server in zip((a, b, c), servers):
        measured = workload.tally(endpoint=uri)
        warmup = [tally for key, tally in workload.warmup.items() if key.endpoint == uri]
        done = measured.ops + measured.tail_ops + sum(tally.ops for tally in warmup)
        failed = measured.errors + sum(tally.errors for tally in warmup)
        assert {200: done, 503: failed} == server.seen
        assert measured.bytes == measured.ops * SIZE
        assert measured.tail_bytes == measured.tail_ops * SIZE
        assert min(done, failed) > 0
    # Attempts are repeated once at most, and not after the end.
    errors = sum(server.seen[503] for server in servers)
    assert 0 < sum(agent.retries for agent in workload.agents) <= errors
    assert {(error.kind, error.message) for error in workload.errors} == {("http-503", "503 SlowDown")}
    assert [agent.workers for agent in workload.agents] == [2, 2]
