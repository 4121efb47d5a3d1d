"""Files past the page cache, on the real file system of the tests."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.direct_io import (
    BUFFER_BYTES,
    O_DIRECT,
    read_direct,
    refusal,
    write_blocks,
)
from pytest_sai3bench.agent.file_operations import make_buffer
from pytest_sai3bench.agent.file_puts import FileMaker
from pytest_sai3bench.agent.payload import CHUNK_BYTES, Payload, Pool, object_number
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 7
MIB = 1 << 20
SIZES = (0, 1, 511, 4095, 4096, 4097, 65_536, MIB - 1, MIB, MIB + 1, 3 * MIB + 70_000)
MEMORY = Path("/dev/shm")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if reason := refusal(f"{tmp_path}/", write=True):
        pytest.skip(reason)
    return tmp_path


def endpoint_at(folder: Path) -> Endpoint:
    return Endpoint(f"direct://{folder}/", "direct", Origin("", ""), root=f"{folder}/")


def payload_of(key: str, size: int) -> Payload:
    payload = Payload(Pool(SEED))
    payload.begin(object_number(key), size)
    return payload


def write_direct(path: str, payload: Payload, buffer: mmap.mmap) -> None:
    FileMaker().make(path, payload, 0, fill=partial(write_blocks, buffer=buffer), flags=O_DIRECT)


def content_of(key: str, size: int) -> bytes:
    payload, content = payload_of(key, size), b""
    while chunk := payload.chunk():
        content += chunk
    return content


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def cached_pages(path: Path) -> int:
    """Return how many pages of a file are in the page cache; asking changes nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
        address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
        present = (ctypes.c_ubyte * -(-len(pages) // mmap.PAGESIZE))()
        assert libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(pages)), present) == 0
        return sum(page & 1 for page in present)


def test_what_was_written_is_what_is_read(folder: Path) -> None:
    assert BUFFER_BYTES % CHUNK_BYTES == 0
    buffer = make_buffer(BUFFER_BYTES)
    for size in SIZES:
        path = folder / "object"
        path.write_bytes(bytes(4 * MIB))
        write_direct(str(path), payload_of("object", size), buffer)
        assert path.read_bytes() == content_of("object", size)
        buffer[:] = bytes(BUFFER_BYTES)
        assert read_direct(str(path), buffer) == size
        if size <= BUFFER_BYTES:
            assert buffer[:size] == content_of("object", size)


def test_neither_way_touches_the_page_cache(folder: Path) -> None:
    path, buffer = folder / "object", make_buffer(BUFFER_BYTES)
    path.write_bytes(bytes(4 * MIB))
    # The witness is right only when it sees what is there.
    assert cached_pages(path) == 4 * MIB // mmap.PAGESIZE

    write_direct(str(path), payload_of("object", 4 * MIB), buffer)
    assert cached_pages(path) == 0
    assert read_direct(str(path), buffer) == 4 * MIB
    assert cached_pages(path) == 0


def test_every_call_is_direct_and_in_whole_blocks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def note(fd: int, length: int, view: Any) -> None:
        assert fcntl.fcntl(fd, fcntl.F_GETFL) & O_DIRECT
        address = ctypes.addressof(ctypes.c_char.from_buffer(view))
        calls.append((length, address % mmap.PAGESIZE))

    real_write, real_readv = os.write, os.readv

    def write(fd: int, view: memoryview) -> int:
        note(fd, len(view), view)
        return real_write(fd, view)

    def readv(fd: int, buffers: Any) -> int:
        note(fd, len(buffers[0]), buffers[0])
        return real_readv(fd, buffers)

    monkeypatch.setattr(os, "write", write)
    monkeypatch.setattr(os, "readv", readv)
    path, buffer = str(folder / "object"), make_buffer(BUFFER_BYTES)
    write_direct(path, payload_of("object", MIB + 5000), buffer)
    assert read_direct(path, buffer) == MIB + 5000
    assert calls == [(MIB, 0), (8192, 0), (MIB, 0), (MIB, 0)]


def test_a_short_write_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda fd, view: real_write(fd, view[:65536]))
    write_direct(str(folder / "object"), payload_of("object", MIB + 1), make_buffer(BUFFER_BYTES))
    assert (folder / "object").read_bytes() == content_of("object", MIB + 1)


def test_a_failed_write_lets_go_of_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, view: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = open_files()
    monkeypatch.setattr(os, "write", fail)
    buffer = make_buffer(BUFFER_BYTES)
    with pytest.raises(OSError, match="No space left"):
        write_direct(str(folder / "object"), payload_of("object", 1), buffer)
    assert open_files() == before
    # Nothing holds the buffer any more.
    buffer.close()


def test_all_stages_run_past_the_page_cache(
    folder: Path, make_run: Callable[..., Any], make_op: Callable[..., Any]
) -> None:
    objects = ObjectSet("data/", "prepared", 12, SizePlan("uniform", 1, 300_000), "")
    operations = (make_op("get", "data/", 3), make_op("put", "new/"), make_op("stat", "data/"))
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=0.5, operations=operations),
        StagePlan("cleanup", objects=(objects,)),
    ]
    run = make_run([endpoint_at(folder)], stages, seed=SEED)
    assert run.check() == [("", "")]

    assert run.stage(0)["read_sink"] == "direct"
    made = {path.name: path.read_bytes() for path in (folder / "data").iterdir()}
    assert len(made) == 12
    assert made == {name: content_of(f"data/{name}", len(body)) for name, body in made.items()}
    result = run.stage(1)
    assert (result["outcome"], result["errors"]) == ("completed", [])
    assert {op for op, _ in run.reins.counts()} == {"get", "put", "stat"}
    run.stage(2)
    assert list(folder.iterdir()) == []


def test_memory_is_no_place_for_direct_io(make_run: Callable[..., Any]) -> None:
    if not os.path.ismount(MEMORY):
        pytest.skip("there is no file system in memory")
    detail = f"the folder {MEMORY}/ is in memory (tmpfs), there is nothing but cache"
    assert make_run([endpoint_at(MEMORY)], [StagePlan("workload")]).check() == [("no-direct", detail)]


def test_a_file_system_that_refuses_the_flag_is_found_out_by_opening_a_file(
    make_run: Callable[..., Any],
) -> None:
    # Files of the kernel cannot be opened with it.
    run = make_run([endpoint_at(Path("/proc/self"))], [StagePlan("workload")])
    assert run.check() == [("no-direct", "the file system of /proc/self/ refuses O_DIRECT")]


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ((errno.EINVAL, 0), "the file system of {} refuses O_DIRECT"),
        ((errno.EOPNOTSUPP, errno.EINVAL), "the file system of {} refuses O_DIRECT"),
        ((errno.EISDIR, 0), ""),
        ((errno.EACCES, errno.EINVAL), ""),
    ],
)
def test_a_nameless_file_tells_before_one_that_is_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, errors: tuple[int, int], reason: str
) -> None:
    (folder / "file").write_bytes(b"x")
    real_open = os.open

    def open_or_fail(path: str, flags: int, mode: int = 0o777) -> int:
        code = errors[0] if flags & os.O_TMPFILE == os.O_TMPFILE else errors[1]
        if code:
            raise OSError(code, os.strerror(code), path)
        return real_open(path, flags, mode)

    monkeypatch.setattr(os, "open", open_or_fail)
    assert refusal(f"{folder}/", write=True) == reason.format(f"{folder}/")


def test_a_check_leaves_nothing_behind(folder: Path) -> None:
    assert refusal(f"{folder}/", write=True) == ""
    assert refusal(f"{folder}/", write=False) == ""
    assert list(folder.iterdir()) == []


def test_a_system_without_the_flag_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_sai3bench.agent.direct_io.O_DIRECT", 0)
    assert refusal(f"{folder}/", write=True) == "this system has no O_DIRECT"
