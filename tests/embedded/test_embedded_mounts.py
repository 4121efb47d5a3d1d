from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.embedded import mounts

if TYPE_CHECKING:
    from pathlib import Path


def test_every_mount_shows_the_same_files(tmp_path: Path) -> None:
    created = mounts.create(3, base_dir=tmp_path)
    (created.paths[0] / "file").write_text("seen everywhere")
    assert [(path / "file").read_text() for path in created.paths] == ["seen everywhere"] * 3
    (created.paths[2] / "file").unlink()
    assert not (created.paths[0] / "file").exists()
    created.remove()


def test_mounts_are_private(tmp_path: Path) -> None:
    created = mounts.create(1, base_dir=tmp_path)
    assert created.folder.parent == tmp_path
    assert created.folder.stat().st_mode & 0o777 == 0o700
    created.remove()


def test_added_mounts_show_what_is_there_and_old_ones_keep_their_paths(tmp_path: Path) -> None:
    created = mounts.create(1, base_dir=tmp_path)
    first = created.paths[0]
    (first / "file").write_text("old")
    created.add(2)
    assert len(set(created.paths)) == 3
    assert created.paths[0] == first
    assert (created.paths[2] / "file").read_text() == "old"
    created.remove()


def test_remove_takes_files_along_and_nothing_else(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("kept")
    created = mounts.create(2, base_dir=tmp_path)
    (created.paths[0] / "file").write_text("gone")
    (created.paths[0] / "link").symlink_to(precious)
    created.remove()
    created.remove()
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]
    assert (precious / "file").read_text() == "kept"
