"""Lanes that are threads, for storage that is reached by calls which block."""

from __future__ import annotations

import threading
from time import monotonic_ns
from typing import TYPE_CHECKING, Callable

from .balance import FAILED
from .health import LEFT_OUT
from .messages import KIND_MASK
from .recorder import SECOND_NS, Recorder, series_base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine import Load
    from .op_log import OpLog
    from .pacing import Pacer
    from .recorder import Window
    from .sources import Task

# How an operation is performed, and how its success is counted.
_Hands = tuple[Callable[["Task", int], tuple[int, int]], Callable[[int, int, int, int], None]]

_CHECK_S = 0.05
# A lane that finds no endpoint in use asks again after this time at the earliest.
_YIELD_NS = 1_000_000
# After a stop, lanes that hang in a system call are left behind.
_GRACE_NS = 1_000_000_000


class Lanes:
    """The lanes of one engine; ``stack_bytes`` is the stack of each, 0 for what is usual."""

    def __init__(self, count: int, *, stack_bytes: int = 0) -> None:
        self._count = count
        self._stack_bytes = stack_bytes
        self._lanes: Sequence[Lane] = ()

    def run(self, make_lane: Callable[[threading.Event], Lane], load: Load) -> int:
        """Work until nothing is left to do; return the number of operations that a stop cut off.

        ``make_lane`` gets the event that tells a lane to end.
        """
        stop = threading.Event()
        self._lanes = lanes = [make_lane(stop) for _ in range(self._count)]
        before = threading.stack_size(self._stack_bytes)
        try:
            for lane in lanes:
                lane.start()
            return _oversee(lanes, load, stop)
        finally:
            threading.stack_size(before)
            stop.set()
            self._lanes = ()

    def settled(self, window: Window, now_ns: int) -> int:
        """See `engine.Engine.settled`: lanes hand over when they come round; one that hangs keeps what it has."""
        held = (lane.held_interval() for lane in self._lanes)
        # A lane may have looked at the clock, and not yet counted: that takes it no second.
        return min([window.interval(now_ns - SECOND_NS), *(each for each in held if each is not None)])


def _oversee(lanes: Sequence[Lane], load: Load, stop: threading.Event) -> int:
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


class Lane(threading.Thread):
    """One operation after another, until there is none left; each kind of storage has its own way to perform them."""

    def __init__(self, load: Load, stop: threading.Event, endpoints: int) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._stop_event = stop
        self._endpoints = endpoints
        self._recorder = Recorder(load.window, load.done)
        self.failure: Exception | None = None

    def perform(self, task: Task, endpoint: int) -> tuple[int, int]:
        """Carry an operation out; return bytes moved and the instant at which it began. Raises OSError."""
        raise NotImplementedError

    def name_error(self, error: OSError, endpoint: int) -> tuple[str, str]:
        """Return kind and text of what `perform` raised."""
        raise NotImplementedError

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
        perform, record = self._log_with(self._load.op_log) if self._load.op_log else self._hands()
        endpoints = self._endpoints
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
                        size, began = perform(task, endpoint)
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

    def _hands(self) -> _Hands:
        return self.perform, self._recorder.record

    def _log_with(self, op_log: OpLog) -> _Hands:
        """Return what performs and records an operation, with notes in the log: none of that is in its latency."""
        note, thread = op_log.add, threading.get_native_id()
        perform, record = self._hands()
        last: list[tuple[Task, int]] = []

        def perform_noted(task: Task, endpoint: int) -> tuple[int, int]:
            last[:] = [(task, endpoint)]
            began_ns = monotonic_ns()
            try:
                return perform(task, endpoint)
            except OSError as error:
                now, op, text = (
                    monotonic_ns(),
                    task[0] & KIND_MASK,
                    ": ".join(self.name_error(error, endpoint)),
                )
                note(thread, op, endpoint, task[1], 0, began_ns, 0, now, 0, text)
                raise

        def record_noted(base: int, now_ns: int, latency_ns: int, size_bytes: int) -> None:
            record(base, now_ns, latency_ns, size_bytes)
            task, endpoint = last[0]
            op, began_ns = task[0] & KIND_MASK, now_ns - latency_ns
            note(thread, op, endpoint, task[1], size_bytes, began_ns, 0, now_ns, 1, "")

        return perform_noted, record_noted

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

    def _failed(self, task: Task, endpoint: int, now: int, attempt: int, error: OSError) -> int:
        """Count a failure; return the delay before the next attempt in ns, -1 for none."""
        kind, text = self.name_error(error, endpoint)
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
