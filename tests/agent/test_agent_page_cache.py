"""Hints about the page cache, on the real file system of the tests."""

from __future__ import annotations

import ctypes
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.file_operations import advice_for, read_file
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import OperationPlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

SIZE = 3 << 20


@pytest.fixture
def cached_pages() -> Callable[[Path], int]:
    """Return a function that counts the pages of a file in the page cache; asking changes nothing."""
    libc = ctypes.CDLL(None, use_errno=True)

    def count(path: Path) -> int:
        with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as pages:
            address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
            present = (ctypes.c_ubyte * -(-len(pages) // mmap.PAGESIZE))()
            assert libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(len(pages)), present) == 0
            return sum(page & 1 for page in present)

    return count


@pytest.fixture
def file(tmp_path: Path, cached_pages: Callable[[Path], int]) -> Path:
    """Return a file that is on the storage and in the page cache, all of it."""
    path = tmp_path / "file"
    with path.open("wb") as written:
        written.write(bytes(SIZE))
        os.fsync(written.fileno())
    assert cached_pages(path) == SIZE // mmap.PAGESIZE
    return path


def test_dontneed_reads_from_the_storage_and_leaves_nothing_in_the_cache(
    file: Path, cached_pages: Callable[[Path], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real_readv = [], os.readv

    def readv(fd: int, buffers: Any) -> int:
        before.append(cached_pages(file))
        return real_readv(fd, buffers)

    monkeypatch.setattr(os, "readv", readv)
    assert read_file(str(file), bytearray(SIZE + 1), advice=advice_for("dontneed")) == SIZE
    assert before == [0]
    assert cached_pages(file) == 0


@pytest.mark.parametrize("mode", ["", "normal", "auto", "sequential", "random"])
def test_other_hints_keep_what_is_cached(file: Path, cached_pages: Callable[[Path], int], mode: str) -> None:
    assert read_file(str(file), bytearray(SIZE + 1), advice=advice_for(mode)) == SIZE
    assert cached_pages(file) == SIZE // mmap.PAGESIZE


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str | int]:
    """Return a list that collects every hint (its number) and every read, in order."""
    calls: list[str | int] = []
    real_readv = os.readv

    def readv(fd: int, buffers: Any) -> int:
        calls.append("read")
        return real_readv(fd, buffers)

    def advise(fd: int, offset: int, length: int, advice: int) -> None:
        assert (offset, length) == (0, 0)
        calls.append(advice)

    monkeypatch.setattr(os, "readv", readv)
    monkeypatch.setattr(os, "posix_fadvise", advise)
    return calls


@pytest.mark.parametrize(
    ("mode", "of_one_get"),
    [
        ("", ["read"]),
        ("normal", ["read"]),
        ("auto", [os.POSIX_FADV_SEQUENTIAL, "read"]),
        ("sequential", [os.POSIX_FADV_SEQUENTIAL, "read"]),
        ("random", [os.POSIX_FADV_RANDOM, "read"]),
        ("dontneed", [os.POSIX_FADV_DONTNEED, "read", os.POSIX_FADV_DONTNEED]),
    ],
)
def test_every_get_gives_the_hint_of_the_plan(
    tmp_path: Path,
    make_run: Callable[..., Any],
    calls: list[str | int],
    mode: str,
    of_one_get: list[str | int],
) -> None:
    (tmp_path / "file").write_bytes(b"content")
    endpoint = Endpoint(f"file://{tmp_path}/", "file", Origin("", ""), root=f"{tmp_path}/")
    stage = StagePlan("workload", duration_s=20, operations=(OperationPlan("get", "file", 1, ""),))
    run = make_run([endpoint], [stage], page_cache_mode=mode, lanes=1)
    run.check()
    run.stage(0, stop_when=lambda: len(calls) > 10)
    assert calls == of_one_get * run.reins.counts()["get", 0][0]


def test_a_hint_that_is_refused_is_an_error_of_the_operation(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    os.mkfifo(tmp_path / "pipe")
    keeper = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        with pytest.raises(OSError, match="Illegal seek"):
            read_file(str(tmp_path / "pipe"), bytearray(1), advice=advice_for("random"))
    finally:
        os.close(keeper)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
