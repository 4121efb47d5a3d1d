"""Keeps two processes of one host from measuring the same target at one time: each would measure the other.

Advisory: a lock on a file in the folder for temporary files, named after the target. The lock ends with its process,
however that ends; the file says who holds it.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pytest_sai3bench.plan.model import Endpoint

# Anybody may write the file, so what is shown of it has this form.
_HOLDER = re.compile(r"process [0-9]+ since [0-9]{2}:[0-9]{2}:[0-9]{2}")


@contextmanager
def claim(endpoints: Iterable[Endpoint], now: datetime) -> Iterator[None]:
    """Hold the targets of ``endpoints``, embedded ones excepted, which belong to this process anyway.

    Raises `RunError` when another process holds one of them; it is told that we do since ``now``.
    """
    # Prefixes of one bucket are one target.
    targets = {_lock_file(endpoint): endpoint.uri for endpoint in endpoints if not endpoint.embedded}
    with ExitStack() as held:
        for path, uri in targets.items():
            held.enter_context(_held(path, uri, f"process {os.getpid()} since {now:%H:%M:%S}"))
        yield


def _lock_file(endpoint: Endpoint) -> Path:
    # A folder is the same target with and without its page cache.
    scheme = "file" if endpoint.root else endpoint.scheme
    target = (scheme, endpoint.host, str(endpoint.port), endpoint.bucket, endpoint.root)
    name = blake2b("\0".join(target).encode(errors="surrogateescape"), digest_size=12).hexdigest()
    return Path(tempfile.gettempdir(), f"sai3bench-{name}.lock")


@contextmanager
def _held(path: Path, uri: str, holder: str) -> Iterator[None]:
    try:
        descriptor = _lock(path, uri)
    except OSError as error:
        raise RunError(
            f"{uri} cannot be reserved: {path}: {error.strerror}", remedy="TMPDIR chooses another folder."
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode(), 0)
        yield
    finally:
        # Still locked: who has opened the file meanwhile finds that it is not the one of this name any more. What
        # another user's killed process has left can be locked, but not removed.
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path, uri: str) -> int:
    """Return the descriptor of the locked file of that name; raises `RunError` when another process has it."""
    while True:
        with ExitStack() as opened:
            descriptor = _open(path)
            opened.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = _HOLDER.fullmatch(os.pread(descriptor, 64, 0).decode(errors="replace"))
                raise RunError(
                    f"{uri} is being measured by {holder[0] if holder else 'another process'}",
                    remedy="Wait until it has ended: two loads at one time would measure each other.",
                ) from None
            if _is_named(path, descriptor):
                opened.pop_all()
                return descriptor


def _open(path: Path) -> int:
    while True:
        # Files of other users can be opened in a folder for all, but not with O_CREAT (fs.protected_regular).
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDWR | os.O_NOFOLLOW)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(descriptor, 0o666)  # whatever the umask
            return descriptor


def _is_named(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
