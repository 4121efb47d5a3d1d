"""Lanes that are threads, for storage that is reached by calls which block."""

from __future__ import annotations

import math
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
    from .health import Health
    from .op_log import OpLog
    from .pacing import Pacer
    from .recorder import Window
    from .tasks import Task

# How an operation is performed, and how its success is counted.
Hands = tuple[Callable[["Task", int], tuple[int, int]], Callable[[int, int, int, int], None]]

_CHECK_S = 0.05
# A lane that waits longer tells what it has counted before.
_LONG_NS = 50_000_000
# After a stop, lanes that hang in a system call are left behind.
_GRACE_NS = 1_000_000_000


class Lanes:
    """The ``count`` lanes of one engine; ``stack_bytes`` is the stack of each, 0 for what is usual.

    A call that hangs cannot be taken back. While an endpoint is left out, lanes that hang there are replaced, so that the
    others keep their load; after the end they are waited for ``timeout_s``, if they are not at an ejected endpoint.
    """

    def __init__(self, count: int, *, stack_bytes: int = 0, timeout_s: float = math.inf) -> None:
        self.count = count
        self._stack_bytes = stack_bytes
        self._timeout_ns = timeout_s * SECOND_NS
        self._lanes: list[Lane] = []

    def run(self, make_lane: Callable[[threading.Event], Lane], load: Load) -> int:
        """Work until nothing is left to do; return the number of operations that a stop cut off.

        ``make_lane`` gets the event that tells a lane to end.
        """
        stop = threading.Event()
        self._lanes = [make_lane(stop) for _ in range(self.count)]
        before = threading.stack_size(self._stack_bytes)
        try:
            for lane in self._lanes:
                lane.start()
            return self._oversee(make_lane, load, stop)
        finally:
            threading.stack_size(before)
            stop.set()
            self._lanes = []

    def settled(self, window: Window, now_ns: int) -> int:
        """See `engine.Engine.settled`: lanes hand over when they come round; one that hangs keeps what it has."""
        held = (lane.held_interval() for lane in self._lanes)
        # A lane may have looked at the clock, and not yet counted: that takes it no second.
        return min([window.interval(now_ns - SECOND_NS), *(each for each in held if each is not None)])

    def _oversee(
        self, make_lane: Callable[[threading.Event], Lane], load: Load, stop: threading.Event
    ) -> int:
        stopped_ns = lent = 0
        end_ns, health = load.window.end_ns, load.health
        while working := [lane for lane in self._lanes if lane.is_alive()]:
            working[0].join(_CHECK_S)
            now = monotonic_ns()
            if load.control.check(now) and not stopped_ns:
                stopped_ns = now
                stop.set()
            _look(health, working, now)
            if health.gave_up:
                stop.set()
            stuck = _stuck(health, working, now)
            if stopped_ns and now - stopped_ns > _GRACE_NS:
                break
            if now < end_ns and not stop.is_set():
                going_on = [lane for lane in working if lane not in stuck and not lane.retired]
                for lane in going_on[: max(0, lent - len(stuck))]:
                    lane.retired = True
                more = [make_lane(stop) for _ in range(len(stuck) - lent)]
                for lane in more:
                    lane.start()
                working += more
                self._lanes += more
                lent = len(stuck)
            if len(stuck) == len(working) and self._are_hopeless(health, stuck, now):
                for lane in stuck:
                    lane.time_out(now)
                    # It has been counted, so it was not cut off.
                    working.remove(lane)
                break
        for lane in self._lanes:
            if lane.is_alive():
                lane.leave_behind()
            if lane.failure is not None:
                raise lane.failure
        return len(working)

    def _are_hopeless(self, health: Health, stuck: Sequence[Lane], now: int) -> bool:
        ejected = health.ejected()
        return all(ejected[lane.endpoint] or now - lane.began_ns > self._timeout_ns for lane in stuck)


def _look(health: Health, working: Sequence[Lane], now: int) -> None:
    oldest = [0] * len(health.worked)
    for lane in working:
        began_ns = lane.began_ns
        if began_ns and (not oldest[lane.endpoint] or began_ns < oldest[lane.endpoint]):
            oldest[lane.endpoint] = began_ns

    def moved(endpoint: int) -> int:
        return sum(lane.moved() for lane in working if lane.began_ns and lane.endpoint == endpoint)

    health.look(now, oldest, moved)


def _stuck(health: Health, working: Sequence[Lane], now: int) -> list[Lane]:
    """Return the lanes that hang at an endpoint which is left out."""
    if not health.trouble:
        return []
    silent, ejected, patience_ns = health.silent(), health.ejected(), health.rules.suspect_ns
    return [
        lane
        for lane in working
        if (silent[lane.endpoint] or ejected[lane.endpoint])
        and lane.began_ns
        and now - lane.began_ns > patience_ns
    ]


class Lane(threading.Thread):
    """One operation after another, until there is none left; each kind of storage has its own way to perform them.

    ``endpoint`` is the one of the last operation, and ``began_ns`` about when that was begun, 0 while the lane waits. One
    that is ``retired`` begins no more.
    """

    def __init__(self, load: Load, stop: threading.Event, endpoints: int) -> None:
        super().__init__(daemon=True)
        self._load = load
        self._stop_event = stop
        self._endpoints = endpoints
        self._recorder = Recorder(load.window, load.done)
        self._task: Task | None = None
        self.failure: Exception | None = None
        self.endpoint = 0
        self.began_ns = 0
        self.retired = False

    def perform(self, task: Task, endpoint: int) -> tuple[int, int]:
        """Carry an operation out; return bytes moved and the instant at which it began. Raises OSError."""
        raise NotImplementedError

    def name_error(self, error: OSError, endpoint: int) -> tuple[str, str]:
        """Return kind and text of what `perform` raised."""
        raise NotImplementedError

    def moved(self) -> int:
        """Return a number that changes while an operation goes on; what is not known may always go on."""
        return monotonic_ns()

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

    def time_out(self, now: int) -> None:
        """Count the operation in which the lane hangs as failed."""
        assert self._task is not None
        text = f"no end within {(now - self.began_ns) / SECOND_NS:.1f} s"
        self._recorder.fail(self._task[0] & KIND_MASK, self.endpoint, now, "timeout", text)

    def leave_behind(self) -> None:
        """Hand over what a lane that hangs in a system call has counted: it cannot do so itself."""
        self._recorder.flush()

    def _work(self) -> None:
        take, (acquire, release, _) = self._take(), self._load.balancer
        health, worked = self._load.health, self._load.health.worked
        end_ns, stopped = self._load.window.end_ns, self._stop_event.is_set
        perform, record = self._log_with(self._load.op_log) if self._load.op_log else self._hands()
        endpoints = self._endpoints
        pacer, due = self._load.pacer, 0
        now = monotonic_ns()
        while now < end_ns and not stopped() and not self.retired:
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
                    self._task, self.endpoint, self.began_ns = task, endpoint, now
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
                    delay_ns, step = health.again_at(now) - now, 0
                if delay_ns < 0:
                    break
                now = self._sleep_until(now + delay_ns)
                if now >= end_ns or stopped():
                    break
                attempt += step

    def _take(self) -> Callable[[], Task | None]:
        return self._load.source.take

    def _hands(self) -> Hands:
        return self.perform, self._recorder.record

    def _log_with(self, op_log: OpLog) -> Hands:
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
        if delay_ns < 0:
            policy.lose(task, kind)
        if self._load.health.gave_up:
            # Others may be waiting for their next attempt.
            self._stop_event.set()
        return delay_ns

    def _left_out(self, task: Task, now: int, attempt: int) -> int:
        """Count an operation that cannot go to the only endpoint that has its object; returns as `_failed`."""
        endpoint = task[4]
        text = self._load.health.why_out(endpoint)
        self._recorder.fail(task[0] & KIND_MASK, endpoint, now, "left-out", text)
        delay_ns = self._load.policy.retry(now, attempt)
        if delay_ns < 0:
            self._load.policy.lose(task, "left-out")
        return delay_ns

    def _sleep_until(self, until_ns: int) -> int:
        """Sleep, but not beyond the end or a stop; return the time then."""
        self.began_ns = 0
        wait_ns = max(0, min(until_ns, self._load.window.end_ns) - monotonic_ns())
        if wait_ns > _LONG_NS:
            # What it keeps meanwhile nobody would know.
            self._recorder.flush()
        self._stop_event.wait(wait_ns / 1e9)
        return monotonic_ns()
