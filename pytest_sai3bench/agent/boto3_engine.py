"""The reference engine: S3 through boto3, slow and written by others, to check the fast one against.

The same workload leaves the same objects through both, and the same counts. A thread per lane, since boto3 blocks.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .boto3_client import Boto3Client, CallFailed, TlsFiles
from .engine import OperationFailed
from .gated_lanes import GatedLane, SharedLine
from .gates import has_gates
from .lanes import Lane, Lanes
from .large import LARGE, operation_of
from .messages import DELETE, FAILURE_KINDS, GET, LIST, PUT, STAT
from .payload import PLAIN, Payload, make_pool, object_number
from .s3_client import CAUSES, RequestFailed
from .s3_requests import quote_key
from .tls import TlsSettings
from .verification import Check, WrongContentError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from .engine import Load
    from .messages import CheckWire, ContactWire
    from .payload import Pool
    from .recorder import Window
    from .sigv4 import Credentials
    from .tasks import Task


class Boto3Engine:
    """Implements `engine.Engine` for ``s3://`` endpoints.

    Names are percent-encoded, as those of the other engine are: the data of an object follow from its name.
    """

    threads = True
    times_first_byte = False
    left_behind = ()
    # It is Python nearly all of the time, so one core is all that its threads get.
    cpu_cores = 1
    read_sink = "copy"

    def __init__(
        self, plan: dict[str, Any], credentials: Credentials | None, tls: TlsSettings | None = None
    ) -> None:
        self._plan = plan
        self._credentials = credentials
        self._tls = TlsFiles(tls or TlsSettings())
        # Filled in by the check, which comes before everything else.
        self._clients: list[Boto3Client] = []
        self._pool: Pool | None = None
        self._lanes = Lanes(plan["lanes"])

    def check(self, *, write: bool) -> list[CheckWire]:  # noqa: ARG002 - S3 tells at the first PUT
        """See `Engine.check`."""
        endpoints = self._plan["endpoints"]
        try:
            self._clients = [
                Boto3Client(endpoint, self._plan, self._credentials, self._tls) for endpoint in endpoints
            ]
        except ImportError as error:
            detail = f"engine: boto3 cannot be used by {sys.executable}: {error}"
            return [{"endpoint": at, "kind": "no-boto3", "detail": detail} for at in range(len(endpoints))]
        with ThreadPoolExecutor(len(endpoints)) as pool:
            return list(pool.map(self._check, range(len(endpoints))))

    def _check(self, index: int) -> CheckWire:
        try:
            self._clients[index].reach()
        except CallFailed as failure:
            told = _explain(failure)
            return {"endpoint": index, "kind": told.kind, "detail": told.detail}
        return {"endpoint": index, "kind": "", "detail": ""}

    def encode(self, path: str) -> str:
        """See `Engine.encode`."""
        return quote_key(path)

    def decode(self, name: str) -> str:
        """See `Engine.decode`."""
        return unquote(name)

    def exists(self, name: str, endpoint: int = 0) -> bool:
        """See `Engine.exists`."""
        try:
            self._clients[endpoint].stat(unquote(name))
        except CallFailed as failure:
            if failure.status in {403, 404}:
                return False
            raise _explain(failure) from failure
        return True

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> Iterator[str]:
        """See `Engine.names`."""
        try:
            for key in self._clients[endpoint].names(unquote(folder), recursive=recursive):
                yield quote_key(key)
        except CallFailed as failure:
            raise _explain(failure) from failure

    def make_folder(self, folder: str) -> None:
        """Do nothing: an object store has no folders."""

    def remove_folders(self) -> bool:
        """Do nothing: an object store has no folders."""
        return False

    def open(self, lanes: int = 0) -> None:
        """See `Engine.open`; boto3 opens connections when it needs them."""
        self._lanes.count = lanes or self._plan["lanes"]
        if self._pool is None:
            self._pool = make_pool(self._plan)

    def settled(self, window: Window, now_ns: int) -> int:
        """See `Engine.settled`."""
        return self._lanes.settled(window, now_ns)

    def run(self, load: Load) -> int:
        """See `Engine.run`."""
        pool = self._pool
        assert pool is not None
        make = partial(_GatedBoto3Lane, line=SharedLine()) if has_gates(self._plan) else _Boto3Lane
        return self._lanes.run(lambda stop: make(load, stop, self._clients, pool), load)

    def contacts(self) -> list[ContactWire]:
        """See `Engine.contacts`: boto3 does not tell which connections it has."""
        return []

    def close(self) -> None:
        """See `Engine.close`."""
        for client in self._clients:
            client.close()
        self._tls.close()


class _Boto3Lane(Lane):
    def __init__(self, load: Load, stop: threading.Event, clients: list[Boto3Client], pool: Pool) -> None:
        super().__init__(load, stop, len(clients))
        self._clients = clients
        self._payload = Payload(pool)

    def perform(self, task: Task, endpoint: int) -> tuple[int, int]:
        """See `Lane.perform`."""
        op, key, size, shape, _ = task
        if op & LARGE:
            # Large objects come and go with one request here.
            op, shape = operation_of(op), shape.shape
        client, name = self._clients[endpoint], unquote(key)
        if op == PUT:
            self._payload.begin(object_number(key), size, shape or PLAIN)
            body = b"".join(bytes(chunk) for chunk in iter(self._payload.chunk, b""))
        check = Check(self._payload, key, size, shape) if op == GET and shape else None
        began = monotonic_ns()
        if op == GET:
            size = client.get(name, check)
        elif op == PUT:
            client.put(name, body)
        elif op == STAT:
            client.stat(name)
        elif op == DELETE:
            client.delete(name)
        elif op == LIST:
            for _ in client.names(name, recursive=True):
                pass
        if check is not None and (problem := check.finish()):
            raise WrongContentError(*problem)
        return size, began

    def name_error(self, error: OSError, endpoint: int) -> tuple[str, str]:  # noqa: ARG002 - it is in the report
        """See `Lane.name_error`."""
        assert isinstance(error, OperationFailed)
        return error.kind, error.text


class _GatedBoto3Lane(GatedLane, _Boto3Lane):
    """A lane whose operations wait for gates."""


def _explain(failure: CallFailed) -> RequestFailed:
    """Return what a failure before the load means, in the words of the other engine."""
    if failure.status:
        kind = CAUSES.get(failure.code, "denied" if failure.status == 403 else "other")
    else:
        kind = failure.kind if failure.kind in FAILURE_KINDS else "unreachable"
    return RequestFailed(kind, failure.text)
