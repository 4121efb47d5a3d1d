"""A throwaway S3 server with many endpoint addresses that show the same objects, for demos and tests.

The addresses are on loopback (127.0.0.1, 127.0.0.2 …), the keys are made for each start, the data live in a private
folder. Processes and folder go when the server is stopped, and also when its owner is killed.
"""

from __future__ import annotations

import http.client
import json
import secrets
import shutil
import socket
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.embedded import certificates, seaweedfs
from pytest_sai3bench.embedded.gateway import Gateway
from pytest_sai3bench.embedded.ports import reserve_block
from pytest_sai3bench.embedded.processes import ProcessGroup
from pytest_sai3bench.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from typing_extensions import Self

MAX_ENDPOINTS = 32
REGION = "us-east-1"
_LOCAL = "127.0.0.1"
_POLL_S = 0.01
_LOG_LINES = 15
_DELAY = Path(__file__).with_name("delay.py")


def start(
    endpoints: int,
    *,
    buckets: Iterable[str] = (),
    base_dir: Path | None = None,
    timeout_s: float = 30.0,
    tls: bool = False,
) -> EmbeddedServer:
    """Start a server that answers signed requests on every endpoint when this returns.

    ``base_dir`` takes the data folder (default: the folder for temporary files). ``timeout_s`` bounds the start and
    later each growth. With ``tls`` the endpoints speak nothing else, and ``ca_file`` of the server verifies them. Raises
    `EmbeddedServerError`, with the log of the part that failed.
    """
    server = EmbeddedServer(base_dir=base_dir, timeout_s=timeout_s, tls=tls)
    try:
        server.add_endpoints(endpoints)
        server.ensure_buckets(buckets)
    except BaseException:
        server.stop()
        raise
    return server


class EmbeddedServer:
    """A running server; `start` makes one. As a context manager it is stopped at the end."""

    def __init__(self, *, base_dir: Path | None = None, timeout_s: float = 30.0, tls: bool = False) -> None:
        self.ca_file: Path | None = None
        self.credentials = Credentials(f"SAI3{secrets.token_hex(8).upper()}", secrets.token_hex(20), REGION)
        self._weed = seaweedfs.find_weed()
        self._timeout_s = timeout_s
        self._gateways: list[Gateway] = []
        self._late: dict[tuple[int, float], tuple[str, int]] = {}
        self._filer = ""
        self._block = reserve_block()
        with self._block.guard as guard:
            self._folder = _make_folder(base_dir)
            self._processes = ProcessGroup(self._folder, hold=guard)
        if tls:
            try:
                hosts = ["localhost", *(f"127.0.0.{number}" for number in range(1, MAX_ENDPOINTS + 1))]
                self.ca_file = certificates.make(self._folder, hosts)
            except BaseException:
                self.stop()
                raise

    @property
    def access_key(self) -> str:
        """Name of the only account, which has all rights."""
        return self.credentials.access_key

    @property
    def secret_key(self) -> str:
        """Secret of the only account."""
        return self.credentials.secret_key

    @property
    def region(self) -> str:
        """Region to sign for."""
        return self.credentials.region

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each endpoint, in the order of their numbers (``embedded-1`` first)."""
        return tuple((gateway.host, gateway.port) for gateway in self._gateways)

    def add_endpoints(self, count: int) -> None:
        """Start ``count`` more endpoints; those that exist keep their addresses."""
        total = len(self._gateways) + count
        if total > MAX_ENDPOINTS:
            raise EmbeddedServerError(
                f"The embedded server has at most {MAX_ENDPOINTS} endpoints; {total} were asked for.",
                remedy=f"Write embedded_server: {{endpoints: {MAX_ENDPOINTS}}} or less.",
            )
        deadline = time.monotonic() + self._timeout_s
        if not self._filer:
            self._start_store(deadline)
        added = [self._start_gateway(number) for number in range(len(self._gateways) + 1, total + 1)]
        for gateway in added:
            self._wait(gateway.name, partial(gateway.is_ready, self.credentials), deadline)
        self._gateways += added

    def delayed(self, number: int, delay_s: float) -> tuple[str, int]:
        """Return another host and port of endpoint ``number`` (``embedded-1`` is 1), where answers come ``delay_s`` later.

        Its own address stays as fast as it is. The first call starts the process that does it.
        """
        if (number, delay_s) not in self._late:
            host, target_port = self.addresses[number - 1]
            port = self._block.take()
            name = f"delay-{port}"
            argv = [sys.executable, "-I", "-S", str(_DELAY), host, str(port), str(target_port), str(delay_s)]
            self._processes.start(name, argv, env=seaweedfs.environment(self._folder))
            self._wait(name, lambda: _accepts(port, host), time.monotonic() + self._timeout_s)
            self._late[number, delay_s] = host, port
        return self._late[number, delay_s]

    def ensure_buckets(self, names: Iterable[str]) -> None:
        """Create the buckets that are not there."""
        for name in names:
            self._check_alive()
            self._gateways[0].create_bucket(name, self.credentials)

    def access_counts(self, bucket: str | None = None) -> tuple[Counter[str], ...]:
        """Return for each endpoint how many requests the server itself counted, by type.

        Types are ``GET`` (which includes HEAD), ``PUT``, ``LIST``, ``DELETE`` and others; refused requests count too.
        A large answer may arrive an instant before it is counted, so a reader may have to ask again.
        """
        self._check_alive()
        return tuple(gateway.request_counts(bucket) for gateway in self._gateways)

    def stop(self) -> None:
        """End all processes and remove the data; may be called again."""
        self._processes.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start_store(self, deadline: float) -> None:
        (self._folder / "identities.json").write_text(seaweedfs.identities(self.credentials))
        port, grpc_port, volume_port, volume_grpc, filer_port, filer_grpc = (
            self._block.take() for _ in range(6)
        )
        master = seaweedfs.address(port, grpc_port)
        # A part that does not find the one it needs tries again only after a second or more: so start them in order.
        self._start("master", seaweedfs.master(port=port, grpc_port=grpc_port))
        self._wait("master", lambda: _accepts(grpc_port), deadline)
        self._start("volume", seaweedfs.volume(port=volume_port, grpc_port=volume_grpc, master=master))
        self._start("filer", seaweedfs.filer(port=filer_port, grpc_port=filer_grpc, master=master))
        self._wait("filer", lambda: _accepts(filer_grpc), deadline)
        self._wait("volume", lambda: _has_storage(port), deadline)
        self._filer = seaweedfs.address(filer_port, filer_grpc)

    def _start_gateway(self, number: int) -> Gateway:
        gateway = Gateway(
            f"gateway-{number}",
            f"127.0.0.{number}",
            self._block.take(),
            self._block.take(),
            self.ca_file,
        )
        arguments = seaweedfs.gateway(
            host=gateway.host,
            port=gateway.port,
            grpc_port=self._block.take(),
            metrics_port=gateway.metrics_port,
            filer=self._filer,
            tls=self.ca_file is not None,
        )
        self._start(gateway.name, arguments)
        return gateway

    def _start(self, name: str, arguments: list[str]) -> None:
        argv = [str(self._weed), "-logtostderr=true", *arguments]
        self._processes.start(name, argv, env=seaweedfs.environment(self._folder))

    def _wait(self, name: str, is_ready: Callable[[], bool], deadline: float) -> None:
        while not is_ready():
            self._check_alive()
            if time.monotonic() > deadline:
                raise self._failure(f"{name} did not answer within {self._timeout_s:g} s", name)
            time.sleep(_POLL_S)

    def _check_alive(self) -> None:
        ended = self._processes.ended()
        if ended:
            name, status = ended
            raise self._failure(f"{name} ended with status {status}", name)

    def _failure(self, cause: str, name: str) -> EmbeddedServerError:
        log = self._folder / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        tail = "".join(f"\n    {line}" for line in lines[-_LOG_LINES:]) or " nothing"
        return EmbeddedServerError(
            f"The embedded server does not run: {cause}. The last of its log:{tail}",
            remedy=f"Look for free space in {self._folder.parent} (TMPDIR chooses another folder) and free memory.",
        )


def _make_folder(base_dir: Path | None) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="sai3bench-server-", dir=base_dir))
    except OSError as error:
        raise EmbeddedServerError(
            f"The embedded server has no place for its data: {error}.",
            remedy="TMPDIR chooses another folder.",
        ) from error


def _accepts(port: int, host: str = _LOCAL) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def _has_storage(master_port: int) -> bool:
    """Tell whether the master knows a part that can keep data."""
    connection = http.client.HTTPConnection(_LOCAL, master_port, timeout=1)
    try:
        connection.request("GET", "/dir/status")
        status = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return bool(status["Topology"]["Max"] > 0)
