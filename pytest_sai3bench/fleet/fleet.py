"""All agents of a run: opened, greeted, started together, listened to, and closed again."""

from __future__ import annotations

import json
import queue
from dataclasses import dataclass, field
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any, cast

from pytest_sai3bench.agent import PROTOCOL
from pytest_sai3bench.errors import AgentLostError, AgentStartError, PreflightError, RunError, StageError
from pytest_sai3bench.fleet.causes import describe_check, remedy_for
from pytest_sai3bench.fleet.clocks import ClockOffset, ClockSample, estimate_offset
from pytest_sai3bench.fleet.gateways import Gateway, Gateways
from pytest_sai3bench.results.merge import WorkerOutcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_sai3bench.agent.messages import Message, ResultWire, TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan

# An agent that said nothing for this long is lost; it says something every second.
SILENCE_S = 15.0
_HEARTBEAT_S = 1.0
_HELLO_S = 30.0
_PREFLIGHT_S = 90.0
_READY_S = 3600.0
_GOODBYE_S = 2.0
# What an agent says when it fails outside of a stage.
_ANY_STAGE = -1
# How long agents may take to send their results after they were told to stop.
_STOP_S = 5.0
_PINGS = 20
# From the order to the common start; it has to reach every agent before.
_START_DELAY_NS = 200_000_000


@dataclass
class _Member:
    """One worker and what is known of it."""

    plan: WorkerPlan
    gateway: Gateway
    hello: Message = field(default_factory=dict)
    clock: ClockOffset = field(default_factory=lambda: ClockOffset(0, 0))
    heard: float = field(default_factory=monotonic)
    gone: bool = False
    ticks: list[TickWire] = field(default_factory=list)

    @property
    def agent(self) -> str:
        return self.plan.agent


@dataclass(frozen=True)
class StageEnd:
    """What each worker measured in a stage, sentences about what went wrong, and the exception that ended it early."""

    outcomes: tuple[WorkerOutcome, ...] = ()
    troubles: tuple[str, ...] = ()
    interruption: BaseException | None = None


@dataclass
class _Progress:
    """What has arrived during a stage, by worker."""

    stage: int
    results: dict[str, ResultWire] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    stopping: bool = False

    def take(self, member: _Member, message: Message | None) -> None:
        key = member.gateway.key
        if message is None:
            if key not in self.results:
                self.troubles[key] = _describe_loss(member)
        elif message.get("stage") not in (self.stage, _ANY_STAGE):
            # An answer that came too late for its own stage.
            return
        elif message["type"] == "tick":
            member.ticks.append(cast("TickWire", message))
        elif message["type"] == "result":
            self.results[key] = cast("ResultWire", message)
            if message["outcome"] == "gave-up":
                self.troubles[key] = f"{member.agent} gave up after {message['reason']}"
        elif message["type"] == "failed":
            self.troubles[key] = _describe_failure(member, message)


class Fleet:
    """The workers of one run plan; `close` must be called, even when `open` failed.

    ``credentials`` are the fields of `agent.sigv4.Credentials`, or None for anonymous access.
    """

    def __init__(self, plan: RunPlan, credentials: Mapping[str, str | None] | None) -> None:
        self._plan = plan
        self._credentials = credentials
        self._arrived: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()
        self._gateways = Gateways(self._arrived.put)
        self._members: dict[str, _Member] = {}
        self._beat = 0.0

    @property
    def is_whole(self) -> bool:
        """True as long as all workers are there."""
        return bool(self._members) and not any(member.gone for member in self._members.values())

    def open(self) -> None:
        """Start and greet the workers, and let them check their endpoints; raises `RunError`."""
        try:
            for worker in self._plan.workers:
                key = f"{worker.agent}-w{worker.worker}"
                self._members[key] = _Member(worker, self._gateways.open(key))
            self._greet()
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Say goodbye and end every process."""
        self._send_all({"type": "bye"})
        try:
            self._gather({"bye"}, _GOODBYE_S, "goodbye", tolerant=True)
        finally:
            self._gateways.close()
            self._members.clear()

    def kill(self) -> None:
        """End every process at once."""
        self._members.clear()
        self._gateways.close()

    def run_stage(self, number: int, limit_s: float | None) -> StageEnd:
        """Run one stage on all workers, from getting ready to the last result.

        ``limit_s`` bounds the time from the start to the last result; without it a stage may take as long as it makes
        progress. Any exception of the main thread stops the load. Raises `StageError` when the stage cannot begin,
        `AgentLostError` when an agent is lost before.
        """
        try:
            self._make_ready(number)
        except RunError:
            raise
        except BaseException as error:  # noqa: BLE001 - goes on its way with the end of the stage
            self.abort()
            self._gather({"ready"}, _STOP_S, "the stage to stop", stage=number, tolerant=True)
            return StageEnd(interruption=error)
        progress = _Progress(number)
        interruption: BaseException | None = None
        try:
            self._start()
            self._collect(progress, limit_s)
        except BaseException as error:  # noqa: BLE001 - see above
            interruption = error
            self.abort()
            self._collect(progress, _STOP_S)
        self._send_all({"type": "ack"})
        outcomes = tuple(self._outcome(member, progress) for member in self._members.values())
        return StageEnd(outcomes, tuple(progress.troubles.values()), interruption)

    def rest(self, number: int, limit_s: float) -> None:
        """Wait until every worker has finished the delay after the stage."""
        self._gather({"rested"}, limit_s, "the rest after the stage", stage=number)

    def abort(self) -> None:
        """Ask every worker to stop its load; what it measured still comes as its result."""
        self._send_all({"type": "abort"})

    # Opening

    def _greet(self) -> None:
        self._send_all({"type": "hello"})

        def greeted(member: _Member, message: Message) -> None:
            member.hello = message

        failures = self._gather({"hello"}, _HELLO_S, "the agent's greeting", take=greeted)
        if failures:
            raise AgentStartError("\n".join(_describe_failure(m, f) for m, f in failures))
        for member in self._members.values():
            if member.hello["protocol"] != PROTOCOL:
                raise AgentStartError(
                    f"{member.agent} speaks protocol {member.hello['protocol']}, not {PROTOCOL}"
                )
        for member in self._members.values():
            member.clock = self._compare_clocks(member)

    def _compare_clocks(self, member: _Member) -> ClockOffset:
        samples: list[ClockSample] = []

        def answered(_member: _Member, message: Message) -> None:
            samples.append(ClockSample(sent_ns, message["now_ns"], monotonic_ns()))

        for number in range(_PINGS):
            sent_ns = monotonic_ns()
            self._send(member, {"type": "ping", "number": number})
            self._gather({"pong"}, _HELLO_S, "a clock sample", take=answered, members=[member])
        return estimate_offset(samples)

    def _check(self) -> None:
        for member in self._members.values():
            credentials = dict(self._credentials) if self._credentials else None
            self._send(member, {"type": "plan", "plan": member.plan.to_wire(), "credentials": credentials})
        problems: list[str] = []

        def checked(member: _Member, message: Message) -> None:
            for check in message["checks"]:
                if check["kind"]:
                    endpoint = member.plan.endpoints[check["endpoint"]]
                    problems.append(describe_check(member.agent, endpoint, check["kind"], check["detail"]))

        failures = self._gather({"preflight"}, _PREFLIGHT_S, "the check of the endpoints", take=checked)
        problems.extend(_describe_failure(member, failure) for member, failure in failures)
        if problems:
            raise PreflightError("\n".join(problems))

    # Running

    def _make_ready(self, number: int) -> None:
        self._send_all({"type": "stage", "stage": number})
        failures = self._gather({"ready"}, _READY_S, "the stage to be ready", stage=number)
        if failures:
            raise StageError("\n".join(_describe_failure(member, failure) for member, failure in failures))

    def _start(self) -> None:
        start_ns = monotonic_ns() + _START_DELAY_NS
        for member in self._members.values():
            member.ticks = []
            self._send(member, {"type": "start", "at_ns": member.clock.to_agent(start_ns)})

    def _collect(self, progress: _Progress, limit_s: float | None) -> None:
        """Wait until every worker has sent its result or is in trouble; trouble of one stops all."""
        deadline = None if limit_s is None else monotonic() + limit_s
        while waiting := [key for key in self._members if key not in progress.results | progress.troubles]:
            if deadline is not None and monotonic() > deadline:
                for key in waiting:
                    progress.troubles[key] = (
                        f"{self._members[key].agent} sent no result within {limit_s:.0f} s"
                    )
                break
            lost = [key for key in self._silent() if key in waiting]
            for key in lost:
                progress.troubles[key] = _describe_loss(self._members[key])
            arrived = self._next(0.2)
            if arrived is not None:
                progress.take(self._members[arrived[0]], arrived[1])
            if progress.troubles and not progress.stopping:
                progress.stopping = True
                self.abort()
                # From here on all are on their way to the end.
                deadline = min(monotonic() + _STOP_S, deadline or monotonic() + _STOP_S)

    def _outcome(self, member: _Member, progress: _Progress) -> WorkerOutcome:
        result = progress.results.get(member.gateway.key)
        return WorkerOutcome(
            agent=member.agent,
            worker=member.plan.worker,
            host=member.hello["host"],
            python=member.hello["python"],
            lanes=member.plan.lanes,
            clock_offset_ns=member.clock.offset_ns,
            clock_error_ns=member.clock.error_ns,
            endpoints=tuple(endpoint.uri for endpoint in member.plan.endpoints),
            result=result,
            ticks=tuple(member.ticks),
            lost_reason="" if result else progress.troubles.get(member.gateway.key, "no result"),
        )

    # Messages

    def _gather(
        self,
        kinds: set[str],
        limit_s: float,
        what: str,
        *,
        take: Callable[[_Member, Message], None] | None = None,
        members: list[_Member] | None = None,
        stage: int = _ANY_STAGE,
        tolerant: bool = False,
    ) -> list[tuple[_Member, Message]]:
        """Wait until each member has sent one message of ``kinds``, or has failed; return the failures.

        Messages of another stage than ``stage`` come too late and are ignored.

        Raises `AgentLostError` for a member that is gone or silent, unless ``tolerant``.
        """
        waiting = {member.gateway.key for member in members or self._members.values() if not member.gone}
        failures: list[tuple[_Member, Message]] = []
        deadline = monotonic() + limit_s
        while waiting:
            silent = set(self._silent()) & waiting
            if (silent or monotonic() > deadline) and tolerant:
                return failures
            if silent:
                raise AgentLostError("\n".join(_describe_loss(self._members[key]) for key in sorted(silent)))
            if monotonic() > deadline:
                names = ", ".join(sorted(self._members[key].agent for key in waiting))
                raise AgentLostError(f"waited {limit_s:.0f} s for {what} from {names}")
            arrived = self._next(0.2)
            if arrived is None:
                continue
            key, message = arrived
            if message is None:
                waiting.discard(key)
                if not tolerant:
                    raise AgentLostError(_describe_loss(self._members[key]))
            elif message.get("stage", stage) not in (stage, _ANY_STAGE):
                continue
            elif key in waiting and message["type"] in kinds:
                waiting.discard(key)
                if take:
                    take(self._members[key], message)
            elif key in waiting and message["type"] == "failed":
                waiting.discard(key)
                failures.append((self._members[key], message))
        return failures

    def _next(self, timeout_s: float) -> tuple[str, Message | None] | None:
        """Return the next message but signs of life, (key, None) for a process that ended, or None when time is up."""
        now = monotonic()
        if now - self._beat > _HEARTBEAT_S:
            self._beat = now
            self._send_all({"type": "alive"})
        try:
            key, text = self._arrived.get(timeout=timeout_s)
        except queue.Empty:
            return None
        member = self._members[key]
        member.heard = monotonic()
        if text is None:
            member.gone = True
            return key, None
        message: Message = json.loads(text)
        return None if message["type"] == "alive" else (key, message)

    def _silent(self) -> list[str]:
        now = monotonic()
        lost = [
            key for key, member in self._members.items() if not member.gone and now - member.heard > SILENCE_S
        ]
        # Our own standstill (a debugger, a suspended machine) is not theirs: first read what has arrived meanwhile.
        if lost and not self._arrived.empty():
            return []
        for key in lost:
            self._members[key].gone = True
        return lost

    def _send_all(self, message: Message) -> None:
        for member in self._members.values():
            self._send(member, message)

    def _send(self, member: _Member, message: dict[str, Any]) -> None:
        if member.gone:
            return
        try:
            member.gateway.send(json.dumps(message))
        except OSError:
            # The end of the process arrives as a message of its own and is dealt with there.
            member.gone = True


def _describe_loss(member: _Member) -> str:
    if member.hello:
        return (
            f"{member.agent} on {member.hello['host']} (process {member.hello['pid']}) ended or fell silent"
        )
    return f"{member.agent} ended before it said hello"


def _describe_failure(member: _Member, message: Message) -> str:
    remedy = remedy_for(message["kind"])
    return f"{member.agent}: {message['detail']}" + (f"\n  {remedy}" if remedy else "")
