"""File storage: a thread per lane around blocking system calls.

Threads, since a read from the page cache takes a few microseconds and one from a hanging NFS server may take minutes;
neither may hold up the other lanes.
"""

from __future__ import annotations

import os
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable

from .contacts import contacts_of_folders
from .direct_io import BUFFER_BYTES, O_DIRECT, read_direct, refusal, write_blocks
from .file_operations import advice_for, list_files, make_buffer, name_error, read_file, write_chunks
from .file_puts import FileMaker
from .gated_lanes import GatedLane, SharedLine
from .gates import has_gates
from .lanes import Lane, Lanes
from .messages import DELETE, GET, KIND_MASK, LIST, PUT, STAT
from .payload import PLAIN, Payload, make_pool, object_number
from .s3_client import RequestFailed
from .verification import Check, WrongContentError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from .engine import Load
    from .messages import CheckWire, ContactWire
    from .payload import Pool, Shape
    from .recorder import Window
    from .tasks import Task

# How a lane reads a file, and writes one.
_Access = tuple[Callable[..., int], Callable[[str, Payload, int], None]]

_BUFFER_BYTES = 256 << 10
_STACK_BYTES = 256 << 10


class FileEngine:
    """Implements `engine.Engine` for ``file://`` and ``direct://`` endpoints."""

    threads = True
    times_first_byte = False
    left_behind = ()
    # Threads spend most of their time in the kernel, on all cores.
    cpu_cores = len(os.sched_getaffinity(0))

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._direct = plan["endpoints"][0]["scheme"] == "direct"
        self.read_sink = "direct" if self._direct else "copy"
        self._advice = advice_for(plan["page_cache_mode"])
        self._roots = [str(endpoint["root"]) for endpoint in plan["endpoints"]]
        self._made: list[str] = []
        self._maker = FileMaker()
        self._pool: Pool | None = None
        self._lanes = Lanes(plan["lanes"], stack_bytes=_STACK_BYTES, timeout_s=plan["request_timeout_s"])

    def check(self, *, write: bool) -> list[CheckWire]:
        """See `Engine.check`."""
        return [self._check(index, root, write=write) for index, root in enumerate(self._roots)]

    def _check(self, index: int, root: str, *, write: bool) -> CheckWire:
        if not os.path.isdir(root):
            return {"endpoint": index, "kind": "no-folder", "detail": f"there is no folder {root}"}
        if not os.access(root, os.R_OK | os.X_OK):
            return {"endpoint": index, "kind": "denied", "detail": f"the folder {root} cannot be read"}
        if write and (not os.access(root, os.W_OK) or os.statvfs(root).f_flag & os.ST_RDONLY):
            return {
                "endpoint": index,
                "kind": "not-writable",
                "detail": f"the folder {root} cannot be written",
            }
        if self._direct and (detail := refusal(root, write=write)):
            return {"endpoint": index, "kind": "no-direct", "detail": detail}
        return {"endpoint": index, "kind": "", "detail": ""}

    def encode(self, path: str) -> str:
        """See `Engine.encode`: names of files are what they are."""
        return path

    def decode(self, name: str) -> str:
        """See `Engine.decode`."""
        return name

    def exists(self, name: str, endpoint: int = 0) -> bool:
        """See `Engine.exists`."""
        return os.path.isfile(self._roots[endpoint] + name)

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> Iterator[str]:
        """See `Engine.names`."""
        try:
            yield from list_files(self._roots[endpoint], folder, recursive=recursive)
        except FileNotFoundError:
            # As in an object store: where nothing is, nothing is listed.
            return
        except OSError as error:
            kind, text = name_error(error)
            raise RequestFailed(kind if kind == "denied" else "other", text) from error

    def make_folder(self, folder: str) -> None:
        """See `Engine.make_folder`; every level that is made is remembered."""
        for root in self._roots:
            path = root
            for part in folder.split("/"):
                path = os.path.join(path, part)
                try:
                    os.mkdir(path)
                except FileExistsError:
                    continue
                except OSError as error:
                    raise RequestFailed("not-writable", name_error(error)[1]) from error
                self._made.append(path)

    def remove_folders(self) -> bool:
        """See `Engine.remove_folders`; what still holds files stays, and is tried again the next time."""
        self._maker.remove_unfinished()
        made, self._made = self._made, []
        for path in reversed(made):
            try:
                os.rmdir(path)
            except FileNotFoundError:
                continue
            except OSError:
                self._made.insert(0, path)
        return bool(self._made)

    def open(self, lanes: int = 0) -> None:
        """See `Engine.open`."""
        self._lanes.count = lanes or self._plan["lanes"]
        if self._pool is None:
            self._pool = make_pool(self._plan)

    def settled(self, window: Window, now_ns: int) -> int:
        """See `Engine.settled`."""
        return self._lanes.settled(window, now_ns)

    def run(self, load: Load) -> int:
        """See `Engine.run`."""
        roots, pool = self._roots, self._pool
        assert pool is not None
        make = partial(_GatedFileLane, line=SharedLine()) if has_gates(self._plan) else _FileLane
        return self._lanes.run(lambda stop: make(load, stop, roots, pool, self._access()), load)

    def _access(self) -> _Access:
        """Return how one lane reads and writes files, with a buffer of its own."""
        if self._direct:
            pages = make_buffer(BUFFER_BYTES)
            fill = partial(write_blocks, buffer=pages)
            return partial(read_direct, buffer=pages), partial(self._maker.make, fill=fill, flags=O_DIRECT)
        write = partial(self._maker.make, fill=write_chunks)
        read = partial(read_file, buffer=make_buffer(_BUFFER_BYTES))
        return partial(read, advice=self._advice) if self._advice else read, write

    def contacts(self) -> list[ContactWire]:
        """See `Engine.contacts`."""
        return contacts_of_folders(self._roots)

    def close(self) -> None:
        """Remove what a stop left unfinished; files are open only during an operation."""
        self._maker.remove_unfinished()


class _FileLane(Lane):
    def __init__(
        self, load: Load, stop: threading.Event, roots: list[str], pool: Pool, access: _Access
    ) -> None:
        super().__init__(load, stop, len(roots))
        self._roots = roots
        self._read, self._write = access
        self._payload = Payload(pool)

    def perform(self, task: Task, endpoint: int) -> tuple[int, int]:
        """See `Lane.perform`."""
        op, key, size, shape, _ = task
        path = self._roots[endpoint] + key
        if op & KIND_MASK == PUT:
            self._payload.begin(object_number(key), size, shape or PLAIN)
        began = monotonic_ns()
        if op == GET:
            size = self._verify(path, key, size, shape) if shape else self._read(path)
        elif op & KIND_MASK == PUT:
            self._write(path, self._payload, op)
        elif op == STAT:
            os.stat(path)
        elif op == DELETE:
            os.unlink(path)
        elif op == LIST:
            for _ in list_files(self._roots[endpoint], key, recursive=True):
                pass
        else:
            act, directory = shape
            act(self._roots[endpoint], directory)
        return size, began

    def _verify(self, path: str, key: str, size: int, shape: Shape) -> int:
        check = Check(self._payload, key, size, shape)
        size = self._read(path, check=check)
        if problem := check.finish():
            raise WrongContentError(*problem)
        return size

    def moved(self) -> int:
        """See `Lane.moved`: while a call hangs, its thread does not run; while data come, it does."""
        try:
            with open(f"/proc/self/task/{self.native_id}/schedstat", encoding="ascii") as times:
                return int(times.read().split()[0])
        except OSError:
            return super().moved()

    def name_error(self, error: OSError, endpoint: int) -> tuple[str, str]:
        """See `Lane.name_error`."""
        kind, text = name_error(error)
        if kind == "missing" and not os.path.isdir(self._roots[endpoint]):
            kind, text = "no-folder", f"the folder {self._roots[endpoint]} is gone"
        return kind, text


class _GatedFileLane(GatedLane, _FileLane):
    """A lane whose operations wait for gates."""
