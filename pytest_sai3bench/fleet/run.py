"""One run, stage by stage, whatever happens in between."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.errors import RunError, StageError, ThresholdAbortError
from pytest_sai3bench.fleet.fleet import Fleet
from pytest_sai3bench.plan.sequence import split
from pytest_sai3bench.results.checks import check_run
from pytest_sai3bench.results.merge import merge_phase
from pytest_sai3bench.results.model import PhaseResult, RunResult, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_sai3bench.fleet.observer import Observer
    from pytest_sai3bench.fleet.processes import HostPool
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.plan.work import StagePlan

# What a workload may take beyond its own time: the drain of its last operations, and their way home.
_SLACK_S = 30.0
# How long prepare and cleanup may go on without finishing a single object.
_STALLED_S = 600.0
# How long the command of a stage may run whose time nothing limits.
_COMMAND_S = 3600.0


class Run:
    """One run of one suite: `prepare`, `work`, and always `clean_up`, whatever the others raised.

    Stages before the first workload are part of `prepare`, those after the last one of `clean_up`. ``credentials``,
    ``tls`` and ``pool`` are those of `Fleet`; ``observers`` hear how it goes. An exception of the main thread (Ctrl-C, a
    timeout of pytest's) stops the load, keeps what was measured and goes on its way.
    """

    def __init__(
        self,
        plan: RunPlan,
        credentials: Mapping[str, str | None] | None,
        *,
        run_id: str,
        started_at: float,
        tls: Mapping[str, Any] | None = None,
        observers: Sequence[Observer] = (),
        pool: HostPool | None = None,
    ) -> None:
        self._plan = plan
        # Workers differ in their endpoints and shares, not in what they do.
        self._stages = plan.workers[0].stages
        self._parts = split(self._stages)
        self._run_id = run_id
        self._started_at = started_at
        self._observers = observers
        self._fleet = Fleet(plan, credentials, tls, observers, pool)
        self._phases: list[PhaseResult] = []
        self._begun: set[int] = set()
        self._worked = False
        self._notes = list(plan.notes)
        self._borne: dict[str, None] = {}
        self._status: RunStatus = "completed"
        self._reason = ""
        # What is going on, for messages.
        self._at = ""

    def prepare(self) -> None:
        """Start the agents, let them check their endpoints, and do what comes before the load; raises `RunError`."""
        with self._accounted("prepare"):
            self._fleet.open()
            self._notes += self._fleet.notes
            self._go_through(self._parts.before)

    def work(self) -> None:
        """Run the load; raises `StageError`, `AgentLostError` or `ThresholdAbortError` when it ends too soon."""
        with self._accounted("workload"):
            self._go_through(self._parts.during)
            self._worked = True

    def clean_up(self) -> None:
        """Stop what is still going, do what comes after the load, and end all agents; may be called again.

        When the run did not get through its load, only cleanups are done, of all stages that are left. Nothing is removed
        when an agent is lost, unless the run goes on without it. Raises `StageError` or `AgentLostError` when not all
        could be done. Ctrl-C ends all agents at once.
        """
        try:
            with self._accounted("cleanup"):
                self._fleet.stop()
                if self._fleet.is_whole or (self._fleet.is_open and self._status == "completed"):
                    self._finish()
                    if self._fleet.has_lost and any(stage.kind == "cleanup" for stage in self._stages):
                        self._notes.append("an agent was lost: what it made has not been removed")
                elif self._fleet.is_open and list(self._left("cleanup")):
                    self._notes.append("an agent was lost: what the run made has not been removed")
        except RunError:
            raise
        except BaseException:
            self._fleet.close(at_once=True)
            raise
        finally:
            self._fleet.close()

    def result(self) -> RunResult:
        """Return what was measured, as far as it came."""
        result = RunResult(
            suite=self._plan.suite,
            name=self._plan.name,
            run_id=self._run_id,
            status=self._status,
            reason=self._reason,
            started_at=self._started_at,
            phases=tuple(self._phases),
            notes=tuple(self._notes),
        )
        return replace(result, checks=check_run(result))

    @contextmanager
    def _accounted(self, part: str) -> Iterator[None]:
        """Note why the run does not go on; the first reason counts."""
        self._at = part
        try:
            yield
        except RunError as error:
            self._end("aborted" if isinstance(error, ThresholdAbortError) else "failed", str(error))
            raise
        except BaseException:
            self._end("interrupted", f"interrupted during {self._at}")
            raise

    def _end(self, status: RunStatus, reason: str) -> None:
        if self._status == "completed":
            self._status, self._reason = status, reason

    def _go_through(self, numbers: Iterable[int]) -> None:
        """Run stages in their order; one that is optional may fail."""
        for number in numbers:
            stage = self._stages[number]
            self._begun.add(number)
            self._at = stage.label
            try:
                self._run_stage(number, stage)
            except RunError as error:
                if not stage.optional or isinstance(error, ThresholdAbortError):
                    raise
                self._notes.append(f"{error}\n(the stage is optional: the run went on)")

    def _left(self, kind: str) -> Iterator[int]:
        for number, stage in enumerate(self._stages):
            if number not in self._begun and stage.kind == kind:
                yield number

    def _finish(self) -> None:
        """Do what comes after the load; once something has failed, cleanups only."""
        if self._status == "completed" and self._worked:
            try:
                self._go_through(self._parts.after)
            except RunError:
                if self._fleet.is_whole:
                    self._go_through(self._left("cleanup"))
                raise
        else:
            self._go_through(self._left("cleanup"))

    def _run_stage(self, number: int, stage: StagePlan) -> None:
        try:
            renewed = stage.kind in ("prepare", "cleanup")
            self._notes += self._fleet.run_stage(number, self._limit_s(stage), renewed_by_ticks=renewed)
        except RunError:
            raise
        except BaseException:
            # From the cleanup Ctrl-C leads straight out.
            if stage.kind != "cleanup":
                self._fleet.stop()
            raise
        finally:
            self._note_losses(stage.label)
            if outcomes := self._fleet.outcomes():
                uris = tuple(endpoint.uri for endpoint in self._plan.endpoints)
                position = number + 1 if stage.name else 0
                self._phases.append(
                    merge_phase(
                        stage.label, uris, outcomes, kind=stage.kind if stage.name else "", position=position
                    )
                )
                for observer in self._observers:
                    observer.ended(self._phases[-1])
        if stage.kind in ("prepare", "cleanup"):
            self._require_complete(self._phases[-1], strict=stage.kind == "prepare" or stage.mode == "strict")

    def _limit_s(self, stage: StagePlan) -> float:
        """Return how long a stage may take, or go on without a tick."""
        if stage.kind == "workload":
            return stage.warmup_s + stage.duration_s + self._plan.workers[0].request_timeout_s + _SLACK_S
        if stage.kind == "custom":
            return stage.timeout_s + _SLACK_S if stage.timeout_s else _COMMAND_S
        return stage.delay_s + _STALLED_S

    def _note_losses(self, phase: str) -> None:
        """Mark the result with the agents that the run goes on without."""
        known = len(self._borne)
        self._borne |= dict.fromkeys(self._fleet.borne_losses)
        for loss in list(self._borne)[known:]:
            self._notes.append(f"{phase}: the run went on (distributed.lost_agent: continue) without {loss}")

    def _require_complete(self, phase: PhaseResult, *, strict: bool) -> None:
        """Raise `StageError` (or note, if not ``strict``) when objects could not be written or removed.

        A workload on fewer objects than the suite asks for would measure something else. What failed in the workload
        is judged by its thresholds.
        """
        failed = phase.tally().errors - sum(agent.retries for agent in phase.agents)
        if failed <= 0:
            return
        verb = "written" if phase.does == "prepare" else "removed"
        objects = f"{failed} object{'' if failed == 1 else 's'}"
        first = phase.errors[0]
        text = f"{phase.phase}: {objects} could not be {verb}, the first at {first.endpoint}: {first.message}"
        if strict:
            raise StageError(text)
        self._notes.append(text)
