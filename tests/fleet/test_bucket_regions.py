"""A run against a server that wants its requests signed for another region than ours."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sai3bench.fleet.run import Run

_ELSEWHERE = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"


class _Storage(BaseHTTPRequestHandler):
    """Lists nothing, for those who sign for its region."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        here = "/eu-west-1/s3/aws4_request" in self.headers["Authorization"]
        body = b"<ListBucketResult/>" if here else _ELSEWHERE
        self.send_response(200 if here else 400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Storage) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_load_is_signed_for_the_region_of_the_bucket_and_the_results_say_so(
    run_of: Callable[..., Run], ops_of: Callable[[Run, str], int], port: int
) -> None:
    keys = {"access_key": "access", "secret_key": "secret", "region": "us-east-1", "token": None}
    suite = f"target: s3://127.0.0.1:{port}/bench/\nduration: 100ms\nworkload: [{{op: list, path: '', weight: 1}}]"
    run = run_of(suite, keys)

    run.prepare()
    run.work()
    run.clean_up()
    result = run.result()

    assert result.notes == (
        f"s3://127.0.0.1:{port}/bench/: the bucket is in eu-west-1: requests are signed for it",
    )
    assert result.workload is not None
    assert (result.status, result.workload.errors) == ("completed", ())
    assert ops_of(run, "workload") > 0
