"""Whether a stage may go on: how many agents have to be well, and for how long it may take."""

from __future__ import annotations

import math
from time import monotonic
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentLostError, StageError
from pytest_sai3bench.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.fleet.members import Member, Members
    from pytest_sai3bench.plan.work import StagePlan


class StageBarrier:
    """The barrier of one stage, and its time, which begins now."""

    def __init__(self, stage: StagePlan, members: Members) -> None:
        self._stage = stage
        self._members = members
        self._deadline = monotonic() + stage.timeout_s if stage.timeout_s else math.inf
        self._late: tuple[str, ...] = ()

    def ends_by_loss(self) -> bool:
        """Tell whether a stage that gets ready has to stop: others that fail may all be heard."""
        return self._is_over() or self._is_broken(_is_lost)

    def ends_by_trouble(self) -> bool:
        """Tell whether a stage that is under way has to stop."""
        return self._is_over() or self._is_broken(lambda member: member.trouble)

    def require(self, prefix: str) -> None:
        """Raise `AgentLostError` or `StageError` when too few agents are well, or when the time was over."""
        stage = self._stage
        if self._is_broken(lambda member: member.trouble):
            lost = any(map(_is_lost, self._members))
            raise (AgentLostError if lost else StageError)(prefix + "\n".join(self._members.troubles))
        if self._late:
            raise StageError(
                f"{stage.where}: {stage.label} did not end within {format_seconds(stage.timeout_s)} (timeout_secs): "
                f"{', '.join(self._late)} had not come through"
            )

    def _is_broken(self, ails: Callable[[Member], object]) -> bool:
        failed = {member.plan.agent for member in self._members if ails(member)}
        if not failed or self._stage.barrier == "all_or_nothing":
            return bool(failed)
        agents = {member.plan.agent for member in self._members}
        if self._stage.barrier == "majority":
            return 2 * (len(agents) - len(failed)) <= len(agents)
        return failed == agents

    def _is_over(self) -> bool:
        if monotonic() < self._deadline:
            return False
        self._late = tuple(dict.fromkeys(member.plan.agent for member in self._members if member.owes))
        return True


def _is_lost(member: Member) -> bool:
    return bool(member.loss) and not member.bears_loss
