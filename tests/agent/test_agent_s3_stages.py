from __future__ import annotations

import socket
import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.payload import Payload, Pool, object_number
from pytest_sai3bench.agent.s3_requests import quote_key
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.agent.sigv4 import Credentials
    from pytest_sai3bench.embedded.server import EmbeddedServer

SIZE = SizePlan("uniform", 500, 9000)
SEED = 7


@dataclass
class Store:
    """One bucket of the server, seen from outside of the agent: with boto3, and by the server's own counts."""

    server: EmbeddedServer
    client: Any
    bucket: str

    @property
    def credentials(self) -> Credentials:
        return self.server.credentials

    def endpoints(self, prefix: str = "") -> list[Endpoint]:
        origin = Origin("", "")
        return [
            Endpoint(
                f"s3://{host}:{port}/{self.bucket}/{prefix}", "s3", origin, host, port, self.bucket, prefix
            )
            for host, port in self.server.addresses
        ]

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self) -> dict[str, bytes]:
        return {
            key: self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in self.keys()
        }

    def counts(self) -> tuple[Counter[str], ...]:
        return self.server.access_counts(self.bucket)

    def assert_counts(self, before: tuple[Counter[str], ...], grown_by: list[Counter[str]]) -> None:
        """Compare with what each endpoint of the server counted; an answer may arrive an instant before its count."""
        deadline = time.monotonic() + 5
        while (grown := [now - then for now, then in zip(self.counts(), before)]) != grown_by:
            assert time.monotonic() < deadline, (grown, grown_by)


@pytest.fixture
def store(s3_server: EmbeddedServer, s3_client: Any, bucket: str) -> Store:
    return Store(s3_server, s3_client, bucket)


def content_of(path: str, size: int) -> bytes:
    payload, content = Payload(Pool(SEED)), b""
    payload.begin(object_number(quote_key(path)), size)
    while chunk := payload.chunk():
        content += chunk
    return content


def requests_of(counts: dict[tuple[str, int], tuple[int, int]], endpoints: int) -> list[Counter[str]]:
    """Return how many requests of each type the operations need; STAT counts as GET at the server."""
    found: list[Counter[str]] = [Counter() for _ in range(endpoints)]
    for (op, endpoint), (count, _) in counts.items():
        found[endpoint]["GET" if op == "stat" else op.upper()] += count
    return found


def test_all_operations_do_what_they_say_and_every_server_agrees(
    store: Store, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    foreign = {
        "p/other": b"not ours",
        "p/data/prepared-00000003.dat": b"was here before",
        "prepared-00000000.dat": b"",
    }
    for key, body in foreign.items():
        store.put(key, body)
    sets = [ObjectSet("data/", stem, 40, SIZE, "") for stem in ("prepared", "deletable")]
    operations = [
        make_op("get", "data/", 40, pool="prepared"),
        make_op("stat", "data/prepared-*", 20, pool="prepared"),
        make_op("put", "new/", 20),
        make_op("list", "data/", 10),
        make_op("delete", "data/", 3, pool="deletable"),
    ]
    stages = [
        StagePlan("prepare", objects=tuple(sets)),
        StagePlan("workload", duration_s=0.4, warmup_s=0.1, operations=tuple(operations)),
        StagePlan("cleanup", objects=tuple(sets)),
    ]
    run = make_run(store.endpoints("p/"), stages, store.credentials, seed=SEED)
    assert run.check() == [("", "")] * 4
    before = store.counts()

    prepare = run.stage(0)

    made = {key: body for key, body in store.read().items() if key not in foreign}
    names = [f"p/data/{stem}-{number:08d}.dat" for stem in ("prepared", "deletable") for number in range(40)]
    assert sorted(made) == sorted(set(names) - set(foreign))
    assert all(500 <= len(body) <= 9000 for body in made.values())
    assert made == {key: content_of(key.removeprefix("p/"), len(body)) for key, body in made.items()}
    assert len({body[:16] for body in made.values()}) == 79
    by_endpoint = run.reins.counts("measured")
    assert sorted(count for count, _ in by_endpoint.values()) == [19, 20, 20, 20]
    assert sum(size for _, size in by_endpoint.values()) == sum(len(body) for body in made.values())
    assert (prepare["outcome"], prepare["errors"], prepare["retries"], prepare["notes"]) == (
        "completed",
        [],
        0,
        [],
    )
    # To see what is there, each of the two sets was listed once; reading it all back was ours.
    expected = requests_of(by_endpoint, 4)
    expected[0] += Counter({"LIST": 2 + 1, "GET": len(made) + len(foreign)})
    store.assert_counts(before, expected)
    before = store.counts()

    workload = run.stage(1)

    assert (workload["outcome"], workload["errors"], workload["notes"]) == ("completed", [], [])
    assert workload["window_ns"][1] - workload["window_ns"][0] == 400_000_000
    assert set(workload["sections"]) <= {"warmup", "measured", "tail"}
    assert {op for op, _ in run.reins.counts("measured")} == {"get", "put", "list", "stat", "delete"}
    operations_seen = run.reins.counts()
    expected = requests_of(operations_seen, 4)
    # Three paths were listed to see what matches.
    expected[0] += Counter({"LIST": 3})
    store.assert_counts(before, expected)
    totals = [sum(requests.values()) for requests in requests_of(operations_seen, 4)]
    assert max(totals) - min(totals) <= 1
    now = store.read()
    puts = {key: body for key, body in now.items() if key.startswith("p/new/")}
    assert len(puts) == sum(count for (op, _), (count, _) in operations_seen.items() if op == "put")
    assert puts == {key: content_of(key.removeprefix("p/"), 1000) for key in puts}
    deleted = sum(count for (op, _), (count, _) in operations_seen.items() if op == "delete")
    assert len(now) == len(made) + len(foreign) + len(puts) - deleted
    assert all("deletable-" in key for key in made.keys() - now.keys())
    sizes = {len(body) for key, body in now.items() if "/prepared-" in key}
    gets = [wire for section in workload["sections"].values() for wire in section if wire["op"] == "get"]
    assert all(wire["count"] * min(sizes) <= wire["bytes"] <= wire["count"] * max(sizes) for wire in gets)

    cleanup = run.stage(2)

    assert (cleanup["outcome"], cleanup["errors"]) == ("completed", [])
    assert store.read() == foreign


def test_a_second_prepare_makes_only_what_is_missing(store: Store, make_run: Callable[..., Any]) -> None:
    stage = StagePlan("prepare", objects=(ObjectSet("", "prepared", 12, SIZE, ""),))
    (first,) = make_run(store.endpoints(), [stage], store.credentials).all_stages()
    assert sum(wire["count"] for wire in first["sections"]["measured"]) == 12
    for number in (0, 5, 11):
        store.delete(f"prepared-{number:08d}.dat")

    (second,) = make_run(store.endpoints(), [stage], store.credentials).all_stages()
    (third,) = make_run(store.endpoints(), [stage], store.credentials).all_stages()
    (anew,) = make_run(store.endpoints(), [replace(stage, look=False)], store.credentials).all_stages()
    (none,) = make_run(store.endpoints(), [replace(stage, create=False)], store.credentials).all_stages()

    assert sum(wire["count"] for wire in second["sections"]["measured"]) == 3
    assert third["sections"] == none["sections"] == {}
    assert {third["outcome"], none["outcome"]} == {"completed"}
    assert sum(wire["count"] for wire in anew["sections"]["measured"]) == 12
    assert len(store.read()) == 12


def test_keys_of_every_kind_are_listed_and_read(
    store: Store, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    names = [
        "plain",
        "with space",
        "plus+",
        "per%cent",
        "per%20cent",
        "ü€😀",
        "~!@$&'()=;:,[]{}",
        "deep/er file",
    ]
    for name in names:
        store.put(f"d ä+%/{name}", b"x" * (len(name) + 100))
    paths = {
        "d ä+%/*": [*names[:-1]],
        "d ä+%/*/*": [names[-1]],
        "d ä+%/": [*names[:-1]],
        "d ä+%/per%20*": ["per%20cent"],
        "d ä+%/* space": ["with space"],
        "d ä+%/deep/er file": ["deep/er file"],
    }
    for path, matching in paths.items():
        stage = StagePlan("workload", 60, 0.1, (make_op("get", path), make_op("stat", path)))
        run = make_run(store.endpoints(), [stage], store.credentials, lanes=8)
        run.check()
        result = run.stage(
            0, stop_when=lambda run=run: {("get", n) for n in range(4)} <= run.reins.counts().keys()
        )
        assert result["errors"] == []
        (entry, _, _) = run.worker.prepare(0, lambda: None).source._entries[0]
        pool = entry._pool
        assert sorted(pool[place] for place in range(len(pool))) == sorted(
            quote_key(f"d ä+%/{name}") for name in matching
        )
        counts = run.reins.counts()
        count, size = (sum(counts["get", endpoint][part] for endpoint in range(4)) for part in (0, 1))
        lengths = [len(name) + 100 for name in matching]
        assert count
        assert min(lengths) * count <= size <= max(lengths) * count

    puts = StagePlan(
        "workload", duration_s=0.5, operations=(make_op("put", "new *[x]+%/ü/"), make_op("list", "new *"))
    )
    run = make_run(store.endpoints("p ä+/"), [puts, StagePlan("cleanup")], store.credentials)
    before = store.keys()
    assert set(run.check()) == {("", "")}
    assert run.stage(0)["errors"] == []
    made = set(store.keys()) - set(before)
    assert len(made) == sum(count for (op, _), (count, _) in run.reins.counts().items() if op == "put") > 0
    assert all(key.startswith("p ä+/new *[x]+%/ü/obj_") for key in made)
    assert run.stage(1)["errors"] == []
    assert store.keys() == before


def test_a_folder_of_more_than_one_page(
    store: Store, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    objects = ObjectSet("many &<> things/", "prepared", 1100, SizePlan("fixed", 1, 1), "")
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=20, operations=(make_op("list", "many &<> things/"),), most_ops=20),
        StagePlan("workload", duration_s=30, operations=(make_op("delete", "many &<> things/*"),)),
    ]
    run = make_run(store.endpoints(), stages, store.credentials, lanes=8)
    run.check()
    prepare = run.stage(0)
    assert sum(wire["count"] for wire in prepare["sections"]["measured"]) == 1100
    before = store.counts()

    assert run.stage(1)["errors"] == []
    listings = run.reins.counts()
    # Two pages each.
    store.assert_counts(before, [Counter({"LIST": 2 * listings["list", n][0]}) for n in range(4)])

    deletes = run.stage(2)
    assert deletes["outcome"] == "exhausted"
    assert deletes["notes"] == ["suite.yaml:delete: delete ran out of objects before the time was up"]
    assert sum(count for count, _ in run.reins.counts().values()) == 1100
    assert deletes["ended_ns"] < deletes["window_ns"][0] + 30_000_000_000
    assert deletes["window_ns"][1] == deletes["ended_ns"]


def test_objects_that_went_away_are_errors_of_the_endpoint_that_was_asked(
    store: Store, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    store.put("gone", b"x")
    stage = StagePlan("workload", duration_s=20, operations=(make_op("get", "gone"),))
    rules = ErrorPolicy(max_total_errors=8, error_rate_threshold=1e9)
    run = make_run(store.endpoints(), [stage], store.credentials, errors=rules)
    run.check()

    result = run.stage(0, once_ready=lambda: store.delete("gone"))

    text = "404 NoSuchKey: The specified key does not exist."
    assert {(error["op"], error["kind"], error["sample"]) for error in result["errors"]} == {
        ("get", "http-404", text)
    }
    assert {error["endpoint"] for error in result["errors"]} == {0, 1, 2, 3}
    assert result["outcome"] == "gave-up"
    assert result["reason"] == f"8 errors (error_handling.max_total_errors); the last: {text}"
    assert 8 <= sum(error["count"] for error in result["errors"]) < 8 + run.plan.lanes


@pytest.mark.parametrize(
    ("change", "kind", "detail"),
    [
        (
            {"secret_key": "wrong"},
            "bad-secret",
            "403 SignatureDoesNotMatch: The request signature we calculated",
        ),
        ({"access_key": "NOBODY"}, "unknown-key", "403 InvalidAccessKeyId: The access key ID you provided"),
    ],
)
def test_wrong_keys_are_told_apart(
    store: Store,
    make_run: Callable[..., Any],
    change: dict[str, str],
    kind: str,
    detail: str,
) -> None:
    run = make_run(store.endpoints(), [], store.credentials._replace(**change))
    checks = run.check()
    assert [found for found, _ in checks] == [kind] * 4
    assert all(text.startswith(detail) for _, text in checks)


def test_without_keys_the_server_refuses(store: Store, make_run: Callable[..., Any]) -> None:
    assert make_run(store.endpoints(), []).check() == [("denied", "403 AccessDenied: Access Denied.")] * 4


def test_each_endpoint_has_a_check_of_its_own(store: Store, make_run: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    good, *others = store.endpoints()
    wrong = [
        replace(others[0], bucket="test-no-such-bucket"),
        replace(others[1], host="127.0.0.1", port=port),
        replace(others[2], host="no-such-host.invalid"),
    ]
    checks = make_run([good, *wrong, good], [], store.credentials).check()
    assert [kind for kind, _ in checks] == ["", "no-bucket", "refused", "unresolved", ""]
    assert checks[1][1] == "404 NoSuchBucket: The specified bucket does not exist"
    assert checks[2][1] == "connection refused"
    assert checks[3][1].startswith("no-such-host.invalid: ")


def test_a_stop_in_the_middle_leaves_all_objects_to_the_cleanup(
    store: Store, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    objects = ObjectSet("data/", "prepared", 100_000, SizePlan("fixed", 10, 10), "")
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=60, operations=(make_op("put", "new/"),)),
        StagePlan("cleanup", mode="strict"),
    ]
    run = make_run(store.endpoints(), stages, store.credentials)
    run.check()

    def stop_after(operations: int) -> Callable[[], bool]:
        return lambda: sum(count for count, _ in run.reins.counts().values()) >= operations

    prepare = run.stage(0, stop_when=stop_after(1))
    assert prepare["outcome"] == "aborted"
    made = sum(wire["count"] for wire in prepare["sections"]["measured"])
    assert len(store.keys()) == made
    assert run.stage(1, stop_when=stop_after(1))["outcome"] == "aborted"
    puts = run.reins.counts()
    assert len(store.keys()) == made + sum(count for count, _ in puts.values())
    assert run.stage(2)["errors"] == []
    assert store.keys() == []
    # What was not made is not removed either; only what a stop cut off may be asked for in vain.
    removed = sum(count for count, _ in run.reins.counts().values())
    assert made + sum(count for count, _ in puts.values()) == removed
