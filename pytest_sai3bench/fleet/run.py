"""One run from the first stage to the last, whatever happens in between."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentLostError, RunError, StageError
from pytest_sai3bench.fleet.fleet import Fleet
from pytest_sai3bench.results.checks import check_run
from pytest_sai3bench.results.merge import merge_phase
from pytest_sai3bench.results.model import PhaseResult, RunResult, RunStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_sai3bench.plan.model import RunPlan, StagePlan

# What a workload may take beyond its own time: the drain of its last operations, and their way home.
_SLACK_S = 30.0


@dataclass
class _State:
    phases: list[PhaseResult]
    status: RunStatus = "completed"
    reason: str = ""

    def stop(self, status: RunStatus, reason: str) -> None:
        """Note why the run does not go on; the first reason counts."""
        if self.status == "completed":
            self.status, self.reason = status, reason


def execute(
    plan: RunPlan,
    credentials: Mapping[str, str | None] | None,
    *,
    run_id: str,
    started_at: float,
    announce: Callable[[str], None] = lambda _phase: None,
) -> RunResult:
    """Carry the plan out and return what was measured, as far as it came.

    A run that fails or is interrupted (Ctrl-C) still cleans up and returns its result; the status says so. ``announce``
    is called at the begin of each phase. Raises `RunError` when no stage could begin.
    """
    state = _State([])
    with Fleet(plan, credentials) as fleet:
        for number, stage in enumerate(plan.workers[0].stages):
            # After trouble only the cleanup still runs.
            if state.status != "completed" and stage.kind != "cleanup":
                continue
            announce(stage.kind)
            try:
                _run_stage(fleet, plan, number, state)
            except AgentLostError as error:
                state.stop("failed", str(error))
                break
            except StageError as error:
                state.stop("failed", str(error))
    if not state.phases and state.status == "failed":
        raise RunError(state.reason)
    result = RunResult(
        suite=plan.suite,
        name=plan.name,
        run_id=run_id,
        status=state.status,
        reason=state.reason,
        started_at=started_at,
        phases=tuple(state.phases),
        notes=plan.notes,
    )
    return replace(result, checks=check_run(result))


def _run_stage(fleet: Fleet, plan: RunPlan, number: int, state: _State) -> None:
    stage = plan.workers[0].stages[number]
    end = fleet.run_stage(number, _limit(plan, stage))
    if end.outcomes:
        uris = tuple(endpoint.uri for endpoint in plan.endpoints)
        state.phases.append(merge_phase(stage.kind, uris, end.outcomes))
    if end.interrupted:
        state.stop("interrupted", f"interrupted during {stage.kind}")
    elif end.troubles:
        state.stop("failed", f"{stage.kind}: " + "\n".join(end.troubles))
    elif stage.delay_s:
        fleet.rest(stage.delay_s + _SLACK_S)


def _limit(plan: RunPlan, stage: StagePlan) -> float | None:
    if stage.kind != "workload":
        return None
    return stage.warmup_s + stage.duration_s + plan.workers[0].request_timeout_s + _SLACK_S
