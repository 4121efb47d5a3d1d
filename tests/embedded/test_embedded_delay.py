"""Addresses whose answers come late."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.embedded import server
from pytest_sai3bench.embedded.binding import EmbeddedTargets
from pytest_sai3bench.errors import EmbeddedServerError
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_DELAY_S = 0.3


@pytest.fixture
def late() -> Iterator[Callable[[int], int]]:
    """Return ``late(port)``, which starts a delayed address of that port and returns its own port."""
    started = []

    def late(target_port: int) -> int:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        started.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(server._DELAY),
                    "127.0.0.1",
                    str(port),
                    str(target_port),
                    "0.3",
                ]
            )
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return port
            time.sleep(0.02)
        raise AssertionError("the delayed address did not come up")

    yield late
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def answer() -> Iterator[Callable[..., int]]:
    """Return ``answer(data, close=True)``: the port of a server that reads one line and answers with ``data``."""
    listeners = []
    threads = []

    def answer(data: bytes, *, close: bool = True) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if connection.makefile("rb").readline():
                        connection.sendall(data)
                    # Otherwise until the other side has gone.
                    if not close:
                        connection.recv(1)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()
        port: int = listener.getsockname()[1]
        return port

    yield answer
    for listener in listeners:
        # Closing it alone does not wake who waits in accept.
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)


def _ask(port: int) -> tuple[bytes, float]:
    """Return the whole answer and the time to its first byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        began = time.monotonic()
        connection.sendall(b"hello\n")
        data = connection.recv(1)
        took_s = time.monotonic() - began
        while piece := connection.recv(1 << 20):
            data += piece
    return data, took_s


def test_an_answer_comes_late_and_whole_and_ends_with_its_connection(
    late: Callable[[int], int], answer: Callable[..., int]
) -> None:
    # Larger than what may wait at once.
    data = bytes(range(256)) * 80_000
    port = answer(data)
    received, took_s = _ask(late(port))
    assert received == data
    assert took_s >= _DELAY_S
    assert min(_ask(port)[1] for _ in range(3)) < _DELAY_S


def test_a_client_that_goes_leaves_nothing_behind(
    late: Callable[[int], int], answer: Callable[..., int]
) -> None:
    port = late(answer(b"x" * 100, close=False))
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"hello\n")
            assert connection.recv(1) == b"x"
    # The server serves one connection at a time: it would wait for the first for ever.


def test_where_nobody_listens_the_connection_ends(late: Callable[[int], int]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as gone:
        port: int = gone.getsockname()[1]
    with socket.create_connection(("127.0.0.1", late(port)), timeout=20) as connection:
        assert connection.recv(1) == b""


def test_a_delayed_endpoint_is_another_address_of_the_same_objects(
    s3_server: server.EmbeddedServer, bucket: str, connect: Callable[..., Any]
) -> None:
    host, port = s3_server.delayed(2, _DELAY_S)
    assert s3_server.delayed(2, _DELAY_S) == (host, port)
    assert s3_server.delayed(2, 0.001) != (host, port)
    assert (host, port) not in s3_server.addresses
    assert host == s3_server.addresses[1][0]
    client = connect(s3_server, 2)
    client.put_object(Bucket=bucket, Key="key", Body=b"body")
    through = connect(s3_server, 2, address=(host, port))

    def took_s(one: Any) -> float:
        began = time.monotonic()
        assert one.get_object(Bucket=bucket, Key="key")["Body"].read() == b"body"
        return time.monotonic() - began

    assert min(took_s(through) for _ in range(3)) >= _DELAY_S
    assert min(took_s(client) for _ in range(3)) < _DELAY_S


def test_a_plan_gets_the_late_address_and_the_next_one_the_plain_one(tmp_path: Path) -> None:
    origin = Origin("suite.yaml:3", "multi_endpoint.endpoints[0]")
    plain = Endpoint("s3://embedded-1/b/", "s3", origin, host="embedded-1", bucket="bench", embedded=True)

    def plan(endpoint: Endpoint) -> RunPlan:
        worker = WorkerPlan("local", "localhost", 0, 1, (endpoint,), "round_robin", 1, 1, (), ErrorPolicy())
        return RunPlan("suite", "workload", (worker,))

    with EmbeddedTargets(base_dir=tmp_path) as targets:
        (late,) = targets.bind(plan(replace(plain, delay_s=0.2))).endpoints
        (usual,) = targets.bind(plan(plain)).endpoints
        assert targets.server
        assert (late.host, late.port) == targets.server.delayed(1, 0.2)
        assert (usual.host, usual.port) == targets.server.addresses[0]
        targets.server._block.ports.clear()
        with pytest.raises(EmbeddedServerError, match="needs more than its 128 ports"):
            targets.bind(plan(replace(plain, delay_s=0.3)))
