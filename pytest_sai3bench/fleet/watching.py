"""Thresholds that are judged while a workload goes on, and may end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.intervals import Intervals
from pytest_sai3bench.results.batches import Batches
from pytest_sai3bench.results.windows import cut
from pytest_sai3bench.thresholds.watching import Seen, Watched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult
    from pytest_sai3bench.results.timeline import Interval
    from pytest_sai3bench.thresholds.collection import Compiled


class Watching(Intervals):
    """Shows every interval of the workload to those of the ``rules`` that have a window or may end the run.

    It keeps the ``batches`` of the workload as well.
    """

    def __init__(self, plan: RunPlan, rules: Iterable[Compiled]) -> None:
        super().__init__(plan, self._show)
        self._plan = plan
        self._rules = [one for one in rules if one.rule.window or one.rule.abort_after]
        self._watched: dict[str, Watched] = {}
        self.batches = Batches()
        self._stage = plan.workers[0].stages[0]
        self._agents = tuple(dict.fromkeys(worker.agent for worker in plan.workers))
        self._uris = tuple(endpoint.uri for endpoint in plan.endpoints)

    def began(self, stage: int, start_ns: int) -> None:
        """See `Observer.began`."""
        super().began(stage, start_ns)
        self._stage = self._plan.workers[0].stages[stage]
        if self._stage.kind == "workload":
            interval_s = self._plan.workers[0].interval_s
            self.batches = Batches()
            self._watched |= {one.id: Watched(one, interval_s) for one in self._rules if self._concerns(one)}

    def ended(self, phase: PhaseResult) -> None:
        """See `Observer.ended`."""
        super().ended(phase)
        if self._stage.kind == "workload":
            for watched in self._current():
                watched.finish()

    def objection(self) -> str:
        """See `Observer.objection`."""
        if self._stage.kind != "workload":
            return ""
        return next((each.objection for each in self._current() if each.objection), "")

    def seen(self, rule: Compiled) -> Seen | None:
        """Return what was seen of a rule in its workload, None for one that is not watched."""
        watched = self._watched.get(rule.id)
        return watched.seen if watched else None

    def _show(self, _label: str, _started_at: float, interval: Interval) -> None:
        if self._stage.kind != "workload":
            return
        piece = cut(
            interval,
            warmup_s=self._stage.warmup_s,
            duration_s=self._stage.duration_s,
            endpoints=self._uris,
            agents=self._agents,
        )
        if piece is not None:
            self.batches.add(piece)
            for watched in self._current():
                watched.add(piece)

    def _concerns(self, rule: Compiled) -> bool:
        return rule.stage in ("", self._stage.name)

    def _current(self) -> list[Watched]:
        """Return what is watched in the stage that goes on."""
        return [self._watched[rule.id] for rule in self._rules if self._concerns(rule)]
