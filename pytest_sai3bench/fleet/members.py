"""The workers of a run as their controller sees them: what they were asked, what they owe, and who is lost.

Every exchange is a question and its answer. Nothing is in flight from a worker that owes no answer but signs of life,
so no answer can be taken for that of a later question.
"""

from __future__ import annotations

import json
import math
import queue
import threading
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass, field
from time import localtime, monotonic, sleep, strftime, time
from typing import TYPE_CHECKING, cast

from pytest_sai3bench.fleet.causes import describe_failure, remedy_for
from pytest_sai3bench.fleet.clocks import ClockOffset
from pytest_sai3bench.fleet.processes import Processes
from pytest_sai3bench.results.sums import Reporter
from pytest_sai3bench.results.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pytest_sai3bench.agent.messages import Message, ResultWire, TickWire
    from pytest_sai3bench.fleet.gateways import Gateway
    from pytest_sai3bench.fleet.observer import Observer
    from pytest_sai3bench.fleet.processes import HostPool
    from pytest_sai3bench.plan.model import WorkerPlan

# A worker that said nothing for this long is lost; it says something every second.
SILENCE_S = 15.0
# What a worker calls its stage when it fails outside of one.
NO_STAGE = -1
_HEARTBEAT_S = 1.0
_POLL_S = 0.2
# To look at all workers after each message of each of them would cost their number squared: of more than a few the
# messages are taken together that come within a time, so that looking takes some hundredths of it.
_FEW = 16
_TOGETHER_EACH_S = 20e-6
_GOODBYE_S = 2.0
# How long workers may take to come to rest after they were told to stop.
_STOP_S = 5.0


@dataclass(eq=False)
class Member:
    """One worker, and what is known of it.

    ``owes`` is the type of the answer it still has to give. ``failure`` is what it answered instead; ``loss`` says why
    it takes no part in the run any more, which is no trouble where the stage ``bears_loss``, and ``has_ended`` that its
    process, or the way there, is gone. ``ticks`` and ``result`` belong to the stage ``stage``, whose load begins at
    ``start_s`` of this host's monotonic clock, None before that is ordered. It was ``heard_s`` that something came from it.
    """

    plan: WorkerPlan
    gateway: Gateway
    hello: Message = field(default_factory=dict)
    clock: ClockOffset = field(default_factory=lambda: ClockOffset(0, 0))
    owes: str = ""
    answer: Message = field(default_factory=dict)
    failure: Message | None = None
    loss: str = ""
    bears_loss: bool = False
    has_ended: bool = False
    heard_s: float = field(init=False)
    silent_s: float = 0.0
    stage: int = NO_STAGE
    start_s: float | None = None
    ticks: Ticks = field(init=False)
    result: ResultWire | None = None

    def __post_init__(self) -> None:
        self.heard_s = monotonic()
        self.begin(NO_STAGE)

    @property
    def trouble(self) -> str:
        """What keeps this worker from going on, in words; empty when it is well."""
        if self.loss:
            return "" if self.bears_loss else self.loss
        if self.failure is not None and self.failure["kind"] != "aborted":
            return describe_failure(self.plan.agent, self.failure)
        if self.result is not None and self.result["outcome"] == "gave-up":
            return f"{self.plan.agent} gave up after {self.result['reason']}"
        if self.result is not None and self.result["outcome"] == "failed":
            return f"{self.plan.agent}: {self.result['reason']}"
        return ""

    @property
    def place(self) -> str:
        """Where it runs, as the suite names the host and as the host names itself; empty before it said hello."""
        if not self.hello:
            return ""
        host, process = self.hello["host"], f"process {self.hello['pid']}"
        address = self.plan.address
        return f" on {host} ({process})" if self.plan.host.is_here else f" on {address} ({host}, {process})"

    def begin(self, stage: int, *, bears_loss: bool = False) -> None:
        """Forget the stage before."""
        self.stage = stage
        self.bears_loss = bears_loss
        self.start_s = None
        endpoints = tuple(endpoint.uri for endpoint in self.plan.endpoints)
        self.ticks = Ticks(Reporter(self.plan.agent, endpoints))
        self.result = None
        self.failure = None


class Members:
    """All workers of a run from `open` to `close`, in the order of its plan; ``observers`` hear of every tick."""

    def __init__(self, observers: Sequence[Observer] = (), pool: HostPool | None = None) -> None:
        self._observers = observers
        self._arrived: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._processes = Processes(self._arrived.put, pool)
        self._members: dict[str, Member] = {}
        self._listened = monotonic()
        self._ticked = -math.inf
        self._over = threading.Event()

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._members.values()))

    @property
    def troubles(self) -> list[str]:
        """What keeps workers from going on, in words."""
        # Processes of one agent fail alike.
        return list(dict.fromkeys(member.trouble for member in self if member.trouble))

    def open(self, plans: Iterable[WorkerPlan]) -> None:
        """Start a process for each worker; raises `AgentStartError`."""
        # In a thread of its own: a debugger that stops this program must not make the workers leave.
        threading.Thread(target=self._beat, daemon=True).start()
        by_key = {f"{plan.agent}-w{plan.worker}": plan for plan in plans}
        opened = self._processes.open(by_key)
        self._members |= {key: Member(plan, opened[key]) for key, plan in by_key.items()}

    def begun(self) -> None:
        """Note that all workers run what they were sent."""
        self._processes.begun()

    def ask(self, member: Member, message: Message, answer: str) -> None:
        """Send a message that is to be answered by one of the type ``answer``."""
        if not member.loss:
            member.owes = answer
            _send(member, message)

    def tell(self, message: Message) -> None:
        """Send a message that needs no answer to all."""
        for member in self:
            _send(member, message)

    def wait(
        self,
        limit_s: float,
        lateness: str,
        *,
        renewed_by_ticks: bool = False,
        ends: Callable[[], object] = lambda: False,
    ) -> None:
        """Return when nobody owes an answer any more.

        A worker that is late (``lateness`` says what it did not do), silent or gone is lost. The limit may be renewed by
        every tick. As soon as ``ends`` is true, all are told to stop.
        """
        deadline = monotonic() + limit_s
        while owing := [member for member in self if member.owes]:
            if ends():
                self.stop()
                return
            if monotonic() > (max(deadline, self._ticked + limit_s) if renewed_by_ticks else deadline):
                for member in owing:
                    self._lose(member, f"{lateness} within {limit_s:.0f} s")
            self._listen(len(owing) * _TOGETHER_EACH_S if len(owing) > _FEW else 0.0)

    def stop(self) -> None:
        """Let every worker end what it does, and wait until all have; what they measured still arrives."""
        for member in self:
            if member.owes:
                _send(member, {"type": "abort"})
        self.wait(_STOP_S, "did not stop")

    def close(self, *, at_once: bool = False) -> None:
        """Say goodbye, unless it has to be ``at_once``, and end every process; may be called again."""
        try:
            if not at_once:
                for member in self:
                    self.ask(member, {"type": "bye"}, "bye")
                self.wait(_GOODBYE_S, "did not say goodbye")
        finally:
            self._over.set()
            mute = [key for key, member in self._members.items() if member.loss and not member.has_ended]
            self._members.clear()
            self._processes.close(at_once=at_once, mute=mute)

    def _beat(self) -> None:
        while not self._over.wait(_HEARTBEAT_S):
            self.tell({"type": "alive"})

    def _listen(self, together_s: float = 0.0) -> None:
        """Take the next message, if one arrives soon, and see who has been silent for too long.

        Those that come within ``together_s`` after it are taken with it.
        """
        try:
            key, text = self._arrived.get(timeout=_POLL_S)
        except queue.Empty:
            key, text = "", None
        # Only the time spent listening counts: what was said while this program stood still has yet to be read.
        now = monotonic()
        step_s, self._listened = min(now - self._listened, 2 * _POLL_S), now
        for member in self:
            member.silent_s += step_s
        self._hear(key, text, now)
        if together_s and key:
            sleep(together_s)
            for _ in range(self._arrived.qsize()):
                self._hear(*self._arrived.get(), now)
        for member in self:
            if member.silent_s > SILENCE_S:
                since = _moment(member, member.heard_s)
                self._lose(member, f"fell silent {since}: nothing was heard of it for {SILENCE_S:.0f} s")
        for observer in self._observers:
            observer.pulse()

    def _hear(self, key: str, text: str | None, now: float) -> None:
        speaker = self._members.get(key)
        if speaker is not None:
            speaker.silent_s, speaker.heard_s = 0.0, now
            self._take(speaker, text)

    def _take(self, member: Member, text: str | None) -> None:
        if text is None:
            member.has_ended = True
            event = f"ended {_moment(member, monotonic())}" if member.hello else "ended before it said hello"
            if cause := member.gateway.failure():
                event += f":\n{cause.rstrip()}\n  {remedy_for('internal')}"
            elif news := member.gateway.farewell():
                event += f": {news}"
            self._lose(member, event)
            return
        message: Message = json.loads(text)
        kind = message["type"]
        if message.get("stage", member.stage) not in (member.stage, NO_STAGE):
            # It had been given up when it came.
            return
        if kind == "tick":
            self._ticked = monotonic()
            tick = cast("TickWire", message)
            member.ticks.add(tick)
            for observer in self._observers:
                observer.ticked(member.plan, tick)
        elif kind == "settled":
            # Afterwards there is only the rest.
            if member.result is None:
                self._settle(member, message["interval"])
        elif kind == "result":
            member.result = cast("ResultWire", message)
            self._settle(member, None)
        elif kind == "op_log":
            piece = b64decode(message["piece"])
            for observer in self._observers:
                observer.logged(member.plan.agent, piece)
            _send(member, {"type": "taken"})
        elif kind == "alive" and message.get("host_cpu"):
            for observer in self._observers:
                observer.counted_cpu(member.plan.agent, message["host_cpu"])
        elif member.owes and kind in (member.owes, "failed"):
            member.owes = ""
            member.answer = message
            if kind == "failed":
                member.failure = message

    def _settle(self, member: Member, interval: int | None) -> None:
        for observer in self._observers:
            observer.settled(member.plan, interval)

    def _lose(self, member: Member, event: str) -> None:
        member.owes = ""
        if not member.loss:
            self._settle(member, None)
            member.loss = f"{member.plan.title}{member.place} {event}"
            if all(other.loss for other in self):
                # Nobody is left to go on.
                for other in self:
                    other.bears_loss = False


def _moment(member: Member, now_s: float) -> str:
    """Return an instant of the monotonic clock as the time of day here, and as the time of load before it."""
    text = strftime("at %H:%M:%S", localtime(time() - monotonic() + now_s))
    if member.start_s is None:
        return text
    return f"{text}, {max(0.0, now_s - member.start_s):.1f} s after the start"


def _send(member: Member, message: Message) -> None:
    # The end of a process arrives as a message of its own and is dealt with there.
    with suppress(OSError):
        member.gateway.send(json.dumps(message))
