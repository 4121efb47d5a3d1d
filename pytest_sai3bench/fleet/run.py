"""One run, phase by phase, whatever happens in between."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentLostError, RunError, StageError
from pytest_sai3bench.fleet.fleet import Fleet
from pytest_sai3bench.results.checks import check_run
from pytest_sai3bench.results.merge import merge_phase
from pytest_sai3bench.results.model import PhaseResult, RunResult, RunStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sai3bench.plan.model import RunPlan, StageKind, StagePlan

# What a workload may take beyond its own time: the drain of its last operations, and their way home.
_SLACK_S = 30.0


class Run:
    """One run of one workload: `prepare`, `work`, and always `clean_up`, whatever the others raised.

    ``credentials`` are the fields of `agent.sigv4.Credentials`, or None for anonymous access. An exception of the main
    thread (Ctrl-C, a timeout of pytest's) stops the load, keeps what was measured and goes on its way.
    """

    def __init__(
        self,
        plan: RunPlan,
        credentials: Mapping[str, str | None] | None,
        *,
        run_id: str,
        started_at: float,
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._started_at = started_at
        self._fleet = Fleet(plan, credentials)
        self._phases: list[PhaseResult] = []
        self._status: RunStatus = "completed"
        self._reason = ""

    def prepare(self) -> None:
        """Start the agents, let them check their endpoints and make the objects; raises `RunError`."""
        with self._accounted("prepare"):
            self._fleet.open()
            self._run_stage("prepare")

    def work(self) -> None:
        """Run the load; raises `StageError` or `AgentLostError` when it ends before its time."""
        with self._accounted("workload"):
            self._run_stage("workload")

    def clean_up(self) -> None:
        """Remove what the run made, unless an agent is lost, and end all agents; may be called again.

        Raises `StageError` or `AgentLostError` when objects could not be removed. After Ctrl-C all agents are ended at
        once.
        """
        try:
            if self._fleet.is_whole:
                with self._accounted("cleanup"):
                    self._run_stage("cleanup")
        except (KeyboardInterrupt, SystemExit):
            self._fleet.kill()
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
            notes=self._plan.notes,
        )
        return replace(result, checks=check_run(result))

    @contextmanager
    def _accounted(self, phase: StageKind) -> Iterator[None]:
        """Note why the run does not go on; the first reason counts."""
        try:
            yield
        except RunError as error:
            self._stop("failed", str(error))
            raise
        except BaseException:
            self._stop("interrupted", f"interrupted during {phase}")
            raise

    def _stop(self, status: RunStatus, reason: str) -> None:
        if self._status == "completed":
            self._status, self._reason = status, reason

    def _run_stage(self, kind: StageKind) -> None:
        stages = self._plan.workers[0].stages
        number = next((number for number, stage in enumerate(stages) if stage.kind == kind), None)
        if number is None:
            return
        stage = stages[number]
        end = self._fleet.run_stage(number, self._limit(stage))
        if end.outcomes:
            uris = tuple(endpoint.uri for endpoint in self._plan.endpoints)
            self._phases.append(merge_phase(kind, uris, end.outcomes))
        if end.interruption is not None:
            raise end.interruption
        if end.troubles:
            error = StageError if self._fleet.is_whole else AgentLostError
            raise error(f"{kind}: " + "\n".join(end.troubles))
        if stage.delay_s:
            self._fleet.rest(number, stage.delay_s + _SLACK_S)

    def _limit(self, stage: StagePlan) -> float | None:
        if stage.kind != "workload":
            return None
        return stage.warmup_s + stage.duration_s + self._plan.workers[0].request_timeout_s + _SLACK_S
