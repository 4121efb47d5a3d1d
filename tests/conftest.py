from __future__ import annotations

import os
import select
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.embedded import server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytest_plugins = ["pytester"]
# Modules beside tests that assert, too.
pytest.register_assert_rewrite("loop_runs", "worker_runs")

# Suite files that tests read; without this, naming the folder of the tests would run them.
collect_ignore_glob = ["corpus/*"]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[server.EmbeddedServer]:
    """Run a real S3 server with four endpoint addresses for the whole session."""
    with server.start(4) as running:
        yield running


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[..., Any]]:
    """Return ``connect(server, number, secret_key=None, address=None)``: a boto3 client that never tries twice.

    It is one of an endpoint, or of another address of its server.
    """
    import boto3
    from botocore.config import Config

    clients = []

    def connect(
        running: server.EmbeddedServer,
        number: int,
        secret_key: str | None = None,
        address: tuple[str, int] | None = None,
    ) -> Any:
        host, port = address or running.addresses[number - 1]
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            aws_access_key_id=running.access_key,
            aws_secret_access_key=secret_key or running.secret_key,
            region_name=running.region,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def s3_client(s3_server: server.EmbeddedServer, connect: Callable[..., Any]) -> Any:
    """Return a boto3 client of the first endpoint, the independent witness of what is stored."""
    return connect(s3_server, 1)


@pytest.fixture
def bucket(s3_client: Any) -> Iterator[str]:
    """Create a bucket for one test, and remove it with all it holds."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=name)
    yield name
    # This server removes a bucket that is not empty.
    s3_client.delete_bucket(Bucket=name)


@pytest.fixture
def check_gold() -> Callable[[str, str], None]:
    """Compare text with a file of ``tests/gold``; SAI3BENCH_WRITE_GOLD=1 writes the files anew, for review."""

    def check(name: str, text: str) -> None:
        path = Path(__file__).with_name("gold") / name
        if os.environ.get("SAI3BENCH_WRITE_GOLD") == "1":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")

    return check


@pytest.fixture
def processes_of() -> Callable[[Path], list[int]]:
    """Return a function that lists the processes which run in a folder or have it in their arguments."""
    return _processes_of


@pytest.fixture
def wait_for_end() -> Callable[[int], None]:
    """Return a function that waits until a process, ours or not, is gone."""
    return _wait_for_end


def _processes_of(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            directory = str((entry / "cwd").readlink())
            arguments = (entry / "cmdline").read_text()
        except OSError:
            continue  # it ended meanwhile
        if directory.startswith(str(folder)) or str(folder) in arguments:
            found.append(int(entry.name))
    return found


def _wait_for_end(pid: int) -> None:
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 20)[0], f"process {pid} did not end within 20 s"
    finally:
        os.close(handle)
