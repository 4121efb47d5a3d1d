"""Gives the embedded endpoints of a plan (``s3://embedded-1/bucket/``, ``file://embedded-1/folder/``) their places.

Before binding, ``host`` of an s3 endpoint is ``embedded-K`` and ``root`` of a file or direct endpoint is
``embedded-K/folder/``, with K counted from 1. After it, ``host`` and ``port`` are those of the K-th gateway of the one
embedded server, and ``root`` is a folder, which exists, of the K-th mount. ``uri`` stays as it was written.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.embedded import mounts, server
from pytest_sai3bench.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from typing_extensions import Self

    from pytest_sai3bench.plan.model import Endpoint, RunPlan

_PLACE = re.compile(r"embedded-([1-9][0-9]*)(/.*)?")


class EmbeddedTargets:
    """The server and the mounts of one test session: made for the first plan that needs them, grown for later ones."""

    def __init__(self, *, base_dir: Path | None = None) -> None:
        self.server: server.EmbeddedServer | None = None
        # The one that speaks TLS; each has its own data.
        self.tls_server: server.EmbeddedServer | None = None
        self.mounts: mounts.Mounts | None = None
        self._base_dir = base_dir

    def bind(self, plan: RunPlan) -> RunPlan:
        """Return the plan with places for its embedded endpoints; their buckets and folders exist afterwards."""
        embedded = [endpoint for endpoint in plan.endpoints if endpoint.embedded]
        for tls in (False, True):
            gateways = [each for each in embedded if each.scheme == "s3" and each.tls is tls]
            if gateways:
                buckets = sorted({endpoint.bucket for endpoint in gateways})
                self._grow_server(_highest(gateways), buckets, tls=tls)
        folders = [endpoint for endpoint in embedded if endpoint.root]
        if folders:
            self._grow_mounts(_highest(folders))
        bound = {endpoint.uri: self._place(endpoint) for endpoint in embedded}
        workers = tuple(
            replace(
                worker, endpoints=tuple(bound.get(endpoint.uri, endpoint) for endpoint in worker.endpoints)
            )
            for worker in plan.workers
        )
        trusted = plan.tls
        if trusted is not None and any(endpoint.tls for endpoint in embedded):
            assert self.tls_server
            trusted = replace(trusted, ca_file=str(self.tls_server.ca_file))
        return replace(plan, workers=workers, tls=trusted)

    def server_of(self, endpoint: Endpoint) -> server.EmbeddedServer:
        """Return the server of a bound endpoint."""
        running = self.tls_server if endpoint.tls else self.server
        assert running
        return running

    def close(self) -> None:
        """Stop the server and remove the mounts; may be called again."""
        with ExitStack() as closing:
            if self.mounts:
                closing.callback(self.mounts.remove)
            for running in (self.server, self.tls_server):
                if running:
                    closing.callback(running.stop)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _grow_server(self, endpoints: int, buckets: Iterable[str], *, tls: bool) -> None:
        running = self.tls_server if tls else self.server
        if running is None:
            running = server.start(endpoints, base_dir=self._base_dir, tls=tls)
            if tls:
                self.tls_server = running
            else:
                self.server = running
        missing = endpoints - len(running.addresses)
        if missing > 0:
            running.add_endpoints(missing)
        running.ensure_buckets(buckets)

    def _grow_mounts(self, places: int) -> None:
        if self.mounts is None:
            self.mounts = mounts.create(places, base_dir=self._base_dir)
        self.mounts.add(max(0, places - len(self.mounts.paths)))

    def _place(self, endpoint: Endpoint) -> Endpoint:
        number, rest = _parse(endpoint)
        if endpoint.scheme == "s3":
            running = self.server_of(endpoint)
            host, port = running.addresses[number - 1]
            if endpoint.delay_s:
                host, port = running.delayed(number, endpoint.delay_s)
            return replace(endpoint, host=host, port=port)
        assert self.mounts
        root = f"{self.mounts.paths[number - 1]}{rest}"
        Path(root).mkdir(parents=True, exist_ok=True)
        return replace(endpoint, root=root)


def _highest(endpoints: Iterable[Endpoint]) -> int:
    return max(_parse(endpoint)[0] for endpoint in endpoints)


def _parse(endpoint: Endpoint) -> tuple[int, str]:
    """Return the number of an embedded endpoint and the folder behind it, ``/`` or ``/folder/``."""
    match = _PLACE.fullmatch(endpoint.host if endpoint.scheme == "s3" else endpoint.root)
    rest = match[2] or "/" if match else ""
    if match is None or ".." in rest.split("/"):
        raise EmbeddedServerError(
            f"{endpoint.origin}: {endpoint.uri} names no embedded endpoint.",
            remedy="Write s3://embedded-1/bucket/ or file://embedded-1/folder/, with numbers that count from 1.",
        )
    return int(match[1]), rest
