"""The log of operations: that everything is in it, in the right words, and that it never holds the load up."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from collections import Counter
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import op_log
from pytest_sai3bench.agent.http_loop import HttpLoop
from pytest_sai3bench.agent.large import LARGE, Large, Multipart, Ranges
from pytest_sai3bench.agent.messages import DELETE, GET, LIST, PUT, STAT
from pytest_sai3bench.agent.op_log import COLUMNS, OpLog
from pytest_sai3bench.agent.payload import PLAIN
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.agent.s3_engine import S3Engine

S = 1_000_000_000


class Taker:
    """The controller's side: takes pieces, at once unless it is ``slow``."""

    def __init__(self, *uris: str, scheme: str = "s3", max_bytes: int = 1 << 20, slow: bool = False) -> None:
        self.pieces: list[bytes] = []
        self._slow = slow
        plan = {
            "op_log_bytes": max_bytes,
            "agent": "a1",
            "endpoints": [{"uri": uri, "scheme": scheme} for uri in uris or ("s3://one/b/", "s3://two/b/")],
        }
        self.log = OpLog(plan, self.take)

    def take(self, message: dict[str, Any]) -> None:
        assert message["type"] == "op_log"
        self.pieces.append(b64decode(message["piece"]))
        if not self._slow:
            self.log.taken()

    @property
    def text(self) -> bytes:
        # Pieces one after the other are one file.
        return gzip.decompress(b"".join(self.pieces))

    @property
    def rows(self) -> list[dict[str, str]]:
        lines = self.text.decode().splitlines()
        return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]


def test_a_line_has_the_columns_of_sai3_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    taker = Taker()
    taker.log.epoch_ns = 1_795_515_330 * S
    ms = 1_000_000
    taker.log.add(7, GET, 0, "data/x%20y", 4096, 5 * ms, 6 * ms, 9 * ms, 1, "")
    taker.log.add(7, GET, 1, "data/z", 4096, 5 * ms, 0, 9 * ms, 1, "")
    taker.log.add(7, PUT, 1, "new/a", 10, 999 * ms, 0, 1001 * ms, 1, "")
    taker.log.add(7, LIST, 0, "data/", 0, 5 * ms, 6 * ms, 9 * ms, 42, "")
    taker.log.add(8, STAT, 0, "a%09b%0A", 0, 5 * ms, 0, 9 * ms, 1, "")
    taker.log.add(8, DELETE, 0, "x", 0, 5 * ms, 0, 5 * ms, 0, "http-503: 503\tSlowDown")

    assert taker.log.finish(10) == []
    at = "2026-11-24T10:15:30"
    assert taker.text.decode().splitlines() == [
        f"1\t7\tGET\ta1\t1\t4096\ts3://one/b/\tdata/x y\t\t{at}.005000000Z\t{at}.006000000Z\t{at}.009000000Z\t4000000",
        f"2\t7\tGET\ta1\t1\t4096\ts3://two/b/\tdata/z\t\t{at}.005000000Z\t{at}.009000000Z\t{at}.009000000Z\t4000000",
        f"3\t7\tPUT\ta1\t1\t10\ts3://two/b/\tnew/a\t\t{at}.999000000Z\t{at}.999000000Z\t2026-11-24T10:15:31.001000000Z\t2000000",
        f"4\t7\tLIST\ta1\t42\t0\ts3://one/b/\tdata/\t\t{at}.005000000Z\t\t{at}.009000000Z\t4000000",
        f"5\t8\tHEAD\ta1\t1\t0\ts3://one/b/\ta%09b%0A\t\t{at}.005000000Z\t\t{at}.009000000Z\t4000000",
        f"6\t8\tDELETE\ta1\t0\t0\ts3://one/b/\tx\thttp-503: 503%09SlowDown\t{at}.005000000Z\t\t{at}.005000000Z\t0",
    ]


def test_names_of_files_are_what_they_are() -> None:
    taker = Taker("file:///mnt/", scheme="file")
    taker.log.add(1, GET, 0, "100%20/\udcff\nx", 1, 0, 0, 1, 1, "")
    taker.log.finish(10)

    assert taker.text.split(b"\t")[7] == b"100%20/\xff%0Ax"


def test_a_log_of_several_stages_goes_on() -> None:
    taker = Taker()
    for stage in range(3):
        taker.log.add(1, PUT, 0, f"key-{stage}", 1, 0, 0, 1, 1, "")
        assert taker.log.finish(10) == []

    assert [(row["idx"], row["file"]) for row in taker.rows] == [
        ("1", "key-0"),
        ("2", "key-1"),
        ("3", "key-2"),
    ]


def test_a_full_log_ends_and_counts_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_log, "_PIECE_BYTES", 2000)
    taker = Taker(max_bytes=1500)
    for number in range(1000):
        taker.log.add(1, PUT, 0, f"key-{number}", 1, number, 0, number + 1, 1, "")
    notes = taker.log.finish(10)
    taker.log.add(1, PUT, 0, "later", 1, 0, 0, 1, 1, "")
    later = taker.log.finish(10)

    written = len(taker.rows)
    assert 0 < sum(map(len, taker.pieces)) <= 1500
    assert 0 < written < 1000
    assert [row["file"] for row in taker.rows] == [f"key-{number}" for number in range(written)]
    assert notes == [f"op_log: {1000 - written} operations are missing after max_size was reached"]
    assert later == ["op_log: 1 operations are missing after max_size was reached"]


def test_a_slow_controller_makes_gaps_that_are_counted_and_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(op_log, "_PIECE_BYTES", 2000)
    monkeypatch.setattr(op_log, "_MOST_WAITING", 300)
    taker = Taker(slow=True)
    for number in range(20_000):
        taker.log.add(1, PUT, 0, f"key-{number}", 1, number, 0, number + 1, 1, "")
    [note] = taker.log.finish(0.2)

    # What it did not take is not sent, and it was not sent more than that.
    assert len(taker.pieces) == op_log._MOST_UNTAKEN
    written = len(taker.rows)
    assert note == (
        f"op_log: {20_000 - written} operations are missing, they came faster than they could be written"
    )
    for _ in range(op_log._MOST_UNTAKEN):
        taker.log.taken()
    taker.log.add(1, PUT, 0, "afterwards", 1, 0, 0, 1, 1, "")
    assert taker.log.finish(10) == []
    assert taker.rows[-1]["file"] == "afterwards"


def test_the_load_does_not_wait_for_what_is_being_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(op_log, "_MOST_WAITING", 100)
    sent, go_on = Event(), Event()
    taker = Taker()
    take = taker.take

    def hang(message: dict[str, Any]) -> None:
        sent.set()
        assert go_on.wait(20)
        take(message)

    monkeypatch.setattr(op_log, "_PIECE_BYTES", 1)
    taker.log._send = hang
    taker.log.add(1, PUT, 0, "first", 1, 0, 0, 1, 1, "")
    assert sent.wait(20)
    for number in range(250):
        taker.log.add(1, PUT, 0, f"key-{number}", 1, 0, 0, 1, 1, "")
    go_on.set()

    assert taker.log.finish(20) == [
        "op_log: 150 operations are missing, they came faster than they could be written"
    ]
    assert [row["file"] for row in taker.rows] == ["first", *(f"key-{number}" for number in range(100))]


def _script(request: Any, _peer: Any) -> bytes:
    body = b""
    status = "503 Slow Down" if request.path.endswith("bad") else "200 OK"
    if "list-type" in request.path:
        first = "continuation-token" not in request.path
        truncated = (
            "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>" if first else ""
        )
        body = f"<ListBucketResult><Key>a</Key><Key>b</Key>{truncated}</ListBucketResult>".encode()
    elif request.method == "GET":
        body = b"x" * 3000
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + (
        b"" if request.method == "HEAD" else body
    )


def test_every_request_that_the_server_saw_is_in_the_log_with_its_endpoint(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(_script, endpoints=3)
    uris = [f"s3://{host}:{port}/bench/" for host, port in server.addresses]
    taker = Taker(*uris)
    tasks = [
        (GET, "good", 0),
        (PUT, "new", 500),
        (STAT, "some", 0),
        (DELETE, "gone", 0),
        (GET, "bad", 0),
        (LIST, "in/", 0),
        (PUT, "bad", 10),
    ]
    loop = make_loop(server.addresses, lanes=5, logged=True)
    run = run_loop(server.addresses, tasks * 30, lanes=5, loop=loop, op_log=taker.log)
    assert taker.log.finish(10) == []
    rows = taker.rows

    # A list takes two requests here, the second one for the next page.
    seen = Counter(
        (
            uris[request.endpoint],
            request.method,
            "" if "list-type" in request.path else request.path.rpartition("/")[2],
        )
        for request in server.requests
        if "continuation-token" not in request.path
    )
    assert sum(seen.values()) == len(rows) == 7 * 30
    logged = Counter(
        (
            row["endpoint"],
            {"LIST": "GET"}.get(row["op"], row["op"]),
            "" if row["op"] == "LIST" else row["file"],
        )
        for row in rows
    )
    assert logged == seen
    assert {(row["op"], row["file"], row["n_objects"], row["bytes"], row["error"]) for row in rows} == {
        ("GET", "good", "1", "3000", ""),
        ("PUT", "new", "1", "500", ""),
        ("HEAD", "some", "1", "0", ""),
        ("DELETE", "gone", "1", "0", ""),
        ("GET", "bad", "0", "0", "http-503: 503"),
        ("LIST", "in/", "4", "0", ""),
        ("PUT", "bad", "0", "0", "http-503: 503"),
    }
    # The results count the same, endpoint by endpoint.
    counts, errors = run.reins.counts(), run.reins.errors()
    for number, uri in enumerate(uris):
        mine = [row for row in rows if row["endpoint"] == uri]
        assert sum(1 for row in mine if not row["error"]) == sum(
            count for (_, endpoint), (count, _) in counts.items() if endpoint == number
        )
        assert sum(1 for row in mine if row["error"]) == sum(each[3] for each in errors if each[1] == number)
    assert all(0 <= int(row["duration_ns"]) < 20 * S for row in rows)
    assert all(row["start"] <= row["end"] for row in rows)


def test_connections_that_fail_are_in_the_log(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(lambda request, peer: peer.close())
    taker = Taker("s3://one/b/")
    loop = make_loop(server.addresses, logged=True)
    run_loop(server.addresses, [(GET, "key", 0)] * 3, loop=loop, op_log=taker.log)
    taker.log.finish(10)

    assert [(row["op"], row["error"]) for row in taker.rows] == [
        ("GET", "closed: the server closed the connection")
    ] * 3


@pytest.mark.parametrize("limits", [{"lanes": 1}, {"lanes": 2, "connections": 1}], ids=["alone", "in-line"])
def test_what_was_answered_is_in_the_log_though_the_next_operation_fails_at_once(
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, int],
) -> None:
    server = start_server(
        lambda request, peer: b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
    )
    taker = Taker("s3://one/b/")
    loop = make_loop(server.addresses, logged=True, **limits)
    connect = loop._connections.connect
    calls: list[int] = []

    def every_second_one(endpoint: int) -> Any:
        calls.append(endpoint)
        if len(calls) % 2 == 0:
            raise OSError(24, "Too many open files")
        return connect(endpoint)

    monkeypatch.setattr(loop._connections, "connect", every_second_one)
    tasks = [(GET, f"key-{number}", 0) for number in range(6)]
    run = run_loop(server.addresses, tasks, loop=loop, op_log=taker.log, **limits)
    assert taker.log.finish(10) == []

    assert run.reins.counts() == {("get", 0): (3, 3)}
    assert sorted(row["file"] for row in taker.rows) == [f"key-{number}" for number in range(6)]
    assert (
        sorted((row["error"] != "", row["bytes"]) for row in taker.rows)
        == [(False, "1")] * 3 + [(True, "0")] * 3
    )


def test_lanes_of_files_note_what_they_do(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        (folder / "data").mkdir(parents=True)
        for number in range(5):
            (folder / "data" / f"{number}").write_bytes(b"x" * 700)
    # One of them has an object less than the list says, which is made from the first.
    (folders[1] / "data" / "3").unlink()
    endpoints = [
        Endpoint(f"{folder.as_uri()}/", "file", Origin("", ""), root=f"{folder}/") for folder in folders
    ]
    operations = (
        make_op("get", "data/*"),
        make_op("put", "new/"),
        make_op("stat", "data/*"),
        make_op("list", "data/"),
    )
    stage = StagePlan("workload", duration_s=0.3, operations=operations)
    many = ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
    run = make_run(endpoints, [stage], op_log_bytes=1 << 24, errors=many)
    taker = Taker(*(endpoint.uri for endpoint in endpoints), scheme="file", max_bytes=1 << 24)
    run.worker._op_log = taker.log
    run.check()
    result = run.stage(0)
    rows = taker.rows

    assert [note for note in result["notes"] if "op_log" in note] == []
    names = {"get": "GET", "put": "PUT", "stat": "HEAD", "list": "LIST"}
    done = Counter((row["op"], row["endpoint"]) for row in rows if not row["error"])
    assert done == {
        (names[op], endpoints[number].uri): count for (op, number), (count, _) in run.reins.counts().items()
    }
    failed = Counter((row["op"], row["endpoint"]) for row in rows if row["error"])
    counted: Counter[tuple[str, str]] = Counter()
    # Those after the end of the window are counted apart.
    for op, number, _, count, _ in run.reins.errors():
        counted[names[op], endpoints[number].uri] += count
    assert failed == counted
    assert {row["file"] for row in rows if row["error"]} == {"data/3"}
    assert {(row["op"], row["bytes"]) for row in rows if not row["error"]} == {
        ("GET", "700"),
        ("PUT", "1000"),
        ("HEAD", "0"),
        ("LIST", "0"),
    }


def test_without_a_log_nothing_is_different(
    make_run: Callable[..., Any], start_server: Callable[..., Any]
) -> None:
    server = start_server(_script)
    [(host, port)] = server.addresses
    endpoint = Endpoint(f"s3://{host}:{port}/bench/", "s3", Origin("", ""), host, port, "bench")
    run = make_run([endpoint], [StagePlan("workload")])
    run.check()
    run.worker.engine.open()
    engine: S3Engine = run.worker.engine

    assert type(engine._loop) is HttpLoop
    engine.close()


def _script_of_parts(request: Any, _peer: Any) -> bytes:
    body, status, fields = b"", "200 OK", ""
    if request.method == "POST":
        body = (
            b"<R><UploadId>u1</UploadId></R>"
            if "uploads" in request.path
            else b"<CompleteMultipartUploadResult/>"
        )
    elif request.method == "PUT":
        fields = 'ETag: "tag"\r\n'
    else:
        first, last = re.search(r"\nRange: bytes=(\d+)-(\d+)", request.head, re.IGNORECASE).groups()  # type: ignore[union-attr]
        last = min(int(last), 2499)
        body, status = b"x" * (last - int(first) + 1), "206 Partial Content"
        fields = f"Content-Range: bytes {first}-{last}/2500\r\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode() + body


def test_each_request_of_a_large_object_has_its_own_line(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    server = start_server(_script_of_parts, endpoints=2)
    uris = [f"s3://{host}:{port}/bench/" for host, port in server.addresses]
    taker = Taker(*uris)
    loop = make_loop(server.addresses, lanes=3, logged=True)
    tasks = [
        (GET | LARGE, "read", 2500, Large(Ranges(1000, 2), None)),
        (PUT | LARGE, "write", 2500, Large(Multipart(1000, 2, 1), PLAIN)),
    ]
    run = run_loop(server.addresses, tasks, lanes=3, loop=loop, op_log=taker.log)
    taker.log.finish(10)
    rows = taker.rows

    assert run.reins.errors() == []
    names = {"GET": "read", "PUT": "write", "POST": "write"}
    seen = Counter((uris[each.endpoint], names[each.method]) for each in server.requests)
    assert Counter((row["endpoint"], row["file"]) for row in rows) == seen
    moved = sorted((row["op"], int(row["bytes"])) for row in rows)
    # Beginning and completing an upload moves nothing.
    assert moved == sorted(
        [("GET", 1000), ("GET", 1000), ("GET", 500), *(("PUT", size) for size in (0, 1000, 1000, 500, 0))]
    )
