"""Names that have several addresses, each of which becomes an endpoint."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import RunError
from pytest_sai3bench.fleet.addresses import resolve_names
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    namespace: {namespace}
    multi_endpoint:
      resolve: All
      strategy: weighted
      weights: [3, 1, 1]
      endpoints: ["s3://storage.test:9000/bench/", "s3://10.0.0.9:9000/bench/", "s3://single.test:80/bench/"]
    distributed:
      agents:
        - {address: localhost}
        - {address: localhost, multi_endpoint: {resolve: first}}
    workload: [{op: get, path: data/*, weight: 1}]
"""
_ADDRESSES = {
    "storage.test": ["fe80::1%lo", "10.0.0.10", "10.0.0.2", "::1", "10.0.0.2"],
    "single.test": ["10.0.0.3"],
}


def look_up(name: str, port: int, **more: Any) -> list[tuple[Any, ...]]:
    """Answer as `socket.getaddrinfo` does."""
    assert more == {"type": socket.SOCK_STREAM}
    if name not in _ADDRESSES:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in _ADDRESSES[name]]


def test_each_address_is_an_endpoint_with_the_weight_of_its_name(plan_of: Callable[[str], RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("{namespace}", "shared"))
    line = "  s3://storage.test:9000/bench/  s.yaml:6 (multi_endpoint.endpoints[0])  at each address of its name, weight 3"
    assert line in dry_run(plan).splitlines()
    spread, as_written = resolve_names(plan, look_up).workers
    assert [(each.uri, each.host, each.address) for each in spread.endpoints] == [
        ("s3://storage.test:9000/bench/ 10.0.0.2", "storage.test", "10.0.0.2"),
        ("s3://storage.test:9000/bench/ 10.0.0.10", "storage.test", "10.0.0.10"),
        ("s3://storage.test:9000/bench/ ::1", "storage.test", "::1"),
        ("s3://storage.test:9000/bench/ fe80::1%lo", "storage.test", "fe80::1%lo"),
        ("s3://10.0.0.9:9000/bench/", "10.0.0.9", ""),
        ("s3://single.test:80/bench/ 10.0.0.3", "single.test", "10.0.0.3"),
    ]
    assert spread.weights == (3.0, 3.0, 3.0, 3.0, 1.0, 1.0)
    assert spread.to_wire()["endpoints"][0]["address"] == "10.0.0.2"
    assert as_written == plan.workers[1]


def test_addresses_are_shared_like_endpoints(plan_of: Callable[[str], RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("{namespace}", "independent"))
    spread, as_written = resolve_names(plan, look_up).workers
    # What the second agent drives is the name, and not one of its addresses.
    assert spread.sharers == ((0, 1), (0, 1), (0, 1), (0, 1), (0, 2), (0, 1))
    assert as_written.sharers == ((0, 1), (1, 2), (0, 1))


def test_names_without_addresses_are_told(plan_of: Callable[[str], RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("{namespace}", "shared").replace("single.test", "nowhere.test"))
    with pytest.raises(RunError) as caught:
        resolve_names(plan, look_up)
    assert caught.value.message == (
        "s.yaml:6: s3://nowhere.test:80/bench/: nowhere.test has no address: Name or service not known"
    )


def test_more_addresses_than_endpoints_may_be_are_refused(
    plan_of: Callable[[str], RunPlan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(_SUITE.replace("{namespace}", "shared"))
    monkeypatch.setitem(_ADDRESSES, "storage.test", [f"10.1.{n // 256}.{n % 256}" for n in range(300)])
    with pytest.raises(RunError) as caught:
        resolve_names(plan, look_up)
    assert caught.value.message == "the names of agent-1 have 302 addresses, more than 256"


def test_plans_without_such_names_ask_nobody(plan_of: Callable[[str], RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("All", "first").replace("{namespace}", "shared"))
    assert resolve_names(plan, look_up) is plan


class Service:
    """A name at two addresses, 127.0.0.1 and 127.0.0.2: takes what it is given, and notes where and for whom."""

    def __init__(self) -> None:
        seen = self.seen = Counter[tuple[str, str, str]]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = b"<ListBucketResult></ListBucketResult>" if self.command == "GET" else b""
                seen[self.command, self.connection.getsockname()[0], self.headers["Host"]] += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_PUT = do_DELETE = answer  # noqa: N815 - the names of the base class

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler)]
        self.port = self.servers[0].server_address[1]
        self.servers.append(ThreadingHTTPServer(("127.0.0.2", self.port), Handler))
        for server in self.servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


def test_a_run_drives_every_address_of_a_name(plan_of: Callable[[str], RunPlan], service: Service) -> None:
    name = f"s3://storage.test:{service.port}/bench/"
    plan = plan_of(
        f"""
        duration: 300ms
        concurrency: 4
        multi_endpoint: {{resolve: all, endpoints: ["{name}"]}}
        prepare: {{ensure_objects: [{{base_uri: data/, count: 12, size_spec: 4KiB}}], cleanup: true}}
        workload: [{{op: put, path: new/, weight: 1, object_size: 1KiB}}]
        """
    )

    def two(_name: str, port: int, **_more: Any) -> list[tuple[Any, ...]]:
        addresses = ("127.0.0.2", "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    credentials = {"access_key": "key", "secret_key": "secret", "region": "us-east-1", "token": None}
    run = Run(resolve_names(plan, two), credentials, run_id="run-1", started_at=1795515330.5)
    try:
        run.prepare()
        run.work()
    finally:
        run.clean_up()

    result = run.result()
    assert (result.status, result.reason) == ("completed", "")
    prepare, workload, cleanup = result.phases
    uris = [f"{name} 127.0.0.1", f"{name} 127.0.0.2"]
    assert list(prepare.endpoints) == uris
    assert [prepare.tally(endpoint=uri).ops for uri in uris] == [6, 6]
    # All addresses of the name together, as rules on the endpoint of the suite ask for.
    assert prepare.tally(endpoint=name).ops == 12
    assert [sum(phase.tally(endpoint=uri).errors for uri in uris) for phase in result.phases] == [0, 0, 0]
    # Requests keep the name, and came to the address that the result says.
    for uri, address in zip(uris, ("127.0.0.1", "127.0.0.2"), strict=True):
        puts = sum(phase.tally(endpoint=uri).requests for phase in (prepare, workload))
        seen = service.seen["PUT", address, f"storage.test:{service.port}"]
        assert seen == puts > 6
        assert (
            service.seen["DELETE", address, f"storage.test:{service.port}"] == cleanup.tally(endpoint=uri).ops
        )
    contacts = [contact for report in workload.agents for contact in report.contacts]
    assert [[remote for remote, _ in contact.remotes] for contact in contacts] == [
        [f"127.0.0.1:{service.port}"],
        [f"127.0.0.2:{service.port}"],
    ]
