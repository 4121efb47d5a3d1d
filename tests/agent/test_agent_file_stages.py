from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from dataclasses import replace
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import file_engine
from pytest_sai3bench.agent.file_operations import list_files, name_error, read_file
from pytest_sai3bench.agent.lanes import Lanes
from pytest_sai3bench.agent.payload import Payload, Pool, object_number
from pytest_sai3bench.agent.recorder import NEVER_NS, SECOND_NS, Window
from pytest_sai3bench.agent.resolution import StageFailed
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = SizePlan("uniform", 500, 300_000)
SEED = 7


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mount"
    folder.mkdir()
    return folder


@pytest.fixture
def mounts(tmp_path: Path, folder: Path) -> list[Endpoint]:
    """Return three endpoints that show the same folder."""
    found = []
    for number in range(3):
        link = tmp_path / f"mount-{number}"
        link.symlink_to(folder)
        found.append(endpoint_at(link))
    return found


def endpoint_at(folder: Path) -> Endpoint:
    return Endpoint(f"file://{folder}/", "file", Origin("", ""), root=f"{folder}/")


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def folders_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir())


def content_of(path: str, size: int) -> bytes:
    payload, content = Payload(Pool(SEED)), b""
    payload.begin(object_number(path), size)
    while chunk := payload.chunk():
        content += chunk
    return content


def test_all_operations_do_what_they_say(
    folder: Path, mounts: list[Endpoint], make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    foreign = {
        "data/prepared-00000003.dat": b"was here before",
        "data/other ü%": b"not ours",
        "prepared-00000000.dat": b"",
    }
    (folder / "data").mkdir()
    for name, body in foreign.items():
        (folder / name).write_bytes(body)
    sets = tuple(
        ObjectSet(place, stem, 30, SIZE, "")
        for place in ("data/", "a/b c/")
        for stem in ("prepared", "deletable")
    )
    operations = (
        make_op("get", "data/", 40, pool="prepared"),
        make_op("stat", "a/*/*", 20, pool="prepared"),
        make_op("put", "new/ü/", 20),
        make_op("list", "data/", 10),
        make_op("delete", "data/", 2, pool="deletable"),
    )
    stages = [
        StagePlan("prepare", objects=sets),
        StagePlan("workload", duration_s=0.5, warmup_s=0.05, operations=operations),
        StagePlan("cleanup", objects=sets),
    ]
    run = make_run(mounts, stages, seed=SEED)
    assert run.check() == [("", "")] * 3

    prepare = run.stage(0)

    made = {name: body for name, body in files_in(folder).items() if name not in foreign}
    assert sorted(made) == sorted(
        f"{place}/{stem}-{number:08d}.dat"
        for place in ("data", "a/b c")
        for stem in ("prepared", "deletable")
        for number in range(30)
        if (place, stem, number) != ("data", "prepared", 3)
    )
    assert made == {name: content_of(name, len(body)) for name, body in made.items()}
    assert run.reins.counts("measured") == run.reins.counts()
    by_endpoint = run.reins.counts()
    assert [count for count, _ in by_endpoint.values()] == [40, 40, 39]
    assert sum(size for _, size in by_endpoint.values()) == sum(len(body) for body in made.values())
    assert (prepare["outcome"], prepare["errors"], prepare["read_sink"]) == ("completed", [], "copy")

    workload = run.stage(1)

    assert (workload["outcome"], workload["errors"]) == ("completed", [])
    assert {op for op, _ in run.reins.counts("measured")} == {"get", "put", "list", "stat", "delete"}
    counts = run.reins.counts()
    per_endpoint = [sum(count for (_, at), (count, _) in counts.items() if at == n) for n in range(3)]
    assert max(per_endpoint) - min(per_endpoint) <= 1
    now = files_in(folder)
    puts = {name: body for name, body in now.items() if name.startswith("new/ü/obj_")}
    assert len(puts) == sum(count for (op, _), (count, _) in counts.items() if op == "put")
    assert puts == {name: content_of(name, 1000) for name in puts}
    deleted = sum(count for (op, _), (count, _) in counts.items() if op == "delete")
    assert len(now) == len(made) + len(foreign) + len(puts) - deleted
    sizes = {len(body) for name, body in now.items() if name.startswith("data/") and "deletable" not in name}
    gets = [wire for section in workload["sections"].values() for wire in section if wire["op"] == "get"]
    assert all(wire["count"] * min(sizes) <= wire["bytes"] <= wire["count"] * max(sizes) for wire in gets)

    cleanup = run.stage(2)

    assert (cleanup["outcome"], cleanup["errors"]) == ("completed", [])
    assert files_in(folder) == foreign
    assert folders_in(folder) == ["data"]


def test_sizes_read_are_those_on_disk(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    for size in (0, 1, 262_143, 262_144, 262_145, 1_000_000):
        (folder / f"of-{size}").write_bytes(bytes(size))
        # With the end of the warm-up comes the first that is counted.
        stage = StagePlan("workload", 60, 0.01, (make_op("get", f"of-{size}"),))
        run = make_run([endpoint_at(folder)], [stage])
        run.check()
        run.stage(0, stop_when=lambda run=run: ("get", 0) in run.reins.counts())
        count, total = run.reins.counts()["get", 0]
        assert total == count * size


def test_folders_stay_while_they_hold_files_of_others(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    objects = (ObjectSet("a/b/", "prepared", 5, SIZE, ""),)
    stages = [
        StagePlan("prepare", objects=objects),
        StagePlan(
            "workload", duration_s=0.02, operations=(make_op("put", "c/d/"), make_op("put", "never/", 0))
        ),
        StagePlan("cleanup"),
    ]
    run = make_run([endpoint_at(folder)], stages)
    run.check()
    run.stage(0)
    run.stage(1)
    assert folders_in(folder) == ["a", "a/b", "c", "c/d"]
    (folder / "a/foreign").write_bytes(b"")
    (folder / "c/d/of another worker").write_bytes(b"")

    run.stage(2)
    assert folders_in(folder) == ["a", "c", "c/d"]
    assert sorted(files_in(folder)) == ["a/foreign", "c/d/of another worker"]

    # The other worker is done only now; the goodbye comes after all of them.
    (folder / "c/d/of another worker").unlink()
    run.worker.close()
    assert folders_in(folder) == ["a"]


def test_without_cleanup_nothing_is_removed(folder: Path, make_run: Callable[..., Any]) -> None:
    stage = StagePlan("prepare", objects=(ObjectSet("a/", "prepared", 5, SIZE, ""),))
    make_run([endpoint_at(folder)], [stage]).all_stages()
    assert len(files_in(folder)) == 5


def test_a_second_prepare_makes_only_what_is_missing(folder: Path, make_run: Callable[..., Any]) -> None:
    stages = [StagePlan("prepare", objects=(ObjectSet("", "prepared", 20, SIZE, ""),)), StagePlan("cleanup")]
    make_run([endpoint_at(folder)], stages[:1]).all_stages()
    for number in (3, 19):
        (folder / f"prepared-{number:08d}.dat").unlink()

    prepare, cleanup = make_run([endpoint_at(folder)], stages).all_stages()

    for result in (prepare, cleanup):
        assert sum(wire["count"] for wire in result["sections"]["measured"]) == 2
    assert len(files_in(folder)) == 18


@pytest.mark.parametrize(
    ("mode", "errors"), [("strict", [("delete", "missing", 2)]), ("tolerant", []), ("best_effort", [])]
)
def test_what_is_gone_already_matters_to_a_strict_cleanup_only(
    folder: Path, make_run: Callable[..., Any], mode: Any, errors: list[tuple[str, str, int]]
) -> None:
    stages = [
        StagePlan("prepare", objects=(ObjectSet("", "prepared", 6, SIZE, ""),)),
        StagePlan("cleanup", mode=mode),
    ]
    run = make_run([endpoint_at(folder)], stages)
    run.check()
    run.stage(0)
    for number in (0, 1):
        (folder / f"prepared-{number:08d}.dat").unlink()

    result = run.stage(1)

    assert [(error["op"], error["kind"], error["count"]) for error in result["errors"]] == errors
    assert sum(wire["count"] for wire in result["sections"]["measured"]) == 4
    assert files_in(folder) == {}


def test_a_tolerant_cleanup_tells_of_everything_else(
    folder: Path, make_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [
        StagePlan("prepare", objects=(ObjectSet("", "prepared", 3, SIZE, ""),)),
        StagePlan("cleanup", mode="tolerant"),
        StagePlan("cleanup", mode="best_effort"),
    ]
    run = make_run([endpoint_at(folder)], stages)
    run.check()
    run.stage(0)

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(os, "unlink", refuse)
    (error,) = run.stage(1)["errors"]
    assert (error["op"], error["kind"], error["count"]) == ("delete", "denied", 3)
    assert error["sample"].startswith(f"Permission denied: {folder}/prepared-0000000")
    assert run.stage(2)["errors"] == []


def test_files_that_went_away_are_errors_of_the_endpoint_that_was_asked(
    folder: Path, mounts: list[Endpoint], make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    (folder / "gone").write_bytes(b"x")
    stage = StagePlan("workload", duration_s=20, operations=(make_op("get", "gone"),))
    rules = ErrorPolicy(max_total_errors=30, error_rate_threshold=1e9)
    run = make_run(mounts, [stage], errors=rules)
    run.check()

    result = run.stage(0, once_ready=(folder / "gone").unlink)

    assert result["outcome"] == "gave-up"
    assert [(each["op"], each["endpoint"], each["kind"]) for each in result["errors"]] == [
        ("get", number, "missing") for number in range(3)
    ]
    for number, error in enumerate(result["errors"]):
        assert error["sample"] == f"No such file or directory: {mounts[number].root}gone"
    total = sum(error["count"] for error in result["errors"])
    assert 30 <= total < 30 + run.plan.lanes
    assert run.reins.counts() == {}


def test_retries_begin_no_operation_after_the_end(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gone").write_bytes(b"x")
    rules = ErrorPolicy(
        error_rate_threshold=1e9, retry_on_error=True, initial_retry_delay_s=60.0, max_retry_delay_s=60.0
    )
    stage = StagePlan("workload", duration_s=0.5, operations=(make_op("stat", "gone"),))
    run = make_run([endpoint_at(folder)], [stage], errors=rules, lanes=3)
    run.check()

    result = run.stage(0, once_ready=(folder / "gone").unlink)

    # Each lane tried once and waited for its second attempt until the end came.
    assert [(error["section"], error["count"]) for error in result["errors"]] == [("measured", 3)]
    assert (result["retries"], result["outcome"]) == (3, "completed")


def test_a_burst_of_errors_pauses_every_lane_and_a_stop_ends_the_pause(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    (folder / "gone").write_bytes(b"x")
    rules = ErrorPolicy(error_rate_threshold=5.0, backoff_s=3600.0)
    stage = StagePlan("workload", duration_s=3600, operations=(make_op("stat", "gone"),))
    run = make_run([endpoint_at(folder)], [stage], errors=rules, lanes=4)
    run.check()
    asked_ns: list[int] = []

    def soon() -> bool:
        asked_ns.append(monotonic_ns())
        return asked_ns[-1] > asked_ns[0] + 100_000_000

    result = run.stage(0, stop_when=soon, once_ready=(folder / "gone").unlink)

    assert result["outcome"] == "aborted"
    assert result["ended_ns"] - asked_ns[0] < 2_000_000_000
    assert 5 <= result["errors"][0]["count"] <= 8


def test_a_lane_that_hangs_is_left_behind_with_what_it_has_counted(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_bytes(b"xyz")
    over, calls, hanging = threading.Event(), Counter[int](), threading.Event()

    def read(path: str, buffer: bytearray) -> int:
        calls[threading.get_ident()] += 1
        if calls[threading.get_ident()] == 20:
            hanging.set()
            over.wait(20)
        return read_file(path, buffer)

    monkeypatch.setattr(file_engine, "read_file", read)
    stage = StagePlan("workload", duration_s=60, operations=(make_op("get", "file"),))
    run = make_run([endpoint_at(folder)], [stage], lanes=1)
    run.check()

    result = run.stage(0, stop_when=hanging.is_set)
    over.set()

    assert result["outcome"] == "aborted"
    assert result["notes"] == ["1 operations were cut off by the stop"]
    assert run.reins.counts() == {("get", 0): (19, 57)}


def test_an_error_of_ours_in_a_lane_ends_the_stage(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_bytes(b"xyz")
    stage = StagePlan("workload", duration_s=60, operations=(make_op("get", "file"),))
    run = make_run([endpoint_at(folder)], [stage])
    run.check()

    def fail(path: str, buffer: bytearray) -> int:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(file_engine, "read_file", fail)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run.stage(0)


def test_a_stop_before_the_start_begins_nothing(folder: Path, make_run: Callable[..., Any]) -> None:
    stage = StagePlan("prepare", objects=(ObjectSet("", "prepared", 10, SIZE, ""),))
    run = make_run([endpoint_at(folder)], [stage])
    run.check()

    result = run.stage(0, stop_when=lambda: True)

    assert (result["outcome"], result["sections"]) == ("aborted", {})
    assert files_in(folder) == {}


def test_folders_that_cannot_be_used_are_said_to_be(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = folder / "not there"
    (folder / "file").write_bytes(b"")
    reads = StagePlan("workload", operations=(make_op("get", ""), make_op("put", "", 0)))
    writes = StagePlan("workload", operations=(make_op("put", ""),))
    places = [endpoint_at(place) for place in (folder, missing, folder / "file")]

    checks = make_run(places, [reads]).check()
    assert checks == [
        ("", ""),
        ("no-folder", f"there is no folder {missing}/"),
        ("no-folder", f"there is no folder {folder}/file/"),
    ]
    # The user that runs the tests may be one for whom modes do not count.
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert make_run(places[:1], [reads]).check() == [("", "")]
    refused = [("not-writable", f"the folder {folder}/ cannot be written")]
    assert make_run(places[:1], [writes]).check() == refused
    prepare = StagePlan("prepare")
    assert make_run(places[:1], [prepare]).check() == refused
    assert make_run(places[:1], [replace(prepare, create=False)]).check() == [("", "")]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert make_run(places[:1], [reads]).check() == [("denied", f"the folder {folder}/ cannot be read")]


def test_a_read_only_file_system_is_not_writable(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.statvfs(folder)
    read_only = os.statvfs_result([*list(real)[:8], real.f_flag | os.ST_RDONLY, real.f_namemax])
    monkeypatch.setattr(os, "statvfs", lambda path: read_only)
    writes = StagePlan("workload", operations=(make_op("delete", ""),))
    assert make_run([endpoint_at(folder)], [writes]).check() == [
        ("not-writable", f"the folder {folder}/ cannot be written")
    ]


def test_a_folder_that_cannot_be_made_stops_the_stage_before_it_begins(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    (folder / "file").write_bytes(b"")
    run = make_run(
        [endpoint_at(folder)], [StagePlan("workload", operations=(make_op("put", "file/below/"),))]
    )
    run.check()
    with pytest.raises(StageFailed) as failure:
        run.stage(0)
    assert (failure.value.kind, failure.value.detail) == (
        "not-writable",
        f"Not a directory: {folder}/file/below",
    )


def test_a_folder_that_cannot_be_listed_stops_the_stage_before_it_begins(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    (folder / "file").write_bytes(b"")
    run = make_run([endpoint_at(folder)], [StagePlan("workload", operations=(make_op("get", "file/"),))])
    run.check()
    with pytest.raises(StageFailed) as failure:
        run.stage(0)
    assert (failure.value.kind, failure.value.detail) == ("other", f"Not a directory: {folder}/file/")


def test_a_path_that_matches_nothing_stops_the_stage_before_it_begins(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    for path, detail in {
        "none/": "suite.yaml:get: get: none/ matches none of the 0 objects in none/",
        "none": "suite.yaml:get: get: there is no object none",
    }.items():
        run = make_run([endpoint_at(folder)], [StagePlan("workload", operations=(make_op("get", path),))])
        run.check()
        with pytest.raises(StageFailed) as failure:
            run.stage(0)
        assert (failure.value.kind, failure.value.detail) == ("no-match", detail)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, "missing"),
        (errno.EACCES, "denied"),
        (errno.EPERM, "denied"),
        (errno.ENOSPC, "no-space"),
        (errno.EDQUOT, "no-space"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "io-error"),
        (errno.ESTALE, "stale-handle"),
        (errno.ETIMEDOUT, "timeout"),
        (errno.EISDIR, "eisdir"),
        (0, "io-error"),
        (12345, "io-error"),
    ],
)
def test_failures_of_system_calls_have_names(number: int, kind: str) -> None:
    text = os.strerror(number)
    assert name_error(OSError(number, "x", "/mnt/file")) == (kind, f"{text}: /mnt/file")
    assert name_error(OSError(number, "x")) == (kind, text)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_cleanup_that_adopts_removes_the_objects_of_prepare_that_are_there(
    folder: Path, make_run: Callable[..., Any], workers: int
) -> None:
    foreign = {
        "a/mine",
        "a/prepared-00000009.dat",
        "a/deletable-00000000.dat",
        "b/prepared-00000000.dat",
        "a/x/prepared-00000000.dat",
    }
    for name in (*foreign, *(f"a/prepared-{number:08d}.dat" for number in (0, 3, 4, 8))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    removed = 0
    for worker in range(workers):
        objects = ObjectSet("a/", "prepared", 9, SIZE, "", share=worker, shares=workers)
        stage = StagePlan("cleanup", objects=(objects,), mode="strict", adopts=True)
        run = make_run([endpoint_at(folder)], [stage], worker=worker, workers=workers)
        (result,) = run.all_stages()
        assert (result["outcome"], result["errors"]) == ("completed", [])
        removed += sum(number for number, _ in run.reins.counts().values())
    assert (set(files_in(folder)), removed) == (foreign, 4)


@pytest.mark.parametrize("interleaved", [False, True])
def test_sets_are_made_one_after_another_or_in_turns(
    folder: Path, make_run: Callable[..., Any], *, interleaved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each set begins when the one before it has none left, or all begin at once; either way each object is made once."""
    made: list[str] = []
    perform = file_engine._FileLane.perform

    def noted(lane: Any, task: Any, endpoint: int) -> tuple[int, int]:
        made.append(task[1])
        return perform(lane, task, endpoint)

    monkeypatch.setattr(file_engine._FileLane, "perform", noted)
    sets = tuple(
        ObjectSet(f"{name}/", "prepared", count, SIZE, "") for name, count in (("a", 4), ("b", 2), ("c", 3))
    )
    (folder / "b").mkdir()
    (folder / "b/prepared-00000001.dat").write_bytes(b"was here before")
    stage = StagePlan("prepare", objects=sets, interleaved=interleaved)
    (result,) = make_run([endpoint_at(folder)], [stage], lanes=1).all_stages()
    assert result["errors"] == []
    # The third set stands in for the second, which is short.
    assert "".join(name[0] for name in made) == ("abcaccaa" if interleaved else "aaaabccc")
    assert sorted(files_in(folder)) == sorted(
        f"{each.folder}prepared-{number:08d}.dat" for each in sets for number in range(each.count)
    )


def test_a_failed_write_is_counted_under_its_name(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    stage = StagePlan("prepare", objects=(ObjectSet("", "prepared", 1, SIZE, ""),))
    (folder / "prepared-00000000.dat").symlink_to("/dev/full")
    run = make_run([endpoint_at(folder)], [replace(stage, look=False)])
    (result,) = run.all_stages()
    (error,) = result["errors"]
    assert (error["op"], error["kind"], error["count"]) == ("put", "no-space", 1)


def test_a_list_takes_a_prefix_as_an_object_store_does(folder: Path) -> None:
    for name in ("ab/x", "ab/deep/y", "abc", "b"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / "ab/broken").symlink_to("nowhere")
    (folder / "ab/loop").symlink_to(folder)
    root = f"{folder}/"
    found = {
        (prefix, recursive): sorted(list_files(root, prefix, recursive=recursive))
        for prefix in ("", "a", "ab/", "ab/d", "abc", "z")
        for recursive in (True, False)
    }
    everything = ["ab/deep/y", "ab/x", "abc", "b"]
    assert found == {
        **{
            (p, True): [name for name in everything if name.startswith(p)]
            for p in ("", "a", "ab/", "ab/d", "abc", "z")
        },
        ("", False): ["abc", "b"],
        ("a", False): ["abc"],
        ("ab/", False): ["ab/x"],
        ("ab/d", False): [],
        ("abc", False): ["abc"],
        ("z", False): [],
    }


def test_a_lane_that_hangs_keeps_back_what_is_settled() -> None:
    class Lane:
        def __init__(self, held: int | None) -> None:
            self.held = held

        def held_interval(self) -> int | None:
            return self.held

    lanes = Lanes(1)
    window = Window(0, 0, NEVER_NS, interval_ns=SECOND_NS // 2)

    def settled(*held: int | None) -> int:
        lanes._lanes = [Lane(each) for each in held]  # type: ignore[misc]
        return lanes.settled(window, 10 * SECOND_NS)

    # Who has nothing may just be about to count, in the second before.
    assert (settled(), settled(None), settled(20, None)) == (18, 18, 18)
    assert settled(19, 3, None) == 3
