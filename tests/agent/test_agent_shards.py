"""Names in the folders of shards: prepare, patterns, puts and cleanup agree on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.naming import NumberedNames, Shards
from pytest_sai3bench.agent.own_objects import Absent
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

SIZE = SizePlan("uniform", 500, 9000)
stems = st.sampled_from(["prepared-", "data/prepared-", "data/03/deletable-", "a/b/prepared-"])


@settings(deadline=None)
@given(stems, st.integers(0, (1 << 32) - 1), st.integers(1, 70_000))
def test_a_sharded_name_says_its_number(stem: str, number: int, shards: int) -> None:
    names = NumberedNames(stem, 1 << 32, shards)
    name = names.name(number)
    folder, slash, kind = stem.rpartition("/")
    assert name == f"{folder}{slash}{number % shards:02x}/{kind}{number:08d}.dat"
    assert names.number(name) == number
    assert NumberedNames(stem, number, shards).number(name) == -1
    assert Shards(shards).parse(name) == (stem, number)
    assert Shards(shards).without(name) == f"{stem}{number:08d}.dat"
    assert Shards(shards).within(f"{stem}{number:08d}.dat") == name


@pytest.mark.parametrize(
    "name",
    [
        "data/prepared-00000003.dat",
        "data/04/prepared-00000003.dat",
        "data/3/prepared-00000003.dat",
        "data/x03/prepared-00000003.dat",
        "03/data/prepared-00000003.dat",
        "data/03/prepared-3.dat",
        "data/03/deletable-00000003.dat",
        "other/03/prepared-00000003.dat",
    ],
)
def test_other_names_are_none_of_a_sharded_set(name: str) -> None:
    assert NumberedNames("data/prepared-", 100, 16).number(name) == -1


@pytest.mark.parametrize(
    ("name", "without"),
    [
        ("a/0f/x", "a/x"),
        ("0f/x", "x"),
        ("a/10/x", "a/10/x"),
        ("a/F/x", "a/F/x"),
        ("a/0F/x", "a/0F/x"),
        ("a/-1/x", "a/-1/x"),
        ("0f", "0f"),
    ],
)
def test_only_the_folder_of_a_shard_is_left_out(name: str, without: str) -> None:
    assert Shards(16).without(name) == without


def test_a_new_object_lies_where_its_own_number_says() -> None:
    shards = Shards(16)
    names = [shards.put_name("new/", 1 << 63, number) for number in range(1000)]
    assert len({name.split("/")[1] for name in names}) == 16
    for name in names:
        assert shards.within(shards.without(name)) == name
    assert shards.within("new/obj_x") == "new/obj_x"


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)), st.integers(0, 5), st.integers(1, 5), st.integers(0, 50))
def test_what_is_found_is_not_absent(found: set[int], share: int, shares: int, count: int) -> None:
    absent = Absent(range(share, count, shares))
    for number in found:
        absent.find(number)
    assert list(absent) == [number for number in range(share, count, shares) if number not in found]
    assert len(absent) == len(range(share, count, shares))


def test_sharded_files_are_made_found_and_removed(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    foreign = {
        "data/03/prepared-00000003.dat": b"was here before",
        # Another number of shards would have put it here.
        "data/04/prepared-00000003.dat": b"not ours",
        "data/prepared-00000005.dat": b"not ours",
    }
    for name, body in foreign.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    sets = tuple(ObjectSet("data/", stem, 40, SIZE, "") for stem in ("prepared", "deletable"))
    operations = (
        make_op("get", "data/prepared-0000001*", 20, pool="prepared", verify=True),
        make_op("stat", "data/*/prepared-*", 20, pool="prepared"),
        make_op("stat", "data/prepared-00000010.dat", 5),
        make_op("put", "new/", 20),
        make_op("list", "data/", 10),
        make_op("delete", "data/", 2, pool="deletable"),
    )
    stages = [
        StagePlan("prepare", objects=sets),
        StagePlan("workload", duration_s=0.5, operations=operations),
        StagePlan("cleanup", objects=sets),
    ]
    endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")
    run = make_run([endpoint], stages, key_prefix_shards=16)
    assert run.check() == [("", "")]

    assert run.stage(0)["errors"] == []

    def files() -> set[str]:
        return {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}

    prepared = {
        f"data/{number % 16:02x}/{stem}-{number:08d}.dat"
        for stem in ("prepared", "deletable")
        for number in range(40)
    }
    assert files() == prepared | set(foreign)

    workload = run.stage(1)

    assert (workload["outcome"], workload["errors"]) == ("completed", [])
    assert {op for op, _ in run.reins.counts()} == {"get", "put", "list", "stat", "delete"}
    puts = files() - prepared - set(foreign)
    assert puts == {f"new/{int(name.rpartition('_')[2]) % 16:02x}/{name.rpartition('/')[2]}" for name in puts}
    assert len(puts) == run.reins.counts()["put", 0][0]
    assert all("/deletable-" in name for name in prepared - files())

    cleanup = run.stage(2)
    run.worker.close()

    assert (cleanup["outcome"], cleanup["errors"]) == ("completed", [])
    assert {name: (tmp_path / name).read_bytes() for name in files()} == foreign
    folders = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir())
    assert folders == ["data", "data/03", "data/04"]


def test_sharded_objects_are_made_found_and_removed(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
) -> None:
    s3_client.put_object(Bucket=bucket, Key="p/d e/01/prepared-00000001.dat", Body=b"before")
    host, port = s3_server.addresses[0]
    endpoint = Endpoint(f"s3://{host}:{port}/{bucket}/p/", "s3", Origin("", ""), host, port, bucket, "p/")
    objects = (ObjectSet("d e/", "prepared", 10, SizePlan("fixed", 100, 100), ""),)
    stages = [
        StagePlan("prepare", objects=objects),
        StagePlan(
            "workload",
            duration_s=0.5,
            operations=(make_op("get", "d e/prepared-*"), make_op("put", "new/")),
        ),
        StagePlan("cleanup", objects=objects),
    ]
    run = make_run([endpoint], stages, s3_server.credentials, key_prefix_shards=4)
    assert run.check() == [("", "")]

    assert run.stage(0)["errors"] == []

    def keys() -> list[str]:
        return [
            entry["Key"]
            for entry in s3_client.list_objects_v2(Bucket=bucket, MaxKeys=1000).get("Contents", [])
        ]

    assert sorted(keys()) == sorted(
        f"p/d e/{number % 4:02x}/prepared-{number:08d}.dat" for number in range(10)
    )
    assert run.reins.counts() == {("put", 0): (9, 900)}

    assert run.stage(1)["errors"] == []
    assert {op for op, _ in run.reins.counts()} == {"get", "put"}

    assert run.stage(2)["errors"] == []
    assert keys() == ["p/d e/01/prepared-00000001.dat"]
