"""One worker's way through the stages of its plan: what each stage needs, does and leaves behind."""

from __future__ import annotations

import gc
import resource
from random import Random
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from .balance import PLACED, make_balancer
from .boto3_engine import Boto3Engine
from .commands import run_command
from .crowding import bounded
from .engine import Load
from .failures import make_rules
from .file_engine import FileEngine
from .health import Health
from .own_objects import AtMost, Turns
from .pacing import Pacer, make_schedule
from .placement import make_placement
from .policy import ErrorPolicy
from .recorder import NEVER_NS, Totals, Window
from .resolution import StageFailed
from .s3_client import RequestFailed
from .s3_engine import S3Engine
from .second_pass import Again, rules_for, tries_for
from .stage_sources import StageSources
from .watch import Watch

if TYPE_CHECKING:
    from collections import deque

    from .engine import Control, Engine, Source
    from .messages import CheckWire, ResultWire, RoomWire
    from .op_log import OpLog
    from .recorder import Segment
    from .sigv4 import Credentials
    from .tls import TlsSettings

# Of a stage that has not begun everything is still to come.
_NOT_BEGUN = Window(NEVER_NS, NEVER_NS, NEVER_NS)
# How long the last lines of a log of operations may take.
_LOG_S = 3.0
# Operations that need storage which can be written.
_WRITING = ("put", "delete", "mkdir", "rmdir")
# What stages do that make no load.
NOTHING = Turns([])


class Prepared(NamedTuple):
    """A stage that is ready to start; ``number`` is its place in the plan, ``room`` what it needs of file systems."""

    number: int
    stage: dict[str, Any]
    source: Source
    room: list[RoomWire]


class Worker:
    """Carries a plan out, stage by stage."""

    def __init__(
        self,
        plan: dict[str, Any],
        credentials: Credentials | None,
        tls: TlsSettings | None = None,
        op_log: OpLog | None = None,
    ) -> None:
        self.plan = plan
        self._op_log = op_log
        self._rng = Random(plan["seed"])  # noqa: S311 - repeatable on purpose
        # Apart from the other: how fast operations are drawn must not change the instants.
        self._pace_rng = Random(f"{plan['seed']}/rate")  # noqa: S311 - repeatable on purpose
        self.engine = _make_engine(plan, credentials, tls)
        self._placement = make_placement(plan)
        self._sources = StageSources(plan, self.engine, self._placement, self._rng)
        self._cleaned = False
        self._window = _NOT_BEGUN

    def check(self) -> list[CheckWire]:
        """Try this worker's endpoints."""
        writes = any(
            (stage["kind"] == "prepare" and stage["create"])
            or any(each["op"] in _WRITING and each["weight"] for each in stage["operations"])
            for stage in self.plan["stages"]
        )
        return self.engine.check(write=writes)

    def prepare(self, index: int, breathe: Callable[[], None]) -> Prepared:
        """Get stage ``index`` ready; raises `StageFailed` when it cannot begin."""
        stage = self.plan["stages"][index]
        self._window = _NOT_BEGUN
        room: list[RoomWire] = []
        try:
            if stage["kind"] == "prepare":
                source: Source
                source, room = self._sources.missing(stage, breathe)
            elif stage["kind"] == "workload":
                source = self._sources.workload(stage, breathe)
                if stage["most_ops"] is not None:
                    source = AtMost(source, stage["most_ops"])
            elif stage["kind"] == "cleanup":
                source = self._sources.removals(stage, breathe)
            else:
                source = NOTHING
                if stage["kind"] == "validation":
                    self._validate()
            if source is not NOTHING:
                self.engine.open(stage["lanes"])
        except RequestFailed as failure:
            raise StageFailed(failure.kind, failure.detail) from failure
        gc.collect()
        return Prepared(index, stage, source, room)

    def _validate(self) -> None:
        """Try the endpoints again; raises `StageFailed` with all that cannot be used."""
        failed = [check for check in self.check() if check["kind"]]
        if failed:
            uris = [endpoint["uri"] for endpoint in self.plan["endpoints"]]
            text = "\n".join(f"cannot use {uris[check['endpoint']]}: {check['detail']}" for check in failed)
            raise StageFailed(failed[0]["kind"], text, failed[0]["endpoint"])

    def run(
        self, prepared: Prepared, start_ns: int, control: Control, done: deque[Segment], totals: Totals
    ) -> ResultWire:
        """Run a stage from ``start_ns`` on and return what it measured; ``totals`` is filled by the control."""
        stage = prepared.stage
        workload = stage["kind"] == "workload"
        measured_ns = start_ns + int(stage["warmup_s"] * 1e9)
        end_ns = measured_ns + int(stage["duration_s"] * 1e9) if workload else NEVER_NS
        self._window = window = Window(start_ns, measured_ns, end_ns, self.plan["interval_ns"])
        endpoints = len(self.plan["endpoints"])
        strategy = PLACED if self._placement.decides(stage["kind"]) else self.plan["strategy"]
        balancer = make_balancer(
            strategy,
            endpoints,
            self.plan["worker"],
            threads=self.engine.threads,
            weights=self.plan["weights"],
            seed=self.plan["seed"],
        )
        if self.plan["connections"] and not self.engine.threads:
            balancer = bounded(balancer, strategy, endpoints, self.plan["connections"])
        health = Health(
            make_rules(self.plan["endpoint_rules"]),
            balancer,
            endpoints,
            start_ns,
            calls_block=self.engine.threads,
            # Prepare and cleanup are to be complete, the workload is to keep its load.
            waits_for_pauses=not workload,
        )
        policy = ErrorPolicy(
            self.plan["errors"],
            self._rng,
            health,
            forgiven=self._sources.forgiven(stage),
            # Pauses spare a storage under load; what is to be removed is removed.
            pauses=stage["kind"] != "cleanup",
            keeps_lost=stage["kind"] == "prepare",
        )
        rate = stage["rate"]
        pacer = Pacer(make_schedule(rate, start_ns, self._pace_rng), window) if rate else None
        watch = Watch(control, window)
        # No cycles are made on the hot path; a collection in the middle of a run would show up as latency.
        gc.disable()
        cpu_s, started_ns = _cpu_s(), monotonic_ns()
        try:
            # A stop that came before the start leaves nothing to do.
            stopped = control.check(started_ns)
            load = Load(prepared.source, window, done, balancer, policy, health, watch, pacer, self._op_log)
            idle = stopped or prepared.source is NOTHING
            cut_off = 0 if idle else self.engine.run(load)
            left_behind = [] if idle else [*self.engine.left_behind]
            retries = policy.retries
            notes: list[str] = []
            if not idle and not health.gave_up and not control.check(monotonic_ns()):
                more, notes = self._try_again(prepared, load, policy)
                retries += more
                left_behind += self.engine.left_behind if more else ()
            # The processes of an agent are on one host.
            runs = bool(stage["command"]) and not stopped and not self.plan["process"]
            failure = run_command(stage["command"], watch) if runs else ""
        finally:
            gc.enable()
        ended_ns, cpu_s = monotonic_ns(), _cpu_s() - cpu_s
        stopped = control.check(ended_ns)
        if pacer:
            pacer.close(ended_ns)
        if stage["kind"] == "cleanup" and not stopped:
            self._cleaned = True
            self._sources.removed()
        notes += [*getattr(prepared.source, "notes", ()), *self._sources.notes()]
        if self._op_log is not None:
            notes += self._op_log.finish(_LOG_S)
        if cut_off:
            notes.append(f"{cut_off} operations were cut off by the stop")
        if left_behind:
            notes.append(
                f"{len(left_behind)} multipart uploads may be left behind; the first: {left_behind[0]}"
            )
        if health.outages.uncounted:
            notes.append(f"{health.outages.uncounted} more times an endpoint was left out are not listed")
        outcome = "completed"
        if health.gave_up:
            outcome = "gave-up"
        elif failure:
            outcome = "failed"
        elif stopped:
            outcome = "aborted"
        elif workload and ended_ns < end_ns and stage["most_ops"] is None:
            outcome = "exhausted"
        return {
            "type": "result",
            "stage": prepared.number,
            "outcome": outcome,
            "reason": health.gave_up or failure,
            "planned_start_ns": start_ns,
            "started_ns": started_ns,
            "ended_ns": ended_ns,
            "window_ns": [min(measured_ns, ended_ns), min(end_ns, ended_ns)],
            "sections": totals.sections_wire(),
            "errors": totals.errors_wire(),
            "retries": retries,
            "outages": health.outages.to_wire(),
            "cpu_s": cpu_s,
            "cpu_cores": self.engine.cpu_cores,
            "max_rss_bytes": _peak_memory(),
            "read_sink": self.engine.read_sink,
            "engine": self.plan["engine"],
            "notes": notes,
            "pacing": pacer.to_wire() if pacer else None,
            "cpu_share": watch.cpu_share,
            "longest_pause_ns": watch.longest_pause_ns,
            "contacts": [] if prepared.source is NOTHING else self.engine.contacts(),
        }

    def _try_again(self, prepared: Prepared, load: Load, policy: ErrorPolicy) -> tuple[int, list[str]]:
        """Make prepare's second pass, if it needs one; return how many attempts have become retries, and a note."""
        lost = policy.lost
        if not lost or not isinstance(prepared.source, Turns):
            return 0, []
        tries = tries_for(len(lost), prepared.source.issued())
        if not tries:
            return 0, []
        second = ErrorPolicy(rules_for(self.plan["errors"], tries), self._rng, load.health, keeps_lost=True)
        self.engine.run(load._replace(source=Again(lost.values()), policy=second))
        note = f"{len(lost)} objects failed at first and were tried again at the end, {len(second.lost)} of them in vain"
        return policy.ends + second.retries, [note]

    def settled(self, now_ns: int) -> int:
        """Return the first interval of the stage of which more may come."""
        return self.engine.settled(self._window, now_ns)

    def close(self) -> None:
        """Let go of everything; other workers, too, have ended by now."""
        if self._cleaned:
            self._sources.tidy()
        self.engine.close()


def _make_engine(plan: dict[str, Any], credentials: Credentials | None, tls: TlsSettings | None) -> Engine:
    if plan["endpoints"][0]["scheme"] != "s3":
        return FileEngine(plan)
    return (Boto3Engine if plan["engine"] == "boto3" else S3Engine)(plan, credentials, tls)


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _peak_memory() -> int:
    """Return the peak of resident memory in bytes; ru_maxrss would include that of the process that started us."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
