from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.resolution import StageFailed
from pytest_sai3bench.plan.model import Endpoint, EndpointRules, Origin
from pytest_sai3bench.plan.work import MultipartPlan, ObjectSet, RangesPlan, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

SIZE = SizePlan("fixed", 3000, 3000)
COUNT = 21
PREPARED = {f"data/prepared-{number:08d}.dat": number for number in range(COUNT)}


class Nodes:
    """Stores that have nothing in common; ``files`` returns what is in each of them."""

    def __init__(
        self, endpoints: list[Endpoint], files: Callable[[], list[set[str]]], credentials: Any = None
    ) -> None:
        self.endpoints = endpoints
        self.files = files
        self.credentials = credentials


@pytest.fixture
def folders(tmp_path: Path) -> Nodes:
    roots = [tmp_path / f"node-{number}" for number in range(3)]
    for root in roots:
        root.mkdir()

    def files() -> list[set[str]]:
        return [{str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} for root in roots]

    origin = Origin("", "")
    return Nodes([Endpoint(f"file://{root}/", "file", origin, root=f"{root}/") for root in roots], files)


@pytest.fixture
def buckets(s3_server: EmbeddedServer, s3_client: Any) -> Iterator[Nodes]:
    """Return a bucket of its own behind each of two addresses, which is what two servers are."""
    names = [f"node-{number}-{uuid.uuid4().hex[:12]}" for number in range(2)]
    for name in names:
        s3_client.create_bucket(Bucket=name)

    def files() -> list[set[str]]:
        pages = [s3_client.list_objects_v2(Bucket=name).get("Contents", []) for name in names]
        return [{entry["Key"] for entry in page} for page in pages]

    origin = Origin("", "")
    endpoints = [
        Endpoint(f"s3://{host}:{port}/{name}/", "s3", origin, host, port, name)
        for (host, port), name in zip(s3_server.addresses, names)
    ]
    yield Nodes(endpoints, files, s3_server.credentials)
    for name in names:
        s3_client.delete_bucket(Bucket=name)


@pytest.fixture(params=["folders", "buckets"])
def nodes(request: pytest.FixtureRequest) -> Nodes:
    found: Nodes = request.getfixturevalue(request.param)
    return found


def stages(*operations: Any, **changes: Any) -> list[StagePlan]:
    objects = ObjectSet("data/", "prepared", COUNT, SIZE, "s.yaml:1")
    return [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", operations=operations, **{"duration_s": 0.3, **changes}),
        StagePlan("cleanup", objects=(objects,), mode="strict"),
    ]


def counts_of(run: Any) -> dict[str, list[int]]:
    """Return operations on each endpoint by kind."""
    endpoints = len(run.plan.endpoints)
    found: dict[str, list[int]] = {}
    for (op, endpoint), (count, _) in run.reins.counts().items():
        found.setdefault(op, [0] * endpoints)[endpoint] += count
    return found


def test_an_object_is_made_found_read_and_removed_where_it_belongs(
    nodes: Nodes, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    size = len(nodes.endpoints)
    operations = [
        make_op("get", "data/*", 4, verify=True),
        make_op("stat", "data/*"),
        make_op("put", "new/"),
        make_op("list", "data/"),
    ]
    run = make_run(nodes.endpoints, stages(*operations), nodes.credentials, namespace="independent")
    assert {kind for kind, _ in run.check()} == {""}

    run.stage(0)
    assert nodes.files() == [{n for n, i in PREPARED.items() if i % size == node} for node in range(size)]
    assert counts_of(run) == {"put": [-(-(COUNT - node) // size) for node in range(size)]}
    # What is there is found again.
    run.stage(0)
    assert counts_of(run) == {}

    run.stage(1)
    assert run.reins.errors() == []
    counts = counts_of(run)
    assert set(counts) == {"get", "stat", "put", "list"}
    assert all(min(each) > 0 for each in (counts["get"], counts["stat"]))
    # Lists and new objects have the endpoints in turn.
    assert all(max(each) - min(each) <= 1 for each in (counts["put"], counts["list"]))
    new = [{name for name in names if name.startswith("new/")} for names in nodes.files()]
    assert [len(names) for names in new] == counts["put"]
    assert len(set.union(*new)) == sum(counts["put"])

    run.stage(2)
    assert run.reins.errors() == []
    assert nodes.files() == [set()] * size


@pytest.mark.parametrize("namespace", ["independent", "replicated"])
def test_all_parts_of_a_large_object_go_where_the_object_belongs(
    namespace: str, buckets: Nodes, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    multipart = MultipartPlan(part_size=5 << 20, parallel=3, threshold=1)
    size = SizePlan("fixed", 6 << 20, 6 << 20)
    objects = ObjectSet("data/", "prepared", 5, size, "s.yaml:1")
    get = make_op("get", "data/*", verify=True, ranges=RangesPlan(1 << 20, 3))
    put = replace(make_op("put", "new/"), size=size, multipart=multipart)
    operations = (get, put) if namespace == "independent" else (get,)
    run = make_run(
        buckets.endpoints,
        [
            StagePlan("prepare", objects=(objects,), multipart=multipart),
            StagePlan("workload", operations=operations, duration_s=0.3),
            StagePlan("cleanup", objects=(objects,), mode="strict"),
        ],
        buckets.credentials,
        namespace=namespace,
        # A busy machine is no subject of this test.
        endpoint_rules=EndpointRules(suspect_after_s=20),
    )

    results = run.all_stages()

    assert [result["errors"] for result in results] == [[], [], []]
    copies = 2 if namespace == "replicated" else 1
    made = [
        wire["count"]
        for wire in results[0]["sections"]["measured"]
        if (wire["op"], wire["role"]) == ("put", "whole")
    ]
    assert sum(made) == 5 * copies
    assert buckets.files() == [set(), set()]


def test_objects_of_others_are_read_and_deleted_where_they_are(
    folders: Nodes, tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    for node, name in [(0, "a"), (0, "same"), (2, "same"), (2, "b"), (2, "c")]:
        (tmp_path / f"node-{node}" / name).write_bytes(b"x" * (node + 1))
    workload = StagePlan("workload", duration_s=0.5, operations=(make_op("get", "*"),))
    deletes = StagePlan("workload", duration_s=60, operations=(make_op("delete", "*"),))
    run = make_run(folders.endpoints, [workload, deletes], namespace="independent")

    run.stage(0)
    assert run.reins.errors() == []
    found = run.reins.counts()
    assert set(found) == {("get", 0), ("get", 2)}
    assert found["get", 2][1] == 3 * found["get", 2][0]
    run.stage(1)
    assert (run.reins.errors(), counts_of(run)) == ([], {"delete": [2, 0, 3]})
    assert folders.files() == [set()] * 3


def test_workers_of_one_agent_agree_and_delete_each_object_once(
    folders: Nodes, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    deleted: Counter[int] = Counter()
    runs = []
    for process in range(2):
        plan = stages(make_op("delete", "data/*"), duration_s=60)
        objects = replace(plan[0].objects[0], share=process, shares=2)
        plan[0] = replace(plan[0], objects=(objects,))
        runs.append(
            make_run(
                folders.endpoints,
                plan,
                namespace="independent",
                worker=process,
                workers=2,
                process=process,
                processes=2,
                sharers=((process, 2),) * 3,
            )
        )
    for run in runs:
        run.stage(0)
    assert folders.files() == [{n for n, i in PREPARED.items() if i % 3 == node} for node in range(3)]
    prepared = [run.worker.prepare(1, lambda: None) for run in runs]
    for run, ready in zip(runs, prepared):
        run.worker.prepare = lambda *_, ready=ready: ready
        run.stage(1)
        assert run.reins.errors() == []
        deleted += Counter({e: count for (_, e), (count, _) in run.reins.counts().items()})
    assert deleted == {0: 7, 1: 7, 2: 7}
    assert folders.files() == [set()] * 3


def test_an_endpoint_that_cannot_be_listed_is_named(
    folders: Nodes, tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    run = make_run(folders.endpoints, stages(make_op("get", "data/*")), namespace="independent")
    run.stage(0)
    target = tmp_path / "node-1" / "data"
    for path in target.iterdir():
        path.unlink()
    target.rmdir()
    target.write_text("no folder")
    with pytest.raises(StageFailed) as failure:
        run.stage(1)
    assert failure.value.endpoint == 1


def test_copies_are_made_everywhere_read_anywhere_and_removed_everywhere(
    nodes: Nodes, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    size = len(nodes.endpoints)
    operations = [make_op("get", "data/*", 4, verify=True), make_op("stat", "data/*"), make_op("put", "new/")]
    run = make_run(nodes.endpoints, stages(*operations), nodes.credentials, namespace="replicated")
    assert {kind for kind, _ in run.check()} == {""}

    run.stage(0)
    assert nodes.files() == [set(PREPARED)] * size
    assert counts_of(run) == {"put": [COUNT] * size}

    run.stage(1)
    assert run.reins.errors() == []
    counts = counts_of(run)
    assert set(counts) == {"get", "stat", "put"}
    # The strategy is that of any other workload.
    totals = [sum(each[node] for each in counts.values()) for node in range(size)]
    assert max(totals) - min(totals) <= 1

    run.stage(2)
    assert run.reins.errors() == []
    assert nodes.files() == [set()] * size


def test_only_missing_copies_are_made(
    folders: Nodes, tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    run = make_run(folders.endpoints, stages(make_op("get", "data/*")), namespace="replicated")
    run.stage(0)
    for node, number in [(1, 3), (2, 4), (2, 5)]:
        (tmp_path / f"node-{node}/data/prepared-{number:08d}.dat").unlink()
    run.stage(0)
    assert counts_of(run) == {"put": [0, 1, 2]}
    assert folders.files() == [set(PREPARED)] * 3


@pytest.mark.parametrize("strategy", ["round_robin", "sticky"])
def test_mounts_of_the_same_data_are_shared(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], strategy: str
) -> None:
    """Two NFS mounts of one export: any of them reads what another has written."""
    export = tmp_path / "export"
    export.mkdir()
    endpoints = []
    for number in range(2):
        (mount := tmp_path / f"mount-{number}").symlink_to(export)
        endpoints.append(Endpoint(f"file://{mount}/", "file", Origin("", ""), root=f"{mount}/"))
    run = make_run(endpoints, stages(make_op("get", "data/*", verify=True)), strategy=strategy)
    for number in range(3):
        run.stage(number)
        assert run.reins.errors() == []
        ((_, counts),) = counts_of(run).items()
        assert min(counts) > 0
    assert list(export.rglob("*")) == []
