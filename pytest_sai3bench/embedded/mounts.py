"""Throwaway folders that all show the same files: the picture of one NFS export mounted at several places."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path


def create(mounts: int, *, base_dir: Path | None = None) -> Mounts:
    """Create ``mounts`` places in a private folder under ``base_dir`` (default: the folder for temporary files)."""
    created = Mounts(Path(tempfile.mkdtemp(prefix="sai3bench-mounts-", dir=base_dir)))
    created.add(mounts)
    return created


class Mounts:
    """Places ``mount-1`` … in ``folder``, each a link to its folder ``export``; `create` makes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths: tuple[Path, ...] = ()
        self._export = folder / "export"
        self._export.mkdir()

    def add(self, count: int) -> None:
        """Create ``count`` more places; those that exist keep their paths."""
        first = len(self.paths) + 1
        added = [self.folder / f"mount-{number}" for number in range(first, first + count)]
        for path in added:
            path.symlink_to(self._export, target_is_directory=True)
        self.paths += tuple(added)

    def remove(self) -> None:
        """Remove the places and their files; may be called again."""
        shutil.rmtree(self.folder, ignore_errors=True)
