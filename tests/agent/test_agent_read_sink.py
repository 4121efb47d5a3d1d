from __future__ import annotations

import threading
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import connection as connection_module
from pytest_sai3bench.agent import s3_engine
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer

MIB = 1 << 20


@pytest.mark.parametrize("drops", [True, False])
def test_what_is_dropped_never_comes_to_the_program(
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    *,
    drops: bool,
) -> None:
    head_is_there = threading.Event()

    def clock() -> int:
        head_is_there.set()
        return monotonic_ns()

    def script(request: Any, peer: Any) -> bytes:
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nbegin" % (MIB + 5))
        # What comes with the head has to be copied.
        assert head_is_there.wait(20)
        return b"Z" * MIB

    monkeypatch.setattr(connection_module, "monotonic_ns", clock)
    server = start_server(script)
    loop = make_loop(server.addresses, drops=drops)

    run = run_loop(server.addresses, [(GET, "key", 0)], loop=loop)

    assert run.reins.counts() == {("get", 0): (1, MIB + 5)}
    assert (b"Z" in loop._buffer) is not drops


@pytest.mark.parametrize(("wanted", "used"), [("auto", "discard"), ("copy", "copy"), ("discard", "discard")])
def test_the_result_says_what_was_done(  # noqa: PLR0917 - fixtures
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
    wanted: str,
    used: str,
) -> None:
    s3_client.put_object(Bucket=bucket, Key="large", Body=b"l" * MIB)
    host, port = s3_server.addresses[0]
    endpoint = Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
    stage = StagePlan("workload", duration_s=20, operations=(make_op("get", "large"),), most_ops=20)
    run = make_run([endpoint], [stage], s3_server.credentials, read_sink=wanted)

    [result] = run.all_stages()

    assert (result["errors"], result["read_sink"]) == ([], used)
    [(count, size)] = run.reins.counts().values()
    assert size == count * MIB


def test_a_system_that_cannot_drop_says_so_before_the_load(
    make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_engine, "MSG_TRUNC", 0)
    endpoint = Endpoint("s3://127.0.0.1:9/b/", "s3", Origin("", ""), "127.0.0.1", 9, "b")
    stage = StagePlan("workload", duration_s=0.1, operations=(make_op("get", "large"),))

    assert make_run([endpoint], [stage], read_sink="discard").check() == [
        ("other", "the bodies of gets cannot be dropped here (read_sink: discard): only Linux does that")
    ]
    auto = make_run([endpoint], [stage])
    assert auto.worker.engine.read_sink == "copy"
    assert [kind for kind, _ in auto.check()] == ["refused"]
