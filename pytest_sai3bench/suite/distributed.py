"""The hosts that make the load together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from pytest_sai3bench.suite.endpoints import MultiEndpoint
from pytest_sai3bench.suite.scalars import Address, Name, PositiveCount, Uri
from pytest_sai3bench.suite.section import ObjectionsError, Section

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place


class Agent(Section):
    """One load host, and what differs on it."""

    address: Address = Field(
        description="host or host:port. In this version `localhost` or a loopback address; the port has no effect."
    )
    id: Name | None = Field(
        default=None, description="a name for the reports. By default `agent-1`, `agent-2` …"
    )
    target_override: Uri | None = Field(
        default=None,
        description=(
            "the URI of a folder or bucket. "
            "Replaces `target` and the `multi_endpoint` of all agents. In sai3-bench that block wins."
        ),
    )
    concurrency_override: PositiveCount | None = Field(
        default=None, description="operations at one time on this agent. Replaces `concurrency`."
    )
    multi_endpoint: MultiEndpoint | None = Field(
        default=None,
        description=(
            "the endpoints of this agent. "
            "What it leaves out comes from the `multi_endpoint` of all agents; in sai3-bench nothing does."
        ),
    )


class Distributed(Section):
    """All load hosts of a suite."""

    agents: tuple[Agent, ...] = Field(
        description=(
            "a list of agents, each with an 'address'. "
            "Each drives its own endpoints and cares for its own share of the objects."
        )
    )

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The ids in the order of the agents; an agent without one is ``agent-N``, counted from 1."""
        return tuple(agent.id or f"agent-{number}" for number, agent in enumerate(self.agents, start=1))

    @model_validator(mode="after")
    def _check_agents(self) -> Distributed:
        if not self.agents:
            raise ObjectionsError((("agents",), "no agents: expected at least one with an 'address'"))
        first_of: dict[str, int] = {}
        objections: list[tuple[Place, str]] = []
        for index, agent_id in enumerate(self.agent_ids):
            first = first_of.setdefault(agent_id, index)
            if first != index:
                objections.append(
                    (
                        ("agents", index, "id"),
                        f"'{agent_id}' is also the id of agents[{first}]: expected each id once",
                    )
                )
        if objections:
            raise ObjectionsError(*objections)
        return self
