"""All agents of a run: opened, greeted, started together, and closed again."""

from __future__ import annotations

from time import monotonic_ns, time_ns
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.agent import PROTOCOL
from pytest_sai3bench.errors import (
    AgentLostError,
    AgentStartError,
    PreflightError,
    StageError,
    ThresholdAbortError,
)
from pytest_sai3bench.fleet.barriers import StageBarrier
from pytest_sai3bench.fleet.capacity import find_lack_of_memory, find_lack_of_room
from pytest_sai3bench.fleet.causes import describe_check
from pytest_sai3bench.fleet.clocks import ClockOffset, ClockSample, estimate_offset, lead_ns
from pytest_sai3bench.fleet.members import Member, Members
from pytest_sai3bench.plan.confidential import Confidential
from pytest_sai3bench.results.merge import WorkerOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_sai3bench.fleet.observer import Observer
    from pytest_sai3bench.fleet.processes import HostPool
    from pytest_sai3bench.plan.model import HostPlan, RunPlan

_HELLO_S = 30.0
# Each imports the agent first, on a host whose cores are busy with all the others.
_HELLO_EACH_S = 0.5
# An agent checks its endpoints one by one and waits at most 40 s for each.
_CHECK_S = 45.0
_READY_S = 3600.0
_PINGS = 20
# How long a measured offset is good: clocks of two hosts may drift apart by 0.1 ms in a second.
_CLOCK_S = 10.0


class Fleet:
    """The workers of one run plan, from `open` to `close`.

    ``credentials`` are the fields of `agent.sigv4.Credentials`, or None for anonymous access; ``tls`` those of
    `agent.tls.TlsSettings`, or None where no endpoint needs it. ``observers`` hear how a stage goes, but for its end.
    ``pool`` keeps the hosts for another run.
    """

    def __init__(
        self,
        plan: RunPlan,
        credentials: Mapping[str, str | None] | None,
        tls: Mapping[str, Any] | None = None,
        observers: Sequence[Observer] = (),
        pool: HostPool | None = None,
    ) -> None:
        self._plan = plan
        self._credentials = Confidential(credentials) if credentials else None
        self._tls = Confidential(tls) if tls else None
        self._observers = observers
        self._members = Members(observers, pool)
        self._started = False
        self._compared_ns = 0
        self._number = 0
        self._told: set[str] = set()
        self.notes: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """True from `open` to `close`."""
        return len(self._members) > 0

    @property
    def is_whole(self) -> bool:
        """True from `open` to `close` as long as no worker is lost without which the run cannot go on."""
        return self.is_open and not any(member.loss and not member.bears_loss for member in self._members)

    @property
    def has_lost(self) -> bool:
        """Whether a worker is lost, with or without which the run can go on."""
        return any(member.loss for member in self._members)

    @property
    def borne_losses(self) -> tuple[str, ...]:
        """Why workers are lost without which the run goes on."""
        return tuple(member.loss for member in self._members if member.loss and member.bears_loss)

    def open(self) -> None:
        """Start and greet the workers, and let them check their endpoints; raises `RunError`."""
        try:
            self._members.open(self._plan.workers)
            self._greet()
            self._members.begun()
            self._compare_clocks()
            self._raise_for_trouble()
            self._check()
        except BaseException:
            self.close()
            raise

    def close(self, *, at_once: bool = False) -> None:
        """End every process, ``at_once`` without a goodbye; may be called again."""
        self._members.close(at_once=at_once)

    def run_stage(self, number: int, limit_s: float, *, renewed_by_ticks: bool) -> tuple[str, ...]:
        """Run one stage on all workers, from getting ready to the rest after it; `outcomes` tells what they measured.

        ``limit_s`` bounds the time from the start to the end, or between two ticks. When fewer agents are well than the
        barrier of the stage asks for, all stop; the loss of one may be borne anyway, but not in prepare: what it was to
        make would be missed. Raises `StageError`, `AgentLostError` when a worker is lost, or `ThresholdAbortError` when
        an observer objects. Returns what is new of those whom the barrier left behind.
        """
        stage, members = self._plan.workers[0].stages[number], self._members
        barrier = StageBarrier(stage, members)
        bears_loss = self._plan.lost_agent == "continue" and stage.kind != "prepare"
        self._started, self._number = False, number
        for member in members:
            member.begin(number, bears_loss=bears_loss)
            members.ask(member, {"type": "stage", "stage": number}, "ready")
        members.wait(_READY_S, "did not get ready", ends=barrier.ends_by_loss)
        prefix = f"{stage.name}: " if stage.name else ""
        barrier.require(prefix)
        if lack := list(find_lack_of_room(members)):
            raise StageError(prefix + "\n".join(lack))
        if monotonic_ns() - self._compared_ns > _CLOCK_S * 1e9:
            self._compare_clocks()
            barrier.require(prefix)
        self._started = True
        epoch_ns = time_ns() - monotonic_ns()
        start_ns = monotonic_ns() + lead_ns([member.clock for member in members])
        for member in members:
            member.start_s = start_ns / 1e9
            clock = member.clock
            start = {
                "type": "start",
                "at_ns": clock.to_agent(start_ns),
                "epoch_ns": epoch_ns - clock.offset_ns,
            }
            if not member.trouble:
                members.ask(member, start, "rested")
        for observer in self._observers:
            observer.began(number, start_ns)
            for member in members:
                if member.loss or member.trouble:
                    observer.settled(member.plan, None)
        members.wait(
            limit_s,
            "did not finish",
            renewed_by_ticks=renewed_by_ticks,
            ends=lambda: barrier.ends_by_trouble() or self._objections,
        )
        members.tell({"type": "ack"})
        barrier.require(f"{stage.label}: ")
        # What is objected to when all have ended by themselves is found in the results.
        if any(member.result and member.result["outcome"] == "aborted" for member in members):
            self._raise_for_objection()
        news = [text for text in members.troubles if text not in self._told]
        self._told.update(news)
        return tuple(
            f"{stage.label}: {text}\n(its barrier is {stage.barrier}: the run went on)" for text in news
        )

    @property
    def _objections(self) -> list[str]:
        return [text for observer in self._observers if (text := observer.objection())]

    def _raise_for_objection(self) -> None:
        if objections := self._objections:
            raise ThresholdAbortError("\n".join(objections))

    def stop(self) -> None:
        """Let every worker end its load; returns when they have, soon."""
        self._members.stop()

    def outcomes(self) -> tuple[WorkerOutcome, ...]:
        """Return what each worker measured in the last stage, as far as it came; nothing when it did not start."""
        epoch_ns = time_ns() - monotonic_ns()
        if not self._started:
            return ()
        return tuple(_outcome(member, self._number, epoch_ns) for member in self._members)

    def _greet(self) -> None:
        for member in self._members:
            self._members.ask(member, {"type": "hello"}, "hello")
        self._members.wait(_HELLO_S + _HELLO_EACH_S * len(self._members), "did not answer")
        if self._members.troubles:
            raise AgentStartError("\n".join(self._members.troubles))
        for member in self._members:
            member.hello = member.answer
            if member.hello["protocol"] != PROTOCOL:
                raise AgentStartError(
                    f"{member.plan.agent} speaks protocol {member.hello['protocol']}, this version {PROTOCOL}",
                    remedy="Install pytest-sai3bench anew.",
                )
        if lack := list(find_lack_of_memory(self._members)):
            raise PreflightError("\n".join(lack))

    def _compare_clocks(self) -> None:
        """Measure the clock of every host; its processes share it."""
        clocks: dict[HostPlan, ClockOffset] = {}
        for member in self._members:
            host = member.plan.host
            if host not in clocks and (clock := self._compare_clock(member)):
                clocks[host] = clock
            member.clock = clocks.get(host, member.clock)
        self._compared_ns = monotonic_ns()

    def _compare_clock(self, member: Member) -> ClockOffset | None:
        samples: list[ClockSample] = []
        for number in range(_PINGS):
            sent_ns = monotonic_ns()
            self._members.ask(member, {"type": "ping", "number": number}, "pong")
            self._members.wait(_HELLO_S, "did not answer")
            received_ns = monotonic_ns()
            if member.loss:
                return None
            samples.append(ClockSample(sent_ns, member.answer["now_ns"], received_ns))
        return estimate_offset(samples)

    def _check(self) -> None:
        for member in self._members:
            plan = {
                "type": "plan",
                "plan": member.plan.to_wire(),
                "credentials": self._credentials,
                **({"tls": self._tls} if self._tls else {}),
            }
            self._members.ask(member, plan, "preflight")
        endpoints = max(len(worker.endpoints) for worker in self._plan.workers)
        self._members.wait(endpoints * _CHECK_S, "did not check its endpoints")
        self._raise_for_trouble()
        checks = [
            (member.plan.agent, member.plan.endpoints[check["endpoint"]], check["kind"], check["detail"])
            for member in self._members
            for check in member.answer["checks"]
        ]
        problems = [describe_check(*check) for check in checks if check[2]]
        if problems:
            raise PreflightError("\n".join(dict.fromkeys(problems)))
        notes = [f"{endpoint.uri}: {detail}" for _, endpoint, _, detail in checks if detail]
        self.notes = tuple(dict.fromkeys(notes))

    def _raise_for_trouble(self) -> None:
        if troubles := self._members.troubles:
            raise (StageError if self.is_whole else AgentLostError)("\n".join(troubles))


def _outcome(member: Member, stage: int, epoch_ns: int) -> WorkerOutcome:
    return WorkerOutcome(
        agent=member.plan.agent,
        worker=member.plan.worker,
        host=member.hello["host"],
        python=member.hello["python"],
        lanes=member.plan.stages[stage].lanes or member.plan.lanes,
        clock_offset_ns=member.clock.offset_ns,
        clock_error_ns=member.clock.error_ns,
        endpoints=tuple(endpoint.uri for endpoint in member.plan.endpoints),
        result=member.result,
        ticks=member.ticks,
        lost_reason="" if member.result else member.loss or member.trouble or "no result",
        epoch_ns=epoch_ns,
    )
