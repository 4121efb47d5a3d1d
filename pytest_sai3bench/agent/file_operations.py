"""Operations on files as plain system calls, and how their failures are named."""

from __future__ import annotations

import errno
import os
from mmap import mmap
from typing import TYPE_CHECKING

from .engine import OperationFailed
from .file_puts import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .payload import Payload
    from .verification import Check

_KINDS = {
    errno.ENOENT: "missing",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.ENOSPC: "no-space",
    errno.EDQUOT: "no-space",
    errno.EROFS: "read-only",
    errno.EIO: "io-error",
    errno.ESTALE: "stale-handle",
    errno.ETIMEDOUT: "timeout",
    errno.ENOTEMPTY: "not-empty",
}


def name_error(error: OSError) -> tuple[str, str]:
    """Return kind and text of a failed system call."""
    if isinstance(error, OperationFailed):
        return error.kind, error.text
    code = error.errno or 0
    kind = _KINDS.get(code) or errno.errorcode.get(code, "io-error").lower()
    return kind, f"{os.strerror(code)}: {error.filename}" if error.filename else os.strerror(code)


def advice_for(mode: str) -> int:
    """Return the hint of ``posix_fadvise`` that a plan's ``page_cache_mode`` stands for; 0, the normal one, is none."""
    if mode in ("", "normal"):
        return 0
    advice: int = getattr(os, f"POSIX_FADV_{'sequential' if mode == 'auto' else mode}".upper())
    return advice


def make_buffer(size_bytes: int) -> mmap:
    """Return memory that begins at a page; what is never touched of it takes no memory.

    The kernel copies to a whole cache line much faster than to one that it has to fill in two steps: 64 KiB from the
    page cache took 8 µs, and 27 µs to a bytearray, which begins 16 bytes behind a page.
    """
    return mmap(-1, size_bytes)


def read_file(
    path: str, buffer: bytearray | mmap, flags: int = 0, advice: int = 0, check: Check | None = None
) -> int:
    """Read a whole file through ``buffer`` and return its size in bytes.

    ``flags`` are further ones to open it with; ``advice`` is given before the first read, and where it is to drop the
    file's pages, again after the last: so they come from the storage, and do not stay. ``check`` is shown all that is
    read.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        if advice:
            os.posix_fadvise(fd, 0, 0, advice)
        total = 0
        while True:
            count = os.readv(fd, [buffer])
            total += count
            if check is not None:
                with memoryview(buffer) as view:
                    check.feed(view[:count])
            # A regular file gives less than asked for only at its end.
            if count < len(buffer):
                break
        if advice and advice == os.POSIX_FADV_DONTNEED:
            os.posix_fadvise(fd, 0, 0, advice)
        return total
    finally:
        os.close(fd)


def write_chunks(fd: int, payload: Payload) -> None:
    """Write the payload's object to an open file."""
    while chunk := payload.chunk():
        while chunk:
            chunk = chunk[os.write(fd, chunk) :]


def list_files(root: str, prefix: str, *, recursive: bool) -> Iterator[str]:
    """Yield the files whose path begins with ``prefix``, as paths relative to ``root``.

    Folders are not yielded, nor are files under a temporary name. The prefix may end in the middle of a name, as in an object store.
    """
    cut = prefix.rfind("/") + 1
    folder, begin = prefix[:cut], prefix[cut:]
    with os.scandir(root + folder) as entries:
        for entry in entries:
            if not entry.name.startswith(begin) or entry.name.startswith(TEMPORARY):
                continue
            if entry.is_file():
                yield folder + entry.name
            elif recursive and entry.is_dir(follow_symlinks=False):
                yield from list_files(root, f"{folder}{entry.name}/", recursive=True)
