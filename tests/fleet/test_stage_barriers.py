from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from pytest_sai3bench.errors import AgentLostError, StageError
from pytest_sai3bench.fleet import barriers
from pytest_sai3bench.fleet.barriers import StageBarrier
from pytest_sai3bench.plan.work import StagePlan

if TYPE_CHECKING:
    from pytest_sai3bench.fleet.members import Members
    from pytest_sai3bench.plan.work import Barrier


@dataclass
class _Plan:
    agent: str


@dataclass
class _Member:
    plan: _Plan
    trouble: str = ""
    loss: str = ""
    bears_loss: bool = False
    owes: str = "rested"


class _Members(list[_Member]):
    @property
    def troubles(self) -> list[str]:
        return [member.trouble for member in self if member.trouble]


def barrier_of(
    kind: Barrier, agents: str, *, failed: str = "", lost: str = "", timeout_s: float = 0
) -> StageBarrier:
    """Return a barrier of agents with a worker for each letter."""
    members = _Members(
        _Member(
            _Plan(agent),
            trouble=f"{agent} failed" if agent in failed + lost else "",
            loss=f"{agent} failed" if agent in lost else "",
            owes="" if agent in failed + lost else "rested",
        )
        for agent in agents
    )
    stage = StagePlan("custom", name="vote", barrier=kind, timeout_s=timeout_s, where="s.yaml:3")
    return StageBarrier(stage, cast("Members", members))


@pytest.mark.parametrize(
    ("kind", "agents", "failed", "holds"),
    [
        ("all_or_nothing", "abc", "", True),
        ("all_or_nothing", "abc", "a", False),
        ("majority", "abc", "a", True),
        ("majority", "abc", "ab", False),
        # Half is no majority.
        ("majority", "abcd", "ab", False),
        ("majority", "ab", "a", False),
        # Agents count, not their workers.
        ("majority", "aaab", "b", False),
        ("majority", "aabbcc", "a", True),
        ("best_effort", "abc", "ab", True),
        ("best_effort", "abc", "abc", False),
        ("best_effort", "a", "a", False),
    ],
)
def test_a_barrier_holds_while_enough_agents_are_well(
    kind: Barrier, agents: str, failed: str, *, holds: bool
) -> None:
    barrier = barrier_of(kind, agents, failed=failed)
    assert barrier.ends_by_trouble() is not holds
    # Those that cannot begin are all heard before the stage ends.
    assert not barrier.ends_by_loss()
    if holds:
        barrier.require("vote: ")
        return
    with pytest.raises(StageError) as caught:
        barrier.require("vote: ")
    members = dict.fromkeys(f"{agent} failed" for agent in agents if agent in failed)
    assert set(str(caught.value).removeprefix("vote: ").splitlines()) == set(members)


def test_a_lost_agent_is_told_from_one_that_failed() -> None:
    barrier = barrier_of("all_or_nothing", "abc", failed="a", lost="b")
    assert barrier.ends_by_loss()
    with pytest.raises(AgentLostError) as caught:
        barrier.require("")
    assert str(caught.value) == "a failed\nb failed"
    barrier_of("majority", "abcde", failed="a", lost="b").require("")


def test_the_time_of_a_stage_is_over_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr(barriers, "monotonic", lambda: now_s)
    barrier = barrier_of("best_effort", "abc", failed="b", timeout_s=60)
    unbound = barrier_of("best_effort", "abc")
    now_s = 159.9
    assert not barrier.ends_by_trouble()
    barrier.require("")
    now_s = 160.0
    assert barrier.ends_by_trouble()
    assert barrier.ends_by_loss()
    with pytest.raises(StageError) as caught:
        barrier.require("")
    assert str(caught.value) == (
        "s.yaml:3: vote did not end within 1m (timeout_secs): a, c had not come through"
    )
    now_s = 1e9
    assert not unbound.ends_by_trouble()
