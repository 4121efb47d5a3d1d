"""How many cores hosts have, asked before their workers are planned."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet.gateways import START_S, interrupts_held_back
from pytest_sai3bench.fleet.host_causes import HostUnusable
from pytest_sai3bench.fleet.processes import LOGINS_AT_A_TIME, environment_for

if TYPE_CHECKING:
    from pytest_sai3bench.fleet.processes import HostPool
    from pytest_sai3bench.plan.model import HostPlan, RunPlan


def ask_cores(plan: RunPlan, pool: HostPool) -> dict[HostPlan, int]:
    """Return the physical cores of all hosts of a plan but this one; they stay connected in the ``pool``.

    Raises `AgentStartError` with every host that cannot be used.
    """
    agents: dict[HostPlan, dict[str, None]] = {}
    for worker in plan.workers:
        if not worker.host.is_here:
            agents.setdefault(worker.host, {})[worker.agent] = None
    env = environment_for(plan.workers)
    remotes = {host: pool.take(host, env) for host in agents}
    limit_s = START_S + max((remote.host.limit_s for remote in remotes.values()), default=0.0)
    limit_s *= math.ceil(len(remotes) / LOGINS_AT_A_TIME)
    late = HostUnusable("agent-timeout", f"it did not answer within {limit_s:.0f} s")
    executor = ThreadPoolExecutor(LOGINS_AT_A_TIME)
    cores, failures = {}, []
    try:
        # What the threads start has to outlive Ctrl-C.
        with interrupts_held_back():
            answers = {host: executor.submit(remote.count_cores) for host, remote in remotes.items()}
        _, waiting = wait(answers.values(), limit_s)
        for host, answer in answers.items():
            cause = late if answer in waiting else answer.exception()
            if isinstance(cause, HostUnusable):
                failures.append(cause.describe(", ".join(agents[host]), host.title, host.origin.where))
            else:
                cores[host] = answer.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    if failures:
        raise AgentStartError("\n".join(failures))
    return cores
