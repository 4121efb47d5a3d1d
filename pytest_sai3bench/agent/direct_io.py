"""Files past the page cache: ``O_DIRECT``, which wants memory, offsets and lengths in whole blocks.

Buffers of `make_buffer` begin at a page. A read asks for whole buffers and gets what is left at the end. A
write fills the last block up and cuts the file to its size afterwards: so its last bytes, too, are on their way to the
storage when the call returns, which they would not be through the page cache. Until the cut the file looks too long.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from .file_operations import read_file

if TYPE_CHECKING:
    from mmap import mmap

    from .payload import Payload
    from .verification import Check

O_DIRECT: int = getattr(os, "O_DIRECT", 0)
# A multiple of a payload's chunk.
BUFFER_BYTES = 1 << 20
# Disks have logical blocks of 512 or 4,096 bytes.
_BLOCK_BYTES = 4096
_IN_MEMORY = ("tmpfs", "ramfs")


def read_direct(path: str, buffer: mmap, check: Check | None = None) -> int:
    """Read a whole file through ``buffer`` and return its size in bytes."""
    return read_file(path, buffer, O_DIRECT, check=check)


def write_blocks(fd: int, payload: Payload, buffer: mmap) -> None:
    """Write the payload's object through ``buffer`` to a file that is open with `O_DIRECT`, and new."""
    with memoryview(buffer) as view:
        size = padded = 0
        while filled := _fill(view, payload):
            end = -(-filled // _BLOCK_BYTES) * _BLOCK_BYTES
            begin = 0
            while begin < end:
                begin += os.write(fd, view[begin:end])
            size += filled
            padded += end
    if padded > size:
        os.ftruncate(fd, size)


def _fill(view: memoryview, payload: Payload) -> int:
    """Copy the next part of an object to the buffer and return its length: all of the buffer, less at the end."""
    filled = 0
    while filled < len(view) and (chunk := payload.chunk()):
        view[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    return filled


def refusal(root: str, *, write: bool) -> str:
    """Return why files below ``root`` cannot be had past the page cache; empty when they can, or nothing tells.

    Nothing tells where the file system has no nameless files (or ``write`` is False) and the folder holds no file.
    """
    if not O_DIRECT:
        return "this system has no O_DIRECT"
    # tmpfs takes the flag since Linux 6.6, and reads from memory all the same.
    kind = _kind_of_file_system(root)
    if kind in _IN_MEMORY:
        return f"the folder {root} is in memory ({kind}), there is nothing but cache"
    try:
        _try_to_open(root, write=write)
    except OSError as error:
        if error.errno == errno.EINVAL:
            return f"the file system of {root} refuses O_DIRECT"
    return ""


def _try_to_open(root: str, *, write: bool) -> None:
    if write:
        try:
            os.close(os.open(root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC | O_DIRECT, 0o600))
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
                raise
        else:
            return
    with os.scandir(root) as entries:
        path = next((entry.path for entry in entries if entry.is_file()), None)
    if path is not None:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC | O_DIRECT))


def _kind_of_file_system(root: str) -> str:
    device = os.stat(root).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            if line.split(" ", 3)[2] == number:
                return line.partition(" - ")[2].split(" ", 1)[0]
    return ""
