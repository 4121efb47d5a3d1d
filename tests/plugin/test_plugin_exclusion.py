from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import RunError
from pytest_sai3bench.fleet.exclusion import claim
from pytest_sai3bench.plan.model import Endpoint, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NOW = datetime(2026, 11, 24, 12, 3, 4, tzinfo=timezone.utc)
_ORIGIN = Origin("s.yaml:1", "target")
_REMEDY = "Wait until it has ended: two loads at one time would measure each other."
_HOLD = """
import sys
from datetime import datetime
from pytest_sai3bench.fleet.exclusion import claim
from pytest_sai3bench.plan.model import Endpoint, Origin

with claim([Endpoint("", "file", Origin("", ""), root=sys.argv[1])], datetime(2026, 11, 24, 12, 3, 4)):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of our own for the locks."""
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def holder(store: Path) -> Iterator[subprocess.Popen[str]]:
    """Run another process that holds the folder `store`."""
    arguments = [sys.executable, "-c", _HOLD, f"{store}/"]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def _folder(path: str) -> Endpoint:
    return Endpoint(f"file://{path}", "file", _ORIGIN, root=path)


def _bucket(prefix: str) -> Endpoint:
    return Endpoint(f"s3://h:9/b/{prefix}", "s3", _ORIGIN, host="h", port=9, bucket="b", prefix=prefix)


def test_a_target_that_another_process_measures_is_refused(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    store: Path,
    holder: subprocess.Popen[str],
    block: Callable[..., list[str]],
) -> None:
    write_suite()
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=2)
    cause = f"{store.as_uri()}/ is being measured by process {holder.pid} since 12:03:04"
    assert block(result, "ERROR at setup of workload mixed") == [cause, _REMEDY]
    assert block(result, "ERROR at setup of mixed/total.errors: total.errors == 0") == [
        f"mixed did not run: {cause}"
    ]
    assert list(store.iterdir()) == []
    assert not pytester.path.joinpath("sai3-results").exists()


def test_the_target_is_free_when_the_other_process_has_ended_however_it_did(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], holder: subprocess.Popen[str], locks: Path
) -> None:
    write_suite()
    holder.kill()
    holder.wait()
    # What it left behind is in nobody's way, and is removed with the next run.
    assert len(list(locks.glob("sai3bench-*.lock"))) == 1
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert list(locks.iterdir()) == []


def test_a_claim_ends_with_its_block(locks: Path) -> None:
    for _ in range(2):
        with claim([_folder("/a/"), _folder("/b/")], _NOW):
            names = sorted(path.name for path in locks.iterdir())
            assert len(names) == 2
            assert {(locks / name).read_text() for name in names} == {f"process {os.getpid()} since 12:03:04"}
        assert list(locks.iterdir()) == []


def test_a_folder_is_one_target_with_and_without_its_page_cache() -> None:
    direct = Endpoint("direct:///a/", "direct", _ORIGIN, root="/a/")
    with claim([_folder("/a/")], _NOW), pytest.raises(RunError) as caught, claim([direct], _NOW):
        pass
    assert (
        str(caught.value)
        == f"direct:///a/ is being measured by process {os.getpid()} since 12:03:04\n{_REMEDY}"
    )


def test_a_claim_that_fails_takes_nothing(locks: Path) -> None:
    with claim([_folder("/b/")], _NOW):
        with pytest.raises(RunError) as caught, claim([_folder("/a/"), _folder("/b/")], _NOW):
            pass
        assert (
            str(caught.value)
            == f"file:///b/ is being measured by process {os.getpid()} since 12:03:04\n{_REMEDY}"
        )
        with claim([_folder("/a/")], _NOW):
            pass


def test_prefixes_of_a_bucket_are_one_target() -> None:
    with claim([_bucket("x/"), _bucket("y/")], _NOW), pytest.raises(RunError), claim([_bucket("z/")], _NOW):
        pass


def test_embedded_targets_need_no_claim(locks: Path) -> None:
    endpoint = Endpoint("file://embedded-1/", "file", _ORIGIN, root="/x/", embedded=True)
    with claim([endpoint], _NOW):
        assert list(locks.iterdir()) == []


def test_a_file_with_anything_else_in_it_is_not_shown(locks: Path) -> None:
    with claim([_folder("/a/")], _NOW):
        next(locks.iterdir()).write_text("\x1b[31mprocess 1 since 12:03:04")
        with pytest.raises(RunError) as caught, claim([_folder("/a/")], _NOW):
            pass
    assert caught.value.message == "file:///a/ is being measured by another process"


def test_a_lock_whose_file_was_removed_meanwhile_is_not_one(
    locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between our opening and our locking, the holder before us removes the file and ends."""
    import fcntl

    flock = fcntl.flock
    removed: list[Path] = []

    def flock_late(descriptor: int, operation: int) -> None:
        if not removed:
            (path,) = locks.iterdir()
            path.unlink()
            removed.append(path)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock_late)
    with claim([_folder("/a/")], _NOW):
        assert list(locks.iterdir()) == removed
        with pytest.raises(RunError), claim([_folder("/a/")], _NOW):
            pass


def test_a_link_in_place_of_the_file_is_not_followed(locks: Path) -> None:
    with claim([_folder("/a/")], _NOW):
        (path,) = locks.iterdir()
    victim = locks / "victim"
    victim.write_text("precious")
    path.symlink_to(victim)
    with pytest.raises(RunError) as caught, claim([_folder("/a/")], _NOW):
        pass
    assert str(caught.value) == (
        f"file:///a/ cannot be reserved: {path}: Too many levels of symbolic links\nTMPDIR chooses another folder."
    )
    assert victim.read_text() == "precious"
