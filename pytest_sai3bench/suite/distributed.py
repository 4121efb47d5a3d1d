"""The hosts that make the load together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field, model_validator

from pytest_sai3bench.suite.endpoints import MultiEndpoint
from pytest_sai3bench.suite.gateways import parse_gateway
from pytest_sai3bench.suite.scalars import (
    Address,
    Command,
    Gateway,
    LostAgent,
    Name,
    NonNegative,
    PathSelection,
    PositiveCount,
    TreeCreationMode,
    Uri,
    Variables,
)
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.ssh import Ssh
from pytest_sai3bench.suite.stages import BarrierSync, Stage

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place


class Agent(Section):
    """One load host, and what differs on it."""

    address: Address = Field(
        description=(
            "host, user@host or host:port. Reached over ssh; `localhost` and loopback addresses are this host, unless "
            "a user or `gateway: ssh` asks for ssh. The port has no effect: it is that of an agent of sai3-bench."
        )
    )
    id: Name | None = Field(
        default=None, description="a name for the reports. By default `agent-1`, `agent-2` …"
    )
    gateway: Gateway | None = Field(
        default=None,
        description=(
            "a specification of execnet. How a Python is started on the host: `ssh`, `ssh=-J jump user@host`, `popen`, "
            "`popen//python=kubectl exec -i pod -- python3`. By default it follows from `address`. "
            "sai3-bench has no such key."
        ),
    )
    python: Command | None = Field(
        default=None,
        description=(
            "the command of a Python 3.9 or newer on the host. By default `python3`, and on this host the Python that "
            "runs pytest. sai3-bench has no such key."
        ),
    )
    env: Variables = Field(
        default={},
        repr=False,
        description=(
            "a mapping of environment variables. Set in the agent, after its Python has started; plan and results "
            "show the names only. In sai3-bench those of the container."
        ),
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

    @model_validator(mode="after")
    def _check_python(self) -> Agent:
        if self.python and self.gateway and parse_gateway(self.gateway).python:
            raise ObjectionsError((("python",), "'gateway' has a 'python', too: expected one of them"))
        return self


class Distributed(Section):
    """All load hosts of a suite."""

    agents: tuple[Agent, ...] = Field(
        description=(
            "a list of agents, each with an 'address'. "
            "Each drives its own endpoints and cares for its own share of the objects. An empty list stands for this "
            "host alone."
        )
    )

    lost_agent: LostAgent = Field(
        default="fail",
        description=(
            "what becomes of a run that loses an agent: `fail` or `continue`. With `continue` the others go on, but not "
            "in prepare; the result is marked, and its verdicts are inconclusive. sai3-bench has no such key."
        ),
    )
    tree_creation_mode: TreeCreationMode = Field(
        default="concurrent",
        description=(
            "isolated, coordinator or concurrent. "
            "Who makes `prepare.directory_structure`: each agent a tree of its own, in the folder `agent-1/` and so on; the "
            "first agent; or each its share of one tree. sai3-bench requires the key, and all of its agents make all."
        ),
    )
    path_selection: PathSelection = Field(
        default="random",
        description=(
            "random, partitioned, exclusive or weighted. "
            "Which directories of the tree an agent takes: any; 7 of 10 times its own; always its own; or its own unless "
            "`partition_overlap` says otherwise. Deletes always take its own. sai3-bench requires the key."
        ),
    )
    partition_overlap: Annotated[NonNegative, Field(le=1)] = Field(
        default=0.3,
        description="a number from 0 to 1. With `path_selection: weighted`, how likely directories of others are.",
    )
    ssh: Ssh = Field(default=Ssh(), description="how hosts are reached. For all agents over ssh.")
    stages: tuple[Stage, ...] = Field(
        default=(),
        description=(
            "a list of stages. What the run does, in place of prepare, workload and cleanup. "
            "sai3-bench requires it."
        ),
    )
    barrier_sync: BarrierSync | None = Field(
        default=None, description="the barriers of stages. For those that have none of their own."
    )

    @property
    def agent_ids(self) -> tuple[str, ...]:
        """The ids in the order of the agents; an agent without one is ``agent-N``, counted from 1."""
        return tuple(agent.id or f"agent-{number}" for number, agent in enumerate(self.agents, start=1))

    @model_validator(mode="after")
    def _check_agents(self) -> Distributed:
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
