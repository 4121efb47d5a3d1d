"""Making files: under their own name or a temporary one, and when they count as made."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Callable

from .messages import ATOMIC, FSYNC

if TYPE_CHECKING:
    from .payload import Payload

# Names of files under way begin with this; nothing that lists files shows them.
TEMPORARY = ".sai3bench-"


class FileMaker:
    """Makes files for all lanes of a worker, and knows those under a temporary name that are not finished."""

    def __init__(self) -> None:
        # Adding and removing are one C call each, so lanes need no lock.
        self._unfinished: set[str] = set()

    def make(
        self, path: str, payload: Payload, how: int, *, fill: Callable[[int, Payload], None], flags: int = 0
    ) -> None:
        """Make the file ``path``, or replace it, with what ``fill`` writes into a descriptor.

        ``how`` holds `FSYNC`: what was written is on the storage at the end; and `ATOMIC`: the file appears under its
        name when it is whole, or not at all. ``flags`` are further ones to open it with.
        """
        if not how & ATOMIC:
            _write(path, payload, how, fill, flags)
            return
        folder, slash, name = path.rpartition("/")
        temporary = f"{folder}{slash}{TEMPORARY}{name}"
        self._unfinished.add(temporary)
        try:
            _write(temporary, payload, how, fill, flags)
            os.rename(temporary, path)
        except OSError:
            self._remove(temporary)
            raise
        self._unfinished.discard(temporary)
        if how & FSYNC:
            # The new name is an entry of the folder.
            _sync(folder + slash)

    def remove_unfinished(self) -> None:
        """Remove what is left of files that were not finished, such as those of lanes that a stop left behind."""
        for temporary in sorted(self._unfinished):
            self._remove(temporary)

    def _remove(self, temporary: str) -> None:
        with suppress(OSError):
            os.unlink(temporary)
        if not os.path.lexists(temporary):
            self._unfinished.discard(temporary)


def _write(path: str, payload: Payload, how: int, fill: Callable[[int, Payload], None], flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | flags, 0o666)
    try:
        fill(fd, payload)
        if how & FSYNC:
            os.fsync(fd)
    finally:
        os.close(fd)


def _sync(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
