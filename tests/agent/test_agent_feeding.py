from __future__ import annotations

import re
import threading
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.agent import feeding
from pytest_sai3bench.agent.feeding import Feed, View, choose
from pytest_sai3bench.agent.messages import GET, OPERATIONS, STAT
from pytest_sai3bench.agent.naming import Shards
from pytest_sai3bench.agent.patterns import parse_pattern
from pytest_sai3bench.agent.placement import Placement
from pytest_sai3bench.agent.pools import NamePool, PlacedPool
from pytest_sai3bench.agent.prepared_objects import Known
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.agent.sources import Mix
from pytest_sai3bench.agent.tasks import everywhere
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import MultipartPlan, ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = SizePlan("fixed", 100, 100)
KEYS = Credentials("access", "secret", "us-east-1")


def open_feed(matches: Callable[[str], bool] = lambda _: True) -> tuple[Feed, View]:
    feed = Feed("o{}".format, everywhere)
    view = View(feed, matches)
    feed.views.append(view)
    return feed, view


@given(order=st.permutations(range(30)), failed=st.sets(st.integers(0, 29)), most=st.integers(0, 30))
def test_a_feed_has_what_succeeded_and_nothing_else(order: list[int], failed: set[int], most: int) -> None:
    """Whatever the order in which PUTs end, and however few may be ahead of one that has not ended."""
    feed, view = open_feed(lambda name: int(name[1:]) % 3 != 0)
    ahead, feeding._MOST_AHEAD = feeding._MOST_AHEAD, most
    try:
        for done, number in enumerate(order, start=1):
            feed.put(number, succeeded=number not in failed)
            there = {each for each in range(feed.first, feed.end) if each not in feed.missing}
            assert there <= set(order[:done]) - failed
            assert view.count == sum(each % 3 != 0 for each in there)
            assert len(feed._ahead) <= most
        assert there == set(order) - failed
        found = {view.choose(Random(seed)) for seed in range(100)} if view.count else set()
        assert found <= {(f"o{each}", -1) for each in there if each % 3}
    finally:
        feeding._MOST_AHEAD = ahead


def test_a_feed_forgets_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_MOST_MISSING", 10)
    feed, view = open_feed()
    for number in range(100):
        feed.put(number, succeeded=number % 2 == 0)
        assert len(feed.missing) <= 10
    assert feed.first > 0
    assert view.count == sum(number % 2 == 0 for number in range(feed.first, 100))


def test_new_and_old_objects_have_the_same_chance() -> None:
    """With 20,000 draws among 40 objects a share of 1/40 is met within 4.5 standard deviations, which is 1 in 147,000."""
    feeds = [open_feed(), open_feed(lambda name: name != "o3")]
    for number in range(20):
        feeds[0][0].put(number, succeeded=number not in {4, 7})
        feeds[1][0].put(number, succeeded=number < 13)
    views = [view for _, view in feeds]
    assert [view.count for view in views] == [18, 12]
    rng, draws = Random(5), 20_000
    counts = Counter(choose(views, 10, rng) for _ in range(draws))
    old = counts.pop(None)
    # Both feeds name their objects alike here: those of both come twice as often.
    expected = {number: (number not in {4, 7}) + (number < 13 and number != 3) for number in range(20)}
    assert {found for found in counts if found} == {(f"o{n}", -1) for n, times in expected.items() if times}
    for share, count in [(10, old), *((expected[n], counts[f"o{n}", -1]) for n in range(20))]:
        deviation = (draws * share / 40 * (1 - share / 40)) ** 0.5
        assert abs(count - draws * share / 40) <= 4.5 * deviation


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/", {"data/obj_7", "data/x"}),
        ("data/*", {"data/obj_7", "data/x"}),
        ("data/obj_*", {"data/obj_7"}),
        ("da*/o*", {"data/obj_7", "data/deep/obj_7"}),
        ("*", {"obj_7"}),
        ("*/*", {"data/obj_7", "data/x", "data/deep/obj_7"}),
        ("data/x", {"data/x"}),
        ("other/*", set()),
    ],
)
def test_a_pattern_matches_what_its_listing_would_find(pattern: str, expected: set[str]) -> None:
    names = ["obj_7", "data/obj_7", "data/x", "data/deep/obj_7"]
    assert {name for name in names if parse_pattern(pattern).matches(name)} == expected


def make_mix(operations: list[Any], pools: list[Any], **changes: Any) -> Mix:
    return Mix(
        [operation.to_wire() for operation in operations],
        pools,
        **{
            "worker": 0,
            "workers": 1,
            "placement": Placement("shared", 1, 0, 1, [(0, 1)]),
            "rng": Random(3),
            "base": 1,
            "known": Known(),
            "decode": str,
            **changes,
        },
    )


def test_readers_are_fed_wherever_they_stand_and_each_by_its_pattern(make_op: Callable[..., Any]) -> None:
    """The first get stands before the puts, and under shards objects lie in folders that patterns do not name."""
    operations = [
        make_op("get", "new/*", 5),
        make_op("put", "new", 2),
        make_op("put", "other", 2),
        make_op("stat", "other/", 5),
        make_op("get", "old", 5),
    ]
    pool = NamePool(["old"])
    mix = make_mix(operations, [pool, None, None, pool, pool], known=Known(shards=Shards(3)))
    written: set[str] = set()
    read: dict[int, set[str]] = {GET: set(), STAT: set()}
    for _ in range(3000):
        task = mix.take()
        assert task is not None
        if OPERATIONS[task[0]] == "put":
            written.add(task[1])
            task.leave(succeeded=True)  # type: ignore[attr-defined]
        else:
            assert task[1] == "old" or task[1] in written
            read[task[0]].add(task[1])
    folders = {op: {re.sub("/.*", "", name) for name in names} for op, names in read.items()}
    assert folders == {GET: {"old", "new"}, STAT: {"old", "other"}}
    new = [sum(name.startswith(folder) for name in written) for folder in ("new/", "other/")]
    assert mix.notes == [
        f"suite.yaml:get: get chose among {new[0]} new objects, too, at the end",
        f"suite.yaml:stat: stat chose among {new[1]} new objects, too, at the end",
    ]


def test_new_objects_are_read_where_they_are(make_op: Callable[..., Any]) -> None:
    placement = Placement("independent", 3, 0, 1, [(0, 1)] * 3)
    pool = PlacedPool([NamePool([f"old{number}"]) for number in range(3)], [(0, 1)] * 3)
    mix = make_mix([make_op("get", "*", 3), make_op("put", "", 1)], [pool, None], placement=placement)
    places = {f"old{number}": number for number in range(3)}
    for _ in range(500):
        task = mix.take()
        assert task is not None
        if task[0] == GET:
            assert places[task[1]] == task[4]
        else:
            places[task[1]] = task[4]
            task.leave(succeeded=True)  # type: ignore[attr-defined]
    assert set(places.values()) == {0, 1, 2}


@pytest.mark.parametrize("engine", ["default", "file", "multipart"])
def test_new_objects_are_read_once_they_are_there_and_deletes_take_none_of_them(
    engine: str,
    start_server: Callable[..., Any],
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """A storage that answers 404 for what is not there: nothing fails, and new objects are read."""
    stored: dict[str, int] = {}
    lock = threading.Lock()

    def answer(request: Any, _peer: Any) -> bytes:
        path, _, query = request.path.partition("?")
        with lock:
            if request.method == "GET" and "list-type" in query:
                keys = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in sorted(stored))
                body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>".encode()
            elif request.method == "POST" and "uploads" in query:
                body = (
                    b"<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>"
                )
            elif request.method == "POST":
                stored[path.removeprefix("/bench/")] = 100
                body = b"<CompleteMultipartUploadResult/>"
            elif request.method == "PUT":
                if not query:
                    stored[path.removeprefix("/bench/")] = len(request.body)
                return b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
            elif request.method == "DELETE":
                # What the workload has deleted cleanup deletes again.
                stored.pop(path.removeprefix("/bench/"), None)
                return b"HTTP/1.1 204 No Content\r\n\r\n"
            elif path.removeprefix("/bench/") not in stored:
                return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            else:
                body = bytes(100)
                gotten[path.removeprefix("/bench/")] += 1
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    gotten: Counter[str] = Counter()
    if engine == "file":
        endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")
    else:
        host, port = start_server(answer).addresses[0]
        endpoint = Endpoint("s3://x/bench/", "s3", Origin("", ""), host=host, port=port, bucket="bench")
    parts = MultipartPlan(40, 2, 50) if engine == "multipart" else None
    operations = (
        make_op("get", "data/*", 6, pool="prepared"),
        make_op("put", "data/", 3, multipart=parts),
        make_op("delete", "data/deletable-*", 1, pool="deletable"),
    )
    sets = tuple(ObjectSet("data/", stem, 8, SIZE, "") for stem in ("prepared", "deletable"))
    stages = [
        StagePlan("prepare", objects=sets),
        StagePlan("workload", duration_s=20, operations=operations, feeds=True),
        StagePlan("cleanup", objects=sets),
    ]
    run = make_run([endpoint], stages, KEYS)
    assert run.check() == [("", "")]
    run.stage(0)

    def enough() -> bool:
        gets = sum(number for (op, _), (number, _) in run.reins.counts().items() if op == "get")
        return gets > 200 and (engine == "file" or any("obj_" in key for key in gotten))

    result = run.stage(1, stop_when=enough)
    assert (result["outcome"], result["errors"]) == ("aborted", [])
    (note,) = [note for note in result["notes"] if "new objects" in note]
    found = re.fullmatch(r"suite\.yaml:get: get chose among (\d+) new objects, too, at the end", note)
    assert found is not None
    puts = run.reins.counts()["put", 0][0]
    assert 0 < int(found[1]) <= puts
    if engine != "file":
        assert sum(number for key, number in gotten.items() if key.startswith("data/obj_")) > 0
        assert not any("deletable" in key for key in gotten)
    run.stage(2)
    left = set(stored) if engine != "file" else {str(path) for path in tmp_path.rglob("*.dat")}
    assert left == set()
