from __future__ import annotations

import socket
import threading
from collections import deque
from itertools import count
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent import connection as connection_module
from pytest_sai3bench.agent import hdr
from pytest_sai3bench.agent.buckets import UPPER_BYTES
from pytest_sai3bench.agent.connection import Connection
from pytest_sai3bench.agent.messages import GET, LIST
from pytest_sai3bench.agent.recorder import NEVER_NS, Recorder, Segment, Totals, Window, series_base
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer

ANSWER = b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 40\r\n\r\n" + b"x" * 40
HINTS = b"HTTP/1.1 103 Early Hints\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
MIB = 1 << 20


def distribution(samples: list[int]) -> dict[str, Any]:
    index = sorted({hdr.index_of(each) for each in samples})
    return {
        "sum_ns": sum(samples),
        "min_ns": min(samples),
        "max_ns": max(samples),
        "index": index,
        "counts": [sum(hdr.index_of(each) == one for each in samples) for one in index],
    }


def receive(connection: Connection) -> bool:
    buffer = bytearray(4096)
    return connection.receive(buffer, memoryview(buffer))


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the connection's clock count how often it is read."""
    ticks = count(1)
    monkeypatch.setattr(connection_module, "monotonic_ns", lambda: next(ticks))


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize("answer", [ANSWER, CHUNKED], ids=["length", "chunked"])
def test_the_instant_is_that_of_the_first_piece_wherever_the_answer_is_split(answer: bytes) -> None:
    server, client = socket.socketpair()
    client.setblocking(False)
    with server, client:
        connection = Connection(client, 0)
        for reads, cut in enumerate(range(1, len(answer)), 1):
            connection.expect()
            server.sendall(answer[:cut])
            assert not receive(connection)
            assert connection.first_ns == reads
            server.sendall(answer[cut:])
            assert receive(connection)
            # One more piece needs no further look at the clock.
            assert connection.first_ns == reads


@pytest.mark.usefixtures("ticking")
def test_an_answer_in_one_piece_costs_no_look_at_the_clock() -> None:
    server, client = socket.socketpair()
    client.setblocking(False)
    with server, client:
        connection = Connection(client, 0)
        connection.expect()
        server.sendall(ANSWER[:7])
        assert not receive(connection)
        server.sendall(ANSWER[7:])
        assert receive(connection)
        assert connection.first_ns == 1

        for _ in range(3):
            connection.expect()
            server.sendall(ANSWER)
            assert receive(connection)
            assert connection.first_ns == 0


@pytest.mark.usefixtures("ticking")
@pytest.mark.parametrize(
    ("pieces", "first"),
    [
        ((HINTS, ANSWER), 0),
        ((HINTS[:9], HINTS[9:], ANSWER), 0),
        ((HINTS, ANSWER[:9], ANSWER[9:]), 2),
        ((HINTS[:9], HINTS[9:] + ANSWER[:9], ANSWER[9:]), 2),
    ],
)
def test_an_interim_answer_is_not_the_answer(pieces: tuple[bytes, ...], first: int) -> None:
    server, client = socket.socketpair()
    client.setblocking(False)
    with server, client:
        connection = Connection(client, 0)
        connection.expect()
        for piece in pieces[:-1]:
            server.sendall(piece)
            assert not receive(connection)
        server.sendall(pieces[-1])
        assert receive(connection)
        assert connection.first_ns == first


answers = st.lists(
    st.tuples(
        st.integers(0, 1 << 40),  # to the first byte
        st.integers(1, 1 << 40) | st.none(),  # from there to the last, when it came in several pieces
        st.sampled_from([0, 1, *UPPER_BYTES]),
    ),
    max_size=50,
)


@settings(deadline=None)
@given(answers)
def test_distributions_are_those_of_all_samples(events: list[tuple[int, int | None, int]]) -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS), done)
    base = series_base(GET, 0, 1)
    expected: dict[int, list[tuple[int, int, bool]]] = {}
    for first, rest, size in events:
        latency = first + (rest or 0)
        if rest is None:
            recorder.record(base, 1, latency, size)
        else:
            recorder.record_pieces(base, 1, latency, size, first)
        expected.setdefault(size, []).append((first, latency, rest is None))
    recorder.flush()
    totals = Totals(1, times_first_byte=True)
    for segment in done:
        totals.add(segment)

    found = totals.sections_wire().get("measured", [])

    buckets: dict[int, list[tuple[int, int, int, bool]]] = {}
    for size, samples in expected.items():
        bucket = sum(size > upper for upper in UPPER_BYTES)
        buckets.setdefault(bucket, []).extend((size, *sample) for sample in samples)
    assert found == [
        {
            "op": "get",
            "role": "",
            "endpoint": 0,
            "bucket": bucket,
            "count": len(samples),
            "bytes": sum(size for size, *_ in samples),
            **distribution([latency for _, _, latency, _ in samples]),
            "response": None,
            "ttfb": "latency"
            if all(whole for *_, whole in samples)
            else distribution([first for _, first, _, _ in samples]),
        }
        for bucket, samples in sorted(buckets.items())
    ]


def test_segments_with_nothing_but_pieces_are_handed_over_in_their_second() -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 5, 2_000_000_000), done)
    base = series_base(GET, 1, 2)
    for now in (1, 10, 1_000_000_000, 2_000_000_000):
        recorder.record_pieces(base, now, 30, 100, 20)
        recorder.respond(base, 100, 40)
    recorder.flush()

    assert [(segment.section, segment.tick) for segment in done] == [
        ("warmup", 0),
        ("measured", 0),
        ("measured", 1),
        ("tail", 2),
    ]
    totals = Totals(2, times_first_byte=True)
    for segment in done:
        totals.add(segment)
    assert {
        section: [(wire["endpoint"], wire["count"], wire["bytes"], wire["ttfb"], wire["response"])]
        for section, [wire] in totals.sections_wire().items()
    } == {
        section: [(1, n, 100 * n, distribution([20] * n), distribution([40] * n))]
        for section, n in (("warmup", 1), ("measured", 2), ("tail", 1))
    }


def test_the_first_byte_of_a_large_answer_is_timed_when_it_arrives(
    start_server: Callable[..., Any], run_loop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived, instants, sent = threading.Event(), [], []

    def clock() -> int:
        instants.append(monotonic_ns())
        arrived.set()
        return instants[-1]

    def script(request: Any, peer: Any) -> bytes:
        sent.append(monotonic_ns())
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n")
        assert arrived.wait(20)
        sent.append(monotonic_ns())
        return b"xyz"

    monkeypatch.setattr(connection_module, "monotonic_ns", clock)
    server = start_server(script)

    run = run_loop(server.addresses, [(GET, "key", 0)])

    [wire] = run.reins.totals.sections_wire()["measured"]
    [first] = instants
    began = first - wire["ttfb"]["sum_ns"]
    assert run.began_ns <= began <= sent[0] <= first <= sent[1] <= began + wire["sum_ns"]
    assert wire["ttfb"] == distribution([first - began])
    assert wire["bytes"] == 3


def test_only_gets_have_one(start_server: Callable[..., Any], run_loop: Callable[..., Any]) -> None:
    def script(request: Any, peer: Any) -> bytes:
        if request.path.endswith("/bench"):
            peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            return b"7\r\n<List/>\r\n0\r\n\r\n"
        return ANSWER

    server = start_server(script)

    run = run_loop(server.addresses, [(LIST, "", 0), (GET, "key", 0), (LIST, "", 0)])

    found = run.reins.totals.sections_wire()["measured"]
    assert [(wire["op"], wire["count"], wire["ttfb"]) for wire in found] == [
        ("get", 1, "latency"),
        ("list", 2, None),
    ]


def test_gets_from_a_real_server(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
) -> None:
    s3_client.put_object(Bucket=bucket, Key="small", Body=b"s")
    s3_client.put_object(Bucket=bucket, Key="large", Body=b"l" * 4 * MIB)
    host, port = s3_server.addresses[0]
    endpoint = Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
    operations = (make_op("get", "small"), make_op("get", "large"), make_op("put", "new/"))
    run = make_run(
        [endpoint], [StagePlan("workload", duration_s=0.5, operations=operations)], s3_server.credentials
    )

    [result] = run.all_stages()

    series = {(wire["op"], wire["bucket"]): wire for wire in result["sections"]["measured"]}
    large, put = series["get", 4], series["put", 1]
    assert put["ttfb"] is None
    assert sum(large["ttfb"]["counts"]) == large["count"]
    for name in ("min_ns", "max_ns", "sum_ns"):
        assert 0 < large["ttfb"][name] < large[name]


def test_files_have_none(tmp_path: Any, make_run: Callable[..., Any], make_op: Callable[..., Any]) -> None:
    (tmp_path / "a").write_bytes(b"x" * MIB)
    endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")
    stage = StagePlan("workload", duration_s=20, operations=(make_op("get", "a"),), most_ops=20)
    run = make_run([endpoint], [stage])

    [result] = run.all_stages()

    assert [wire["ttfb"] for wire in result["sections"]["measured"]] == [None]
