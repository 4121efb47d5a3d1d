"""Where the agents run, and how a Python is started there."""

from __future__ import annotations

import ipaddress
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.model import HostPlan, Origin, SshPlan
from pytest_sai3bench.suite.distributed import Agent, Distributed
from pytest_sai3bench.suite.gateways import GatewaySpec, parse_gateway
from pytest_sai3bench.suite.places import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_sai3bench.plan.model import WorkerPlan
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place

_ADDRESS = re.compile(r"(?P<host>[^:\[\]]*@?\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]+))?")
_REMOTE_PYTHON = "python3"


def split_address(address: str) -> tuple[str, str]:
    """Return host and port of an agent's address; the port is empty when there is none."""
    match = _ADDRESS.fullmatch(address)
    return (re.sub(r"[\[\]]", "", match["host"]), match["port"] or "") if match else (address, "")


def is_loopback(host: str) -> bool:
    """Tell whether an address without its port is one of every host itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def plan_host(loaded: LoadedSuite, number: int | None) -> HostPlan:
    """Return the host of the agent ``number`` (counted from 0), or of a run without agents for None."""
    distributed = loaded.suite.distributed
    if number is None or distributed is None:
        return HostPlan()
    agent = distributed.agents[number]
    place: Place = ("distributed", "agents", number, "gateway" if agent.gateway else "address")
    origin = Origin(str(loaded.where(place)), dotted(place))
    host, _ = split_address(agent.address)
    spec = parse_gateway(agent.gateway) if agent.gateway else None
    if spec is None:
        spec = GatewaySpec("popen" if is_loopback(host) else "ssh")
    python = agent.python or spec.python
    if spec.kind == "popen":
        return HostPlan(origin, python)
    return HostPlan(origin, python or _REMOTE_PYTHON, _plan_ssh(loaded, spec, host))


def move_agents(loaded: LoadedSuite, hosts: Sequence[str]) -> LoadedSuite:
    """Return the suite with its agents on other ``hosts``, in turn, or with one on each when it has no agents.

    Raises `SuiteError` when there are more hosts than agents.
    """
    distributed = loaded.suite.distributed
    if distributed is None or not distributed.agents:
        agents = tuple(Agent(address=host) for host in hosts)
        distributed = (distributed or Distributed(agents=())).model_copy(update={"agents": agents})
    elif len(hosts) > len(distributed.agents):
        place: Place = ("distributed", "agents")
        text = f"{len(hosts)} hosts for {len(distributed.agents)} agents: expected no more than agents"
        raise SuiteError([Problem(loaded.where(place), dotted(place), text)])
    else:
        # How the old host was reached says nothing about the new one.
        moved = [
            agent.model_copy(update={"address": host, "gateway": None})
            for agent, host in zip(distributed.agents, itertools.cycle(hosts))
        ]
        distributed = distributed.model_copy(update={"agents": tuple(moved)})
    return replace(loaded, suite=loaded.suite.model_copy(update={"distributed": distributed}))


def drop_agents(loaded: LoadedSuite) -> LoadedSuite:
    """Return the suite without agents: it runs on this host."""
    return replace(loaded, suite=loaded.suite.model_copy(update={"distributed": None}))


def check_hosts(loaded: LoadedSuite, workers: Iterable[WorkerPlan]) -> Iterator[Problem]:
    """Yield what a suite asks for that agents on other hosts cannot have."""
    suite = loaded.suite
    if suite.distributed is None:
        return
    first_of = {worker.agent: worker for worker in workers if worker.process == 0}
    for index, (agent, agent_id) in enumerate(zip(suite.distributed.agents, suite.distributed.agent_ids)):
        worker = first_of[agent_id]
        ssh = worker.host.ssh
        if ssh is None or is_loopback(ssh.host.rpartition("@")[2]):
            continue
        place: Place = ("distributed", "agents", index, "address")
        if any(endpoint.embedded for endpoint in worker.endpoints):
            text = f"{agent.address} cannot reach the embedded server: expected localhost"
            yield Problem(loaded.where(place), dotted(place), text)


def _plan_ssh(loaded: LoadedSuite, spec: GatewaySpec, host: str) -> SshPlan:
    assert loaded.suite.distributed
    block = loaded.suite.distributed.ssh
    *options, host = spec.arguments or (host,)
    has_user = "@" in host or "-l" in options

    def path(written: str | None) -> str:
        return str(loaded.path.parent.absolute() / Path(written).expanduser()) if written else ""

    return SshPlan(
        host=host,
        options=tuple(options),
        user="" if has_user else block.user or "",
        port=block.port or 0,
        key_file=path(block.key_path),
        known_hosts=path(block.known_hosts),
        config=path(spec.ssh_config or block.config),
        timeout_s=block.timeout,
    )
