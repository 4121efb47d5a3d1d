"""Large objects of a real server: moved in parts, the same in the end."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import replace
from queue import Queue
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.link import Link
from pytest_sai3bench.agent.payload import Payload, Pool, object_number
from pytest_sai3bench.agent.serve import serve
from pytest_sai3bench.agent.stages import Worker
from pytest_sai3bench.plan.model import Endpoint, EndpointRules, ErrorPolicy, Origin, WorkerPlan
from pytest_sai3bench.plan.work import (
    MultipartPlan,
    ObjectSet,
    OperationPlan,
    RangesPlan,
    SizePlan,
    StagePlan,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer

KIB = 1024


@pytest.fixture
def endpoints(s3_server: EmbeddedServer, bucket: str) -> list[Endpoint]:
    return [
        Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
        for host, port in s3_server.addresses
    ]


@pytest.fixture
def run_of(s3_server: EmbeddedServer, make_run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``run_of(endpoints, stages, …)``: `make_run` with the keys of the server."""
    # A busy machine is no subject of these tests.
    rules = EndpointRules(suspect_after_s=20)
    return lambda endpoints, stages, **changes: make_run(
        endpoints, stages, s3_server.credentials, endpoint_rules=rules, **changes
    )


def of_role(result: Any, role: str) -> dict[str, tuple[int, int]]:
    """Return operations and bytes of the window by operation."""
    found: dict[str, tuple[int, int]] = {}
    for section in ("measured", "tail"):
        for wire in result["sections"].get(section, []):
            if wire["role"] == role:
                count, size = found.get(wire["op"], (0, 0))
                found[wire["op"]] = (count + wire["count"], size + wire["bytes"])
    return found


@pytest.mark.parametrize("verify", [True, False], ids=["verified", "counted"])
def test_what_was_written_whole_is_read_in_ranges(
    verify: bool,  # noqa: FBT001 - pytest passes it by name
    endpoints: list[Endpoint],
    run_of: Callable[..., Any],
) -> None:
    size = 300 * KIB + 7
    operation = OperationPlan("get", "data/*", 1, "s.yaml:1", verify=verify, ranges=RangesPlan(100_000, 3))
    objects = ObjectSet("data/", "prepared", 5, SizePlan("fixed", size, size), "")
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=0.3, operations=(operation,)),
    ]

    _, workload = run_of(endpoints, stages).all_stages()

    assert workload["errors"] == []
    count, moved = of_role(workload, "whole")["get"]
    assert count > 0
    assert moved == count * size
    assert of_role(workload, "part") == {"get": (4 * count, moved)}
    requests = Counter[int]()
    for section in workload["sections"].values():
        for wire in section:
            requests[wire["endpoint"]] += wire["count"] if wire["role"] == "part" else 0
    assert max(requests.values()) - min(requests.values()) <= 1


def test_the_size_of_other_objects_comes_with_their_first_range(
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    run_of: Callable[..., Any],
) -> None:
    sizes = {"empty": 0, "small": 10, "exact": 100_000, "more": 100_001, "large": 512 * KIB}
    for name, size in sizes.items():
        s3_client.put_object(Bucket=bucket, Key=f"other/{name}", Body=b"x" * size)
    operations = [
        OperationPlan("get", f"other/{name}", 1, "s.yaml:1", ranges=RangesPlan(100_000, 3)) for name in sizes
    ]
    stages = [StagePlan("workload", duration_s=0.3, operations=tuple(operations))]

    (workload,) = run_of(endpoints, stages).all_stages()

    assert workload["errors"] == []
    seen = {
        (wire["role"], wire["bytes"] // wire["count"])
        for section in workload["sections"].values()
        for wire in section
        if wire["role"] != "part"
    }
    # Objects of 100,001 bytes and of 512 KiB are in the same size bucket as each other, or not; never with the rest.
    assert {size for role, size in seen if role == ""} <= {0, 10, 100_000}
    assert {role for role, size in seen if size > 100_000} == {"whole"}
    assert of_role(workload, "part")["get"][1] == of_role(workload, "whole")["get"][1]


MIB = 1 << 20
# This server, too, takes no smaller parts.
MULTIPART = MultipartPlan(part_size=5 * MIB, parallel=3, threshold=4 * MIB)
SIZES = SizePlan("uniform", 2 * MIB, 12 * MIB)
HUGE = SizePlan("fixed", 2 << 30, 2 << 30)


def content_of(key: str, size: int) -> bytes:
    payload, content = Payload(Pool(7)), b""
    payload.begin(object_number(key), size)
    while chunk := payload.chunk():
        content += chunk
    return content


def uploads_in(client: Any, bucket: str) -> list[str]:
    """Return what boto3 finds of uploads that were begun and have not ended."""
    return [upload["Key"] for upload in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]


def read_all(client: Any, bucket: str) -> dict[str, bytes]:
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}


@pytest.mark.parametrize("ranges", [None, RangesPlan(1_300_000, 3)], ids=["whole", "ranges"])
def test_what_was_written_in_parts_is_the_same_for_every_reader(
    ranges: RangesPlan | None,
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    run_of: Callable[..., Any],
) -> None:
    put = OperationPlan("put", "new/", 1, "s.yaml:1", SIZES, multipart=MULTIPART)
    get = OperationPlan("get", "data/*", 1, "s.yaml:2", verify=True, ranges=ranges)
    objects = ObjectSet("data/", "prepared", 6, SIZES, "")
    stages = [
        StagePlan("prepare", objects=(objects,), multipart=MULTIPART),
        StagePlan("workload", duration_s=0.3, operations=(get, put)),
        StagePlan("cleanup"),
    ]
    run = run_of(endpoints, stages)
    run.check()

    prepare, workload = run.stage(0), run.stage(1)

    assert prepare["errors"] == workload["errors"] == prepare["notes"] == workload["notes"] == []
    stored = read_all(s3_client, bucket)
    assert stored == {key: content_of(key, len(body)) for key, body in stored.items()}
    divided = [len(body) for body in stored.values() if len(body) >= 4 * MIB]
    puts = {section: of_role(prepare, section)["put"] for section in ("whole", "part")}
    prepared = [len(body) for key, body in stored.items() if key.startswith("data/")]
    assert puts["whole"] == (
        sum(size >= 4 * MIB for size in prepared),
        sum(size for size in prepared if size >= 4 * MIB),
    )
    requests = sum(2 - -size // (5 * MIB) for size in prepared if size >= 4 * MIB)
    assert puts["part"] == (requests, puts["whole"][1])
    assert len(divided) > puts["whole"][0]
    assert uploads_in(s3_client, bucket) == []
    run.stage(2)
    assert read_all(s3_client, bucket) == {}


def test_no_upload_is_left_behind_when_an_endpoint_fails_in_the_middle(
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    run_of: Callable[..., Any],
    start_server: Callable[..., Any],
) -> None:
    def refuse(request: Any, peer: Any) -> bytes:
        if request.method == "GET":
            body = b"<ListBucketResult/>"
            return b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        return b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"

    host, port = start_server(refuse).addresses[0]
    broken = replace(endpoints[0], host=host, port=port, uri=f"s3://{host}:{port}/{bucket}/")
    put = OperationPlan(
        "put", "new/", 1, "s.yaml:1", SizePlan("fixed", 12 * MIB, 12 * MIB), multipart=MULTIPART
    )
    stages = [StagePlan("workload", duration_s=0.5, operations=(put,))]
    errors = ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)

    (workload,) = run_of([*endpoints, broken], stages, errors=errors).all_stages()

    assert {(error["endpoint"], error["kind"]) for error in workload["errors"]} == {(4, "http-503")}
    assert workload["notes"] == []
    assert uploads_in(s3_client, bucket) == []


def test_no_upload_is_left_behind_by_a_stop(
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    run_of: Callable[..., Any],
) -> None:
    put = OperationPlan("put", "new/", 1, "s.yaml:1", HUGE, multipart=MULTIPART)
    run = run_of(endpoints, [StagePlan("workload", duration_s=60, operations=(put,))])
    run.check()

    seen: list[str] = []

    def stop_when() -> bool:
        seen.extend([] if seen else uploads_in(s3_client, bucket))
        return bool(seen)

    workload = run.stage(0, stop_when=stop_when)

    assert (workload["outcome"], workload["errors"]) == ("aborted", [])
    cut_off, *told = workload["notes"]
    assert cut_off.endswith(" operations were cut off by the stop")
    assert seen
    # A server that is too slow for the time there is has to be told of.
    left = uploads_in(s3_client, bucket)
    assert len(left) <= len(run.worker.engine.left_behind)
    assert len(told) == bool(run.worker.engine.left_behind)
    assert read_all(s3_client, bucket) == {}


def test_no_upload_is_left_behind_when_the_controller_is_gone(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers: list[Worker] = []

    class KeptWorker(Worker):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            workers.append(self)

    monkeypatch.setattr("pytest_sai3bench.agent.serve.Worker", KeptWorker)
    put = OperationPlan("put", "new/", 1, "s.yaml:1", HUGE, multipart=MULTIPART)
    stages = (StagePlan("workload", duration_s=60, operations=(put,)),)
    plan = WorkerPlan(
        "local", "localhost", 0, 1, tuple(endpoints), "round_robin", 4, 1, stages, ErrorPolicy()
    )
    arrived: Queue[str] = Queue()
    left: Queue[int] = Queue()
    link = Link(arrived.put, left.put)
    agent = threading.Thread(target=serve, args=(link,))
    agent.start()

    def say(kind: str, **fields: Any) -> None:
        link.feed(json.dumps({"type": kind, **fields}))

    def await_message(kind: str) -> None:
        while json.loads(arrived.get(timeout=20))["type"] != kind:
            pass

    say("plan", plan=plan.to_wire(), credentials=s3_server.credentials._asdict())
    await_message("preflight")
    say("stage", stage=0)
    await_message("ready")
    say("start", at_ns=monotonic_ns())
    await_message("tick")
    assert uploads_in(s3_client, bucket) != []

    link.feed(None)

    agent.join(20)
    assert not agent.is_alive()
    # The process of an agent ends with it.
    workers[0].close()
    assert left.empty()
    assert len(uploads_in(s3_client, bucket)) <= len(workers[0].engine.left_behind)
