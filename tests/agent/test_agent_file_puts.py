"""How files come to be: in place or under a temporary name, on the storage or on their way to it."""

from __future__ import annotations

import os
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import file_engine
from pytest_sai3bench.agent.direct_io import BUFFER_BYTES, O_DIRECT, refusal, write_blocks
from pytest_sai3bench.agent.file_operations import list_files, make_buffer, write_chunks
from pytest_sai3bench.agent.file_puts import FileMaker
from pytest_sai3bench.agent.messages import ATOMIC, FSYNC
from pytest_sai3bench.agent.payload import Payload, Pool, object_number
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 300_000
POOL = Pool(7)
TEMPORARY = ".sai3bench-object"


def payload_of(size: int) -> Payload:
    payload = Payload(POOL)
    payload.begin(object_number("object"), size)
    return payload


def content_of(size: int) -> bytes:
    payload, content = payload_of(size), b""
    while chunk := payload.chunk():
        content += chunk
    return content


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def endpoint_at(folder: Path) -> Endpoint:
    return Endpoint(f"file://{folder}/", "file", Origin("", ""), root=f"{folder}/")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that collects system calls with the names of what they are about."""
    calls: list[str] = []

    def name_of(what: object) -> str:
        path = Path(f"/proc/self/fd/{what}").readlink() if isinstance(what, int) else Path(str(what))
        return path.name

    def note(name: str) -> None:
        real = getattr(os, name)

        def call(*arguments: Any) -> Any:
            calls.append(" ".join([name, *(name_of(each) for each in arguments)]))
            return real(*arguments)

        monkeypatch.setattr(os, name, call)

    for name in ("fsync", "rename", "close"):
        note(name)
    return calls


@pytest.mark.parametrize("how", [0, FSYNC, ATOMIC, FSYNC | ATOMIC])
@pytest.mark.parametrize("direct", [False, True])
def test_a_file_is_the_same_however_it_was_made(tmp_path: Path, how: int, *, direct: bool) -> None:
    if direct and (reason := refusal(f"{tmp_path}/", write=True)):
        pytest.skip(reason)
    (tmp_path / "object").write_bytes(b"longer than before" * SIZE)
    fill = partial(write_blocks, buffer=make_buffer(BUFFER_BYTES)) if direct else write_chunks
    maker = FileMaker()
    maker.make(str(tmp_path / "object"), payload_of(SIZE), how, fill=fill, flags=O_DIRECT if direct else 0)
    assert (tmp_path / "object").read_bytes() == content_of(SIZE)
    assert names_in(tmp_path) == ["object"]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (0, ["close object"]),
        (FSYNC, ["fsync object", "close object"]),
        (ATOMIC, [f"close {TEMPORARY}", f"rename {TEMPORARY} object"]),
        (
            FSYNC | ATOMIC,
            [
                f"fsync {TEMPORARY}",
                f"close {TEMPORARY}",
                f"rename {TEMPORARY} object",
                "fsync folder",
                "close folder",
            ],
        ),
    ],
)
def test_data_are_safe_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, calls: list[str], how: int, expected: list[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    FileMaker().make(str(folder / "object"), payload_of(1), how, fill=write_chunks)
    assert calls == expected


def test_until_it_is_whole_there_is_only_what_was_before(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"before")
    seen = []

    def fill(fd: int, payload: Payload) -> None:
        write_chunks(fd, payload)
        seen.append((names_in(tmp_path), list(list_files(f"{tmp_path}/", "", recursive=True))))
        assert (tmp_path / "object").read_bytes() == b"before"

    FileMaker().make(str(tmp_path / "object"), payload_of(SIZE), ATOMIC, fill=fill)
    assert seen == [([TEMPORARY, "object"], ["object"])]
    assert (tmp_path / "object").read_bytes() == content_of(SIZE)


def test_a_failure_leaves_what_was_before_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"before")

    def fill(fd: int, payload: Payload) -> None:
        os.write(fd, b"half")
        raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space left"):
        FileMaker().make(str(tmp_path / "object"), payload_of(SIZE), ATOMIC, fill=fill)
    assert names_in(tmp_path) == ["object"]
    assert (tmp_path / "object").read_bytes() == b"before"


def test_a_name_that_cannot_be_taken_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "object").mkdir()
    with pytest.raises(IsADirectoryError):
        FileMaker().make(str(tmp_path / "object"), payload_of(SIZE), ATOMIC, fill=write_chunks)
    assert names_in(tmp_path) == ["object"]


def test_what_was_not_finished_can_be_removed_later(tmp_path: Path) -> None:
    (tmp_path / ".sai3bench-of-others").write_bytes(b"")

    def fill(fd: int, payload: Payload) -> None:
        raise ZeroDivisionError

    maker = FileMaker()
    with pytest.raises(ZeroDivisionError):
        maker.make(str(tmp_path / "object"), payload_of(SIZE), ATOMIC, fill=fill)
    assert TEMPORARY in names_in(tmp_path)
    maker.remove_unfinished()
    assert names_in(tmp_path) == [".sai3bench-of-others"]


def test_stages_make_files_as_their_plan_says(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], calls: list[str]
) -> None:
    objects = ObjectSet("", "prepared", 3, SizePlan("fixed", 10, 10), "")
    put = make_op("put", "new/", fsync=True, atomic=True)
    stages = [
        StagePlan("prepare", objects=(objects,), fsync=True),
        StagePlan("workload", duration_s=20, operations=(put,)),
        StagePlan("cleanup", objects=(objects,)),
    ]
    run = make_run([endpoint_at(tmp_path)], stages)
    run.check()

    run.stage(0)
    assert sorted(call for call in calls if call.startswith("fsync")) == [
        f"fsync prepared-{number:08d}.dat" for number in range(3)
    ]
    assert not [call for call in calls if call.startswith("rename")]

    calls.clear()
    result = run.stage(1, stop_when=lambda: len(calls) > 20)
    assert result["errors"] == []
    counts = run.reins.counts()
    assert list(counts) == [("put", 0)]
    made = names_in(tmp_path / "new")
    assert len(made) == counts["put", 0][0]
    synced = sorted(call for call in calls if call.startswith("fsync"))
    assert synced == sorted([f"fsync .sai3bench-{name}" for name in made] + ["fsync new"] * len(made))

    assert run.stage(2)["errors"] == []
    assert names_in(tmp_path) == []


def test_what_a_lane_that_hangs_has_begun_is_removed_with_the_goodbye(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    over, hanging, done = threading.Event(), threading.Event(), threading.Event()

    def hang(fd: int, payload: Payload) -> None:
        hanging.set()
        over.wait(20)
        done.set()

    monkeypatch.setattr(file_engine, "write_chunks", hang)
    stage = StagePlan("workload", duration_s=60, operations=(make_op("put", "", atomic=True),))
    run = make_run([endpoint_at(tmp_path)], [stage], lanes=1)
    run.check()
    result = run.stage(0, stop_when=hanging.is_set)
    assert result["notes"] == ["1 operations were cut off by the stop"]
    (left,) = names_in(tmp_path)
    assert left.startswith(".sai3bench-obj_")

    run.worker.close()
    assert names_in(tmp_path) == []
    over.set()
    assert done.wait(20)
