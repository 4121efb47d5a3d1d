"""S3 storage: the event loop for load, a blocking client for what comes before it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .connection import MSG_TRUNC
from .gates import has_gates
from .loops import choose_loop
from .payload import make_pool
from .regions import regional_host
from .s3_client import RequestFailed, S3Client, resolve
from .s3_requests import S3Requests, quote_key
from .tls import TlsClient, TlsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .engine import Load
    from .http_loop import HttpLoop
    from .messages import CheckWire, ContactWire
    from .recorder import Window
    from .sigv4 import Credentials

# A check should answer soon; a storage that needs longer for one object is not usable.
_CHECK_TIMEOUT_S = 30.0


class S3Engine:
    """Implements `engine.Engine` for ``s3://`` endpoints."""

    threads = False
    times_first_byte = True
    # An event loop is one thread.
    cpu_cores = 1

    def __init__(
        self, plan: dict[str, Any], credentials: Credentials | None, tls: TlsSettings | None = None
    ) -> None:
        self._plan = plan
        self._credentials = credentials
        self._tls: TlsClient | None = None
        self._requests = [S3Requests(endpoint, credentials) for endpoint in plan["endpoints"]]
        if plan["endpoints"][0].get("tls"):
            self._tls = TlsClient(tls or TlsSettings(), [requests.host for requests in self._requests])
        # Endpoints that turned out to have another host.
        self._moved: set[int] = set()
        # Filled in by the check, which comes before everything else.
        self._addresses: list[tuple[int, tuple[object, ...]]] = [(0, ())] * len(self._requests)
        self._loop: HttpLoop | None = None
        # What is encrypted, or to be verified, has to be copied.
        self._drops = bool(MSG_TRUNC) and self._tls is None and plan["read_sink"] != "copy"
        plain = "discard" if self._drops else "copy"
        sinks = {
            "copy" if each["verify"] else plain
            for stage in plan["stages"]
            for each in stage["operations"]
            if each["op"] == "get" and each["weight"]
        }
        self.read_sink = "/".join(sorted(sinks)) or plain

    def check(self, *, write: bool) -> list[CheckWire]:  # noqa: ARG002 - S3 tells at the first PUT
        """See `Engine.check`; all endpoints at once, for each may need its whole time limit."""
        endpoints = range(len(self._requests))
        with ThreadPoolExecutor(len(endpoints)) as pool:
            return list(pool.map(self._check, endpoints))

    def _check(self, index: int) -> CheckWire:
        if self._plan["read_sink"] == "discard" and not MSG_TRUNC:
            detail = "the bodies of gets cannot be dropped here (read_sink: discard): only Linux does that"
            return {"endpoint": index, "kind": "other", "detail": detail}
        detail = ""
        try:
            try:
                self._reach(index)
            except RequestFailed as failure:
                detail = self._move(index, failure)
                if not detail:
                    raise
                self._reach(index)
        except RequestFailed as failure:
            return {"endpoint": index, "kind": failure.kind, "detail": failure.detail}
        return {"endpoint": index, "kind": "", "detail": detail}

    def _reach(self, index: int) -> None:
        endpoint = self._plan["endpoints"][index]
        # An address that was chosen is that of the host in the plan, and not of another that the bucket has moved to.
        self._addresses[index] = resolve(
            self._requests[index].host
            if index in self._moved
            else endpoint["address"] or self._requests[index].host,
            endpoint["port"],
        )
        self._client(index, _CHECK_TIMEOUT_S).check()

    def _move(self, index: int, failure: RequestFailed) -> str:
        """Turn to the region that a failure names, once and for all; return what is done about it, empty for nothing.

        Only AWS has a host for each region. Another server that wants its requests signed for a region can have that.
        """
        endpoint = self._plan["endpoints"][index]
        if not failure.region or self._credentials is None:
            return ""
        host = regional_host(endpoint["host"], failure.region)
        if not host and failure.kind != "wrong-region":
            return ""
        credentials = self._credentials._replace(region=failure.region)
        moved = {**endpoint, "host": host or endpoint["host"]}
        self._requests[index] = S3Requests(moved, credentials)
        if host:
            self._moved.add(index)
        if self._tls is not None:
            self._tls.expect(index, self._requests[index].host)
        return f"the bucket is in {failure.region}: requests are signed for it" + (
            f" and go to {host}" if host else ""
        )

    def encode(self, path: str) -> str:
        """See `Engine.encode`."""
        return quote_key(path)

    def decode(self, name: str) -> str:
        """See `Engine.decode`."""
        return unquote(name)

    def exists(self, name: str, endpoint: int = 0) -> bool:
        """See `Engine.exists`."""
        return self._client(endpoint, self._plan["request_timeout_s"]).exists(name)

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> Iterator[str]:
        """See `Engine.names`."""
        return self._client(endpoint, self._plan["request_timeout_s"]).names(folder, recursive=recursive)

    def make_folder(self, folder: str) -> None:
        """Do nothing: an object store has no folders."""

    def remove_folders(self) -> bool:
        """Do nothing: an object store has no folders."""
        return False

    def open(self, lanes: int = 0) -> None:
        """See `Engine.open`."""
        if self._loop is None:
            most = self._plan["connections"]
            options: dict[str, Any] = {"most_connections": most} if most else {}
            make = choose_loop(
                logged=bool(self._plan["op_log_bytes"]), bounded=bool(most), gated=has_gates(self._plan)
            )
            self._loop = make(
                self._requests,
                self._addresses,
                lanes=self._plan["lanes"],
                pool=make_pool(self._plan),
                connect_timeout_s=self._plan["connect_timeout_s"],
                request_timeout_s=self._plan["request_timeout_s"],
                tls=self._tls,
                drops=self._drops,
                **options,
            )
        self._loop.open(lanes or self._plan["lanes"])

    def settled(self, window: Window, now_ns: int) -> int:
        """See `Engine.settled`: the loop hands over what came before, each time before it calls the control."""
        return window.interval(now_ns)

    def run(self, load: Load) -> int:
        """See `Engine.run`."""
        assert self._loop is not None
        return self._loop.run(load)

    def contacts(self) -> list[ContactWire]:
        """See `Engine.contacts`."""
        return self._loop.contacts() if self._loop else []

    @property
    def left_behind(self) -> Sequence[str]:
        """See `Engine.left_behind`."""
        return self._loop.left_behind if self._loop else ()

    def close(self) -> None:
        """See `Engine.close`."""
        if self._loop is not None:
            self._loop.close()

    def _client(self, endpoint: int, timeout_s: float) -> S3Client:
        return S3Client(
            self._requests[endpoint],
            self._addresses[endpoint],
            connect_timeout_s=self._plan["connect_timeout_s"],
            timeout_s=timeout_s,
            tls=self._tls,
            endpoint=endpoint,
        )
