"""Trees on storage: made, worked on, and removed, but for what was there before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.directories import Directories, NewDirectories
from pytest_sai3bench.agent.engine import OperationFailed
from pytest_sai3bench.agent.own_objects import Chain, Turns
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.agent.trees import Tree
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.trees import SelectionPlan, TreePlan
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

SIZE = SizePlan("fixed", 1000, 1000)
PLAN = TreePlan(3, 2, 4, everywhere=True, mask="d%d_w%d")
TREE = Tree("data/", PLAN.form)
FILES = {TREE.name(number) for number in range(48)}
FOLDERS = {TREE.directory(number)[:-1] for number in range(12)}


def tree_set(share: int = 0, shares: int = 1, plan: TreePlan = PLAN, folder: str = "data/") -> ObjectSet:
    return ObjectSet(folder, "file", plan.form.files, SIZE, "s.yaml:1", share, shares, tree=plan)


def stages_of(make_op: Callable[..., Any], ops: str, **changes: Any) -> list[StagePlan]:
    """Return prepare, a workload of operations that are all as likely, and cleanup."""
    objects = changes.pop("objects", tree_set())
    tree = SelectionPlan((objects,), share=objects.share, shares=objects.shares)
    mixed = "delete" in ops and "get" in ops
    operations = tuple(
        make_op(
            op,
            tree=tree,
            pool=("deletable" if op == "delete" else "prepared") if mixed else "all",
            recursive=op == "rmdir" and changes.get("recursive", True),
            verify=op == "get" and "put" not in ops,
        )
        for op in ops.split()
    )
    return [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=60, operations=operations),
        StagePlan("cleanup", objects=(objects,), mode=changes.get("mode", "strict")),
    ]


class Limited:
    """So many operations of another source."""

    def __init__(self, source: Any, most: int) -> None:
        self._source = source
        self._left = iter(range(most))

    def take(self) -> Any:
        return None if next(self._left, None) is None else self._source.take()


def work(run: Any, operations: int = 600) -> Any:
    """Run the workload until so many operations have been done."""
    return run.stage(1, change=lambda source: Limited(source, operations))


def endpoint_at(folder: Path) -> Endpoint:
    return Endpoint(f"file://{folder}/", "file", Origin("", ""), root=f"{folder}/")


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folders_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir()}


def test_a_tree_of_files_is_made_worked_on_and_removed(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    foreign = {
        TREE.name(7): b"a file of the tree that was here before",
        f"{TREE.directory(2)}file_00000099.dat": b"not ours",
        f"{TREE.directory(5)}sub/other": b"not ours",
        "data/file_00000000.dat": b"not ours",
    }
    for name, body in foreign.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    before = folders_in(tmp_path)
    run = make_run([endpoint_at(tmp_path)], stages_of(make_op, "get stat delete"), lanes=1)
    assert run.check() == [("", "")]

    prepare = run.stage(0)

    assert (prepare["outcome"], prepare["errors"], prepare["notes"]) == ("completed", [], [])
    # What was there is no operation.
    assert run.reins.counts() == {("mkdir", 0): (12 - 4, 0), ("put", 0): (47, 47_000)}
    assert set(files_in(tmp_path)) == FILES | set(foreign)
    assert folders_in(tmp_path) == FOLDERS | before
    # Its content is not that of prepare.
    (tmp_path / TREE.name(7)).unlink()
    (tmp_path / TREE.name(7)).write_bytes((tmp_path / TREE.name(6)).read_bytes())

    workload = work(run)

    assert (workload["outcome"], workload["errors"]) == ("exhausted", [])
    assert {op for op, _ in run.reins.counts()} == {"get", "stat", "delete"}
    gone = FILES - set(files_in(tmp_path))
    # Every other file of each directory.
    assert {TREE.number(name) % 4 for name in gone} == {1, 3}
    assert len(gone) == run.reins.counts()["delete", 0][0] == 24

    cleanup = run.stage(2)
    run.worker.close()

    assert (cleanup["outcome"], cleanup["errors"]) == ("completed", [])
    assert set(files_in(tmp_path)) == set(foreign) - gone
    assert folders_in(tmp_path) == before


def test_puts_overwrite_files_and_make_none(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    run = make_run([endpoint_at(tmp_path)], stages_of(make_op, "put"), lanes=2)
    run.check()
    run.stage(0)
    assert work(run)["errors"] == []
    assert run.reins.counts() == {("put", 0): (600, 600_000)}
    assert set(files_in(tmp_path)) == FILES
    assert run.stage(2)["errors"] == []
    assert (files_in(tmp_path), folders_in(tmp_path)) == ({}, set())


def test_directories_are_made_and_removed_as_operations(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    bare = TreePlan(20, 1, 0, everywhere=False, mask="d%d_w%d")
    stages = stages_of(make_op, "mkdir rmdir", objects=tree_set(plan=bare), recursive=False)
    run = make_run([endpoint_at(tmp_path)], stages, lanes=1)
    run.check()
    run.stage(0)
    assert run.reins.counts() == {("mkdir", 0): (20, 0)}

    workload = work(run)

    assert (workload["outcome"], workload["errors"]) == ("exhausted", [])
    counts = run.reins.counts()
    assert {op for op, _ in counts} == {"mkdir", "rmdir"}
    made, removed = counts["mkdir", 0][0], counts["rmdir", 0][0]
    useless = {note.split(" ")[2]: int(note.split(" ")[0]) for note in workload["notes"]}
    there = len(list(tmp_path.glob("data/*")))
    assert there == 20 + (made - useless.get("mkdir", 0)) - (removed - useless.get("rmdir", 0))
    assert 0 <= there <= 20
    assert set(useless) <= {"mkdir", "rmdir"}

    assert run.stage(2)["errors"] == []
    assert folders_in(tmp_path) == set()


def test_whole_parts_of_a_tree_are_removed_and_made_again(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    run = make_run([endpoint_at(tmp_path)], stages_of(make_op, "mkdir rmdir"), lanes=2)
    run.check()
    run.stage(0)
    workload = work(run)
    assert (workload["outcome"], workload["errors"]) == ("exhausted", [])
    assert folders_in(tmp_path) <= FOLDERS | {"data"}
    assert run.stage(2)["errors"] == []
    run.worker.close()
    assert (files_in(tmp_path), folders_in(tmp_path)) == ({}, set())


def test_removing_what_holds_files_is_an_error(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    # Pauses are not what this is about.
    errors = ErrorPolicy(error_rate_threshold=1e9)
    stages = stages_of(make_op, "rmdir", recursive=False)
    run = make_run([endpoint_at(tmp_path)], stages, lanes=1, errors=errors)
    run.check()
    run.stage(0)
    work(run, 20)
    assert {(op, kind) for op, _, kind, _, _ in run.reins.errors()} == {("rmdir", "not-empty")}


@pytest.mark.parametrize("namespace", ["independent", "replicated", "shared"])
def test_every_endpoint_has_what_its_namespace_says(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], namespace: str
) -> None:
    nodes = [tmp_path / f"n{number}" for number in range(3)]
    nodes[0].mkdir()
    for node in nodes[1:]:
        if namespace == "shared":
            node.symlink_to(nodes[0])
        else:
            node.mkdir()
    run = make_run(map(endpoint_at, nodes), stages_of(make_op, "get stat delete"), namespace=namespace)
    run.check()
    assert run.stage(0)["errors"] == []
    for number, node in enumerate(nodes):
        assert folders_in(node) == FOLDERS | {"data"}
        expected = {TREE.name(each) for each in range(number, 48, 3)} if namespace == "independent" else FILES
        assert set(files_in(node)) == expected
    if namespace != "replicated":
        assert work(run)["errors"] == []
    assert run.stage(2)["errors"] == []
    run.worker.close()
    assert [(files_in(node), folders_in(node)) for node in nodes] == [({}, set())] * 3


def test_workers_share_a_tree(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    runs = [
        make_run(
            [endpoint_at(tmp_path)],
            stages_of(make_op, "get delete", objects=tree_set(share, 2)),
            worker=share,
            workers=2,
        )
        for share in range(2)
    ]
    for share, run in enumerate(runs):
        run.check()
        assert run.stage(0)["errors"] == []
        # Directories that hold others are made by who comes first.
        made = {name for name in FILES if TREE.directory_of(TREE.number(name)) % 2 <= share}
        assert set(files_in(tmp_path)) == made
    for run in runs:
        assert work(run)["errors"] == []
    assert {TREE.number(name) % 4 for name in FILES - set(files_in(tmp_path))} == {1, 3}
    assert len(files_in(tmp_path)) == 24
    for run in runs:
        assert run.stage(2)["errors"] == []
    for run in runs:
        run.worker.close()
    assert (files_in(tmp_path), folders_in(tmp_path)) == ({}, set())


def test_what_an_earlier_run_left_is_removed_on_request(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    run = make_run([endpoint_at(tmp_path)], stages_of(make_op, "stat")[:1])
    run.check()
    run.stage(0)
    foreign = f"{TREE.directory(3)}other"
    (tmp_path / foreign).write_bytes(b"not ours")
    (tmp_path / TREE.name(0)).unlink()
    later = make_run(
        [endpoint_at(tmp_path)],
        [StagePlan("cleanup", objects=(tree_set(),), mode="strict", adopts=True)],
        lanes=1,
    )
    later.check()

    cleanup = later.stage(0)
    later.worker.close()

    assert (cleanup["outcome"], cleanup["errors"]) == ("completed", [])
    # Two directories hold what is not ours, one of them by the other.
    assert later.reins.counts() == {("delete", 0): (47, 0), ("rmdir", 0): (10, 0)}
    assert list(files_in(tmp_path)) == [foreign]
    assert folders_in(tmp_path) == {"data", "data/d1_w1", "data/d1_w1/d2_w1"}


def test_an_object_store_has_the_names_of_a_tree(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
) -> None:
    def keys() -> set[str]:
        found = s3_client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {entry["Key"] for entry in found}

    plan = TreePlan(3, 2, 4, everywhere=True, mask="d %d&%d")
    tree = Tree("d e/", plan.form)
    s3_client.put_object(Bucket=bucket, Key=tree.name(3), Body=b"was here before")
    host, port = s3_server.addresses[0]
    endpoint = Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
    stages = stages_of(make_op, "get stat put delete", objects=tree_set(plan=plan, folder="d e/"))
    run = make_run([endpoint], stages, s3_server.credentials)
    assert run.check() == [("", "")]

    assert run.stage(0)["errors"] == []
    assert run.reins.counts() == {("put", 0): (47, 47_000)}
    assert keys() == {tree.name(number) for number in range(48)}

    workload = work(run)
    assert workload["errors"] == []
    assert {"get", "stat", "put"} <= {op for op, _ in run.reins.counts()}
    assert keys() <= {tree.name(number) for number in range(48)}

    assert run.stage(2)["errors"] == []
    assert keys() <= {tree.name(3)}


# One directory at a time


@pytest.fixture
def directories(tmp_path: Path) -> Directories:
    (tmp_path / "data").mkdir()
    return Directories(TREE, f"{tmp_path}/", ANYWHERE)


def test_what_a_directory_is_in_is_made_too(tmp_path: Path, directories: Directories) -> None:
    assert directories.make(directories.root, 11)
    assert folders_in(tmp_path / "data") == {"d1_w3", "d1_w3/d2_w3"}
    assert [number for number in range(12) if directories.made[number]] == [2, 11]
    assert directories.present == directories.made
    assert not directories.make(directories.root, 2)


def test_what_is_there_is_not_made(tmp_path: Path, directories: Directories) -> None:
    (tmp_path / "data" / "d1_w1").mkdir()
    with pytest.raises(OperationFailed, match="the directory is there already"):
        directories.make_missing(directories.root, 0)
    directories.make_any(directories.root, 0)
    directories.make_any(directories.root, 1)
    assert directories.useless() == (1, 0)
    assert directories.useless() == (0, 0)
    assert [number for number in range(12) if directories.made[number]] == [1]


def test_a_file_is_no_directory(tmp_path: Path, directories: Directories) -> None:
    (tmp_path / "data" / "d1_w1").write_bytes(b"")
    with pytest.raises(FileExistsError):
        directories.make(directories.root, 0)
    with pytest.raises(NotADirectoryError):
        directories.make(directories.root, 3)
    with pytest.raises(NotADirectoryError):
        directories.remove_any(directories.root, 0, recursive=True)


def test_a_tree_without_its_folder_cannot_be_made(tmp_path: Path, directories: Directories) -> None:
    (tmp_path / "data").rmdir()
    for number in (0, 3):
        with pytest.raises(FileNotFoundError):
            directories.make(directories.root, number)


def test_all_below_a_directory_is_removed(tmp_path: Path, directories: Directories) -> None:
    for number in range(12):
        directories.make(directories.root, number)
    (tmp_path / "data/d1_w1/d2_w2/x").write_bytes(b"x")
    directories.remove_any(directories.root, 0, recursive=True)
    assert folders_in(tmp_path / "data") == {path[5:] for path in FOLDERS if "d1_w1" not in path}
    assert [number for number in range(12) if not directories.present[number]] == [0, 3, 4, 5]
    directories.remove_any(directories.root, 0, recursive=True)
    directories.remove_any(directories.root, 3, recursive=False)
    assert directories.useless() == (0, 2)
    with pytest.raises(OSError, match="not empty"):
        directories.remove_any(directories.root, 1, recursive=False)


def test_new_directories_say_how_many_were_taken(directories: Directories) -> None:
    source = Turns([Chain([NewDirectories(directories, 1, 3), NewDirectories(directories, 0, 0)])])
    tasks = [source.take() for _ in range(3)]
    assert [task[1] for task in tasks if task] == [TREE.directory(number) for number in (1, 4, 7)]
    assert source.issued() == 3
    assert [source.take() is None for _ in range(2)] == [False, True]


def test_the_rest_is_swept_but_for_what_holds_something(tmp_path: Path, directories: Directories) -> None:
    for number in range(12):
        directories.make(directories.root, number)
    (tmp_path / "data/d1_w2/x").write_bytes(b"x")
    directories.sweep()
    assert folders_in(tmp_path / "data") == {"d1_w2"}
