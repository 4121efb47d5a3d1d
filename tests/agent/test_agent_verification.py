"""Contents of GETs: one flipped byte, a truncated body and the wrong object are each found, and told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.payload import PLAIN, Payload, Pool, Shape, object_number
from pytest_sai3bench.agent.resolution import StageFailed
from pytest_sai3bench.agent.verification import Check
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import DataPlan, ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POOL = Pool(7)
# Of the event loop in these tests.
LOOP_POOL = Pool(1)
NO_PAUSES = ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
KEYS = [f"data/prepared-{number:08d}.dat" for number in range(4)]


def content_of(key: str, size: int, shape: Shape = PLAIN, pool: Pool = POOL) -> bytes:
    payload, content = Payload(pool), b""
    payload.begin(object_number(key), size, shape)
    while chunk := payload.chunk():
        content += chunk
    return content


def outcome_of(
    content: bytes, cuts: list[int], key: str, size: int, shape: Shape = PLAIN
) -> tuple[str, str] | None:
    check = Check(Payload(POOL), key, size, shape)
    borders = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in zip(borders, borders[1:]):
        check.feed(memoryview(content)[start:end])
    return check.finish()


sizes = st.sampled_from([0, 1, 100, 4096, 4097, 131_072, 300_000])
shapes = st.builds(Shape, st.booleans(), st.integers(1, 5), st.integers(1, 5))
cuts = st.lists(st.integers(0, 300_000), max_size=6)


@settings(deadline=None, max_examples=60)
@given(sizes, shapes, cuts)
def test_what_was_written_passes_however_it_is_cut(size: int, shape: Shape, places: list[int]) -> None:
    assert outcome_of(content_of("k", size, shape), places, "k", size, shape) is None


@settings(deadline=None, max_examples=60)
@given(sizes.filter(bool), shapes, cuts, st.data())
def test_one_flipped_byte_is_found_at_its_place(
    size: int, shape: Shape, places: list[int], data: st.DataObject
) -> None:
    content = bytearray(content_of("k", size, shape))
    place = data.draw(st.integers(0, size - 1))
    right = content[place]
    content[place] ^= data.draw(st.integers(1, 255))
    assert outcome_of(bytes(content), places, "k", size, shape) == (
        "corrupt",
        f"k: byte {place} is 0x{content[place]:02x}, expected 0x{right:02x}",
    )


@settings(deadline=None, max_examples=30)
@given(sizes, sizes, cuts)
def test_a_length_that_is_wrong_is_told_from_content_that_is(
    length: int, size: int, places: list[int]
) -> None:
    outcome = outcome_of(content_of("k", length), places, "k", size)
    kind = "truncated" if length < size else "corrupt"
    assert outcome == (None if length == size else (kind, f"k: {length} bytes, expected {size}"))


@pytest.mark.parametrize("size", [33, 4096, 300_000])
def test_another_object_is_recognized_by_its_content(size: int) -> None:
    assert outcome_of(content_of("other", size), [], "k", size) == (
        "wrong-object",
        "k: the content of another object, from byte 0 on",
    )


def test_the_loop_tells_what_each_endpoint_served(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    size = 700_000
    right = {key: content_of(key, size, PLAIN, LOOP_POOL) for key in KEYS}
    flipped = bytearray(right[KEYS[0]])
    flipped[654_321] ^= 0x40
    bodies = {
        KEYS[0]: bytes(flipped),
        KEYS[1]: right[KEYS[1]][:-1],
        KEYS[2]: right[KEYS[3]],
        KEYS[3]: right[KEYS[3]],
    }

    def script(request: Any, peer: Any) -> bytes:
        body = bodies[request.path.removeprefix("/bench/")] if request.endpoint else right[request.path[7:]]
        if request.number % 2:
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (
            len(body),
            body,
        )

    server = start_server(script, endpoints=2)
    # Every key twice: first the endpoint that tells the truth, then the other, which does so for the last key only.
    tasks = [(GET, key, size, PLAIN) for key in KEYS for _ in range(2)]

    run = run_loop(server.addresses, tasks)

    assert run.reins.counts() == {("get", 0): (4, 4 * size), ("get", 1): (1, size)}
    byte = right[KEYS[0]][654_321]
    assert run.reins.errors() == [
        ("get", 1, "corrupt", 1, f"{KEYS[0]}: byte 654321 is 0x{byte ^ 0x40:02x}, expected 0x{byte:02x}"),
        ("get", 1, "truncated", 1, f"{KEYS[1]}: 699999 bytes, expected 700000"),
        ("get", 1, "wrong-object", 1, f"{KEYS[2]}: the content of another object, from byte 0 on"),
    ]
    # A wrong body is no reason to leave the connection.
    assert server.connections == 2


def test_error_answers_and_cut_off_bodies_are_what_they_are_without_verification(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes | None:
        if request.path.endswith("absent"):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + content_of("cut", 5000, PLAIN, LOOP_POOL)
        )
        peer.close()
        return None

    server = start_server(script)
    run = run_loop(server.addresses, [(GET, "absent", 9000, PLAIN), (GET, "cut", 9000, PLAIN)])
    assert [error[2] for error in run.reins.errors()] == ["closed", "http-404"]


@pytest.mark.parametrize("data", [DataPlan(), DataPlan(dedup=2, compress=3)])
def test_files_of_another_worker_are_verified(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], data: DataPlan
) -> None:
    endpoint = Endpoint(tmp_path.as_uri() + "/", "file", Origin("", ""), root=f"{tmp_path}/")
    size = SizePlan("uniform", 300_000, 600_000)
    objects = ObjectSet("data/", "prepared", 4, size, "", data=data)
    operations = (make_op("get", "data/*", verify=True),)
    prepare = StagePlan("prepare", objects=(objects,))
    workload = StagePlan("workload", duration_s=0.5, operations=operations)
    make_run([endpoint], [prepare], seed=1).all_stages()
    contents = {path.name: bytearray(path.read_bytes()) for path in (tmp_path / "data").iterdir()}
    second = make_run([endpoint], [prepare, workload], seed=2, worker=1, workers=2, errors=NO_PAUSES)

    assert second.stage(1)["errors"] == []

    paths = [tmp_path / key for key in KEYS]
    contents[paths[0].name][299_999] ^= 1
    paths[0].write_bytes(contents[paths[0].name])
    paths[1].write_bytes(contents[paths[1].name][:-5])
    paths[2].write_bytes(contents[paths[3].name])
    second.stage(1)

    by_kind = {error[2]: error[4] for error in second.reins.errors()}
    assert by_kind.keys() == {"corrupt", "truncated", "wrong-object"}
    assert by_kind["corrupt"].startswith(f"{KEYS[0]}: byte 299999 is 0x")
    full = len(contents[paths[1].name])
    assert by_kind["truncated"] == f"{KEYS[1]}: {full - 5} bytes, expected {full}"
    assert by_kind["wrong-object"] == f"{KEYS[2]}: the content of another object, from byte 0 on"


def test_objects_of_a_server_are_verified(
    s3_server: Any, s3_client: Any, bucket: str, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    endpoints = [
        Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
        for host, port in s3_server.addresses
    ]
    objects = ObjectSet("data/", "prepared", 4, SizePlan("fixed", 300_000, 300_000), "")
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=0.5, operations=(make_op("get", "data/", verify=True),)),
    ]
    run = make_run(endpoints, stages, s3_server.credentials, errors=NO_PAUSES)
    run.check()
    run.stage(0)
    result = run.stage(1)
    assert (result["errors"], result["read_sink"]) == ([], "copy")

    s3_client.put_object(Bucket=bucket, Key=KEYS[1], Body=content_of(KEYS[1], 299_000))
    run.stage(1)
    assert {(error[2], error[4]) for error in run.reins.errors()} == {
        ("truncated", f"{KEYS[1]}: 299000 bytes, expected 300000")
    }


def test_what_prepare_did_not_write_cannot_be_verified(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    endpoint = Endpoint(tmp_path.as_uri() + "/", "file", Origin("", ""), root=f"{tmp_path}/")
    objects = ObjectSet("data/", "prepared", 2, SizePlan("fixed", 10, 10), "")
    workload = StagePlan("workload", duration_s=0.1, operations=(make_op("get", "data/*", verify=True),))
    run = make_run([endpoint], [StagePlan("prepare", objects=(objects,)), workload])
    run.stage(0)
    (tmp_path / KEYS[2]).write_bytes(b"beyond the count")
    (tmp_path / "data" / "other").write_bytes(b"")

    with pytest.raises(StageFailed) as failure:
        run.stage(1)

    assert failure.value.kind == "unverifiable"
    assert failure.value.detail == (
        "suite.yaml:get: get: 2 of the 4 objects that data/* matches are not those of prepare, so what they must hold "
        f"is not known; the first is {KEYS[2]}"
    )
