from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.embedded.binding import EmbeddedTargets
from pytest_sai3bench.errors import EmbeddedServerError
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan

if TYPE_CHECKING:
    from collections.abc import Callable

ORIGIN = Origin("suite.yaml:3", "multi_endpoint.endpoints[0]")


def s3(number: int, bucket: str) -> Endpoint:
    return Endpoint(
        f"s3://embedded-{number}/{bucket}/",
        "s3",
        ORIGIN,
        host=f"embedded-{number}",
        bucket=bucket,
        embedded=True,
    )


def folder(place: str) -> Endpoint:
    return Endpoint(f"file://{place}", "file", ORIGIN, root=place, embedded=True)


def plan(*workers: tuple[Endpoint, ...]) -> RunPlan:
    return RunPlan(
        suite="suite",
        name="workload",
        workers=tuple(
            WorkerPlan(
                agent=f"agent-{number}",
                address="localhost",
                worker=number,
                workers=len(workers),
                endpoints=endpoints,
                strategy="round_robin",
                lanes=1,
                seed=1,
                stages=(),
                errors=ErrorPolicy(),
            )
            for number, endpoints in enumerate(workers)
        ),
    )


def test_plan_without_embedded_endpoints_stays_as_it_is(tmp_path: Path) -> None:
    before = plan(
        (Endpoint("s3://10.0.0.1:9000/data/", "s3", ORIGIN, host="10.0.0.1", port=9000, bucket="data"),)
    )
    with EmbeddedTargets(base_dir=tmp_path) as targets:
        assert targets.bind(before) == before
        assert targets.server is None
        assert targets.mounts is None
        assert list(tmp_path.iterdir()) == []


def test_s3_endpoints_get_the_addresses_of_a_server_with_their_bucket(
    tmp_path: Path, connect: Callable[..., Any]
) -> None:
    with EmbeddedTargets(base_dir=tmp_path) as targets:
        bound = targets.bind(plan((s3(1, "test-a"), s3(2, "test-a")), (s3(2, "test-b"),)))
        assert targets.server
        addresses = targets.server.addresses
        assert [[(e.uri, e.host, e.port) for e in worker.endpoints] for worker in bound.workers] == [
            [("s3://embedded-1/test-a/", *addresses[0]), ("s3://embedded-2/test-a/", *addresses[1])],
            [("s3://embedded-2/test-b/", *addresses[1])],
        ]
        buckets = connect(targets.server, 1).list_buckets()["Buckets"]
        assert [entry["Name"] for entry in buckets] == ["test-a", "test-b"]

        later = targets.bind(plan((s3(3, "test-c"),)))
        assert targets.server.addresses[:2] == addresses
        assert (
            later.workers[0].endpoints[0].host,
            later.workers[0].endpoints[0].port,
        ) == targets.server.addresses[2]
    assert list(tmp_path.iterdir()) == []


def test_file_endpoints_get_folders_that_exist_and_show_the_same_files(tmp_path: Path) -> None:
    with EmbeddedTargets(base_dir=tmp_path) as targets:
        bound = targets.bind(plan((folder("embedded-1/data/"), folder("embedded-2/data/"))))
        assert targets.mounts
        first, second = (Path(endpoint.root) for endpoint in bound.endpoints)
        assert [endpoint.root for endpoint in bound.endpoints] == [
            f"{targets.mounts.paths[0]}/data/",
            f"{targets.mounts.paths[1]}/data/",
        ]
        (first / "file").write_text("shared")
        assert (second / "file").read_text() == "shared"

        later = targets.bind(plan((folder("embedded-3/"),)))
        assert later.endpoints[0].root == f"{targets.mounts.paths[2]}/"
        assert (Path(later.endpoints[0].root) / "data" / "file").read_text() == "shared"
        assert targets.server is None
    assert list(tmp_path.iterdir()) == []


def test_direct_endpoints_get_the_same_folders_as_file_endpoints(tmp_path: Path) -> None:
    direct = Endpoint("direct://embedded-1/a/", "direct", ORIGIN, root="embedded-1/a/", embedded=True)
    with EmbeddedTargets(base_dir=tmp_path) as targets:
        bound = targets.bind(plan((direct,), (folder("embedded-1/a/"),)))
        assert targets.mounts
        root = f"{targets.mounts.paths[0]}/a/"
        assert [(endpoint.uri, endpoint.scheme, endpoint.root) for endpoint in bound.endpoints] == [
            ("direct://embedded-1/a/", "direct", root),
            ("file://embedded-1/a/", "file", root),
        ]


@pytest.mark.parametrize(
    "place", ["embedded-0/", "embedded-01/", "embedded-/", "embedded-x/", "data/", "embedded-1/../precious/"]
)
def test_place_that_is_not_embedded_is_refused(place: str, tmp_path: Path) -> None:
    with EmbeddedTargets(base_dir=tmp_path) as targets, pytest.raises(EmbeddedServerError) as refusal:
        targets.bind(plan((folder(place),)))
    assert str(refusal.value) == (
        f"suite.yaml:3 (multi_endpoint.endpoints[0]): file://{place} names no embedded endpoint.\n"
        "Write s3://embedded-1/bucket/ or file://embedded-1/folder/, with numbers that count from 1."
    )
    assert list(tmp_path.iterdir()) == []
