"""File storage: a thread per lane around blocking system calls.

Threads, since a read from the page cache takes a few microseconds and one from a hanging NFS server may take minutes;
neither may hold up the other lanes.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable

from .balance import FAILED
from .direct_io import BUFFER_BYTES, O_DIRECT, read_direct, refusal, write_blocks
from .file_operations import advice_for, list_files, make_buffer, name_error, read_file, write_chunks
from .file_puts import FileMaker
from .health import LEFT_OUT
from .messages import DELETE, GET, KIND_MASK, LIST, PUT, STAT
from .payload import PLAIN, Payload, make_pool, object_number
from .recorder import SECOND_NS, Recorder, series_base
from .s3_client import RequestFailed
from .verification import Check, WrongContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .engine import Load
    from .messages import CheckWire
    from .pacing import Pacer
    from .payload import Pool, Shape
    from .recorder import Window
    from .sources import Task

# How a lane reads a file, and writes one.
_Access = tuple[Callable[..., int], Callable[[str, Payload, int], None]]

_BUFFER_BYTES = 256 << 10
_STACK_BYTES = 256 << 10
_CHECK_S = 0.05
# A lane that finds no endpoint in use asks again after this time at the earliest.
_YIELD_NS = 1_000_000
# After a stop, lanes that hang in a system call are left behind.
_GRACE_NS = 1_000_000_000


class FileEngine:
    """Implements `engine.Engine` for ``file://`` and ``direct://`` endpoints."""

    threads = True
    times_first_byte = False

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._direct = plan["endpoints"][0]["scheme"] == "direct"
        self.read_sink = "direct" if self._direct else "copy"
        self._advice = advice_for(plan["page_cache_mode"])
        self._roots = [str(endpoint["root"]) for endpoint in plan["endpoints"]]
        self._made: list[str] = []
        self._maker = FileMaker()
        self._pool: Pool | None = None
        self._lanes: list[_Lane] = []

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

    def exists(self, name: str) -> bool:
        """See `Engine.exists`."""
        return os.path.isfile(self._roots[0] + name)

    def names(self, folder: str, *, recursive: bool) -> Iterator[str]:
        """See `Engine.names`."""
        try:
            yield from list_files(self._roots[0], folder, recursive=recursive)
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

    def remove_folders(self) -> None:
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

    def open(self) -> None:
        """See `Engine.open`."""
        if self._pool is None:
            self._pool = make_pool(self._plan)

    def settled(self, window: Window, now_ns: int) -> int:
        """See `Engine.settled`: lanes hand over when they come round; one that hangs keeps what it has."""
        held = (lane.held_interval() for lane in self._lanes)
        # A lane may have looked at the clock, and not yet counted: that takes it no second.
        return min([window.interval(now_ns - SECOND_NS), *(each for each in held if each is not None)])

    def run(self, load: Load) -> int:
        """See `Engine.run`."""
        assert self._pool is not None
        stop = threading.Event()
        self._lanes = lanes = [
            _Lane(self._roots, self._pool, load, stop, self._access()) for _ in range(self._plan["lanes"])
        ]
        before = threading.stack_size(_STACK_BYTES)
        try:
            for lane in lanes:
                lane.start()
            return self._oversee(lanes, load, stop)
        finally:
            threading.stack_size(before)
            stop.set()
            self._lanes = []

    def _access(self) -> _Access:
        """Return how one lane reads and writes files, with a buffer of its own."""
        if self._direct:
            pages = make_buffer(BUFFER_BYTES)
            fill = partial(write_blocks, buffer=pages)
            return partial(read_direct, buffer=pages), partial(self._maker.make, fill=fill, flags=O_DIRECT)
        write = partial(self._maker.make, fill=write_chunks)
        read = partial(read_file, buffer=make_buffer(_BUFFER_BYTES))
        return partial(read, advice=self._advice) if self._advice else read, write

    @staticmethod
    def _oversee(lanes: list[_Lane], load: Load, stop: threading.Event) -> int:
        stopped_ns = 0
        while working := [lane for lane in lanes if lane.is_alive()]:
            working[0].join(_CHECK_S)
            now = monotonic_ns()
            if load.control.check(now) and not stopped_ns:
                stopped_ns = now
                stop.set()
            load.health.look(now, [0] * len(load.health.worked), lambda _endpoint: 0)
            if load.health.gave_up:
                stop.set()
            if stopped_ns and now - stopped_ns > _GRACE_NS:
                break
        for lane in working:
            lane.leave_behind()
        for lane in lanes:
            if lane.failure is not None:
                raise lane.failure
        return len(working)

    def close(self) -> None:
        """Remove what a stop left unfinished; files are open only during an operation."""
        self._maker.remove_unfinished()


class _Lane(threading.Thread):
    """One operation after another, until there is none left."""

    def __init__(
        self, roots: list[str], pool: Pool, load: Load, stop: threading.Event, access: _Access
    ) -> None:
        super().__init__(daemon=True)
        self._roots = roots
        self._load = load
        self._stop_event = stop
        self._read, self._write = access
        self._payload = Payload(pool)
        self._recorder = Recorder(load.window, load.done)
        self.failure: Exception | None = None

    def run(self) -> None:
        """Work until nothing is left to do; ``failure`` is an error that is not the storage's."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 - raised again by the engine
            self.failure = error
            self._stop_event.set()
        self._recorder.flush()

    def held_interval(self) -> int | None:
        """See `Recorder.held_interval`."""
        return self._recorder.held_interval()

    def leave_behind(self) -> None:
        """Hand over what a lane that hangs in a system call has counted: it cannot do so itself."""
        self._recorder.flush()

    def _work(self) -> None:
        take, (acquire, release, _) = self._load.source.take, self._load.balancer
        health, worked = self._load.health, self._load.health.worked
        end_ns, stopped = self._load.window.end_ns, self._stop_event.is_set
        record, roots, endpoints = self._recorder.record, self._roots, len(self._roots)
        pacer, due = self._load.pacer, 0
        now = monotonic_ns()
        while now < end_ns and not stopped():
            if health.trouble and (hold_ns := health.wait_until(now)):
                now = self._sleep_until(hold_ns)
                continue
            if pacer is not None:
                due = pacer.take(now)
                if not self._await(pacer, due, now):
                    return
            task = take()
            if task is None:
                return
            attempt = 0
            while True:
                endpoint = acquire(task) if not health.trouble else health.route(task, now)
                step = 1
                if endpoint >= 0:
                    try:
                        size, began = self._perform(task, roots[endpoint])
                    except OSError as error:
                        release(endpoint, FAILED)
                        now = monotonic_ns()
                        delay_ns = self._failed(task, endpoint, now, attempt, error)
                    else:
                        now = worked[endpoint] = monotonic_ns()
                        release(endpoint, now - began)
                        base = series_base(task[0] & KIND_MASK, endpoint, endpoints)
                        record(base, now, now - began, size)
                        if due:
                            self._recorder.respond(base, size, now - due)
                        break
                elif endpoint == LEFT_OUT:
                    delay_ns = self._left_out(task, now, attempt)
                else:
                    delay_ns, step = max(health.wait_until(now) - now, _YIELD_NS), 0
                if delay_ns < 0:
                    break
                now = self._sleep_until(now + delay_ns)
                if now >= end_ns or stopped():
                    break
                attempt += step

    def _await(self, pacer: Pacer, due: int, now: int) -> bool:
        """Wait until an operation is due, and as long as the policy pauses; False when it is not to begin any more."""
        health, end_ns, stopped = self._load.health, self._load.window.end_ns, self._stop_event.is_set
        paused = waited = False
        while (until := max(due, health.wait_until(now))) > now and now < end_ns and not stopped():
            paused, waited = paused or until > due, True
            now = self._sleep_until(until)
        if now >= end_ns or stopped():
            pacer.miss(due, now)
            return False
        # After a pause it is not the generator that is late.
        if waited and not paused:
            pacer.began(due, now)
        return True

    def _perform(self, task: Task, root: str) -> tuple[int, int]:
        """Carry the operation out; return bytes moved and the instant at which it began."""
        op, key, size, shape, _ = task
        path = root + key
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
            for _ in list_files(root, key, recursive=True):
                pass
        return size, began

    def _verify(self, path: str, key: str, size: int, shape: Shape) -> int:
        check = Check(self._payload, key, size, shape)
        size = self._read(path, check=check)
        if problem := check.finish():
            raise WrongContentError(*problem)
        return size

    def _failed(self, task: Task, endpoint: int, now: int, attempt: int, error: OSError) -> int:
        """Count a failure; return the delay before the next attempt in ns, -1 for none."""
        kind, text = name_error(error)
        if kind == "missing" and not os.path.isdir(self._roots[endpoint]):
            kind, text = "no-folder", f"the folder {self._roots[endpoint]} is gone"
        policy = self._load.policy
        if policy.forgives(kind):
            return -1
        self._recorder.fail(task[0] & KIND_MASK, endpoint, now, kind, text)
        delay_ns = policy.failed(endpoint, now, attempt, (kind, text))
        if self._load.health.gave_up:
            # Others may be waiting for their next attempt.
            self._stop_event.set()
        return delay_ns

    def _left_out(self, task: Task, now: int, attempt: int) -> int:
        """Count an operation that cannot go to the only endpoint that has its object; returns as `_failed`."""
        endpoint = task[4]
        text = self._load.health.why_out(endpoint)
        self._recorder.fail(task[0] & KIND_MASK, endpoint, now, "left-out", text)
        return self._load.policy.retry(now, attempt)

    def _sleep_until(self, until_ns: int) -> int:
        """Sleep, but not beyond the end or a stop; return the time then."""
        until_ns = min(until_ns, self._load.window.end_ns)
        self._stop_event.wait(max(0, until_ns - monotonic_ns()) / 1e9)
        return monotonic_ns()
