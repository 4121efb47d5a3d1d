"""All agent processes of a run, on this host and on others, and the hosts that are kept for the next run."""

from __future__ import annotations

import math
import os
import queue
import threading
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet.gateways import START_S, Remote, ThisHost, interrupts_held_back
from pytest_sai3bench.fleet.host_causes import HostUnusable
from pytest_sai3bench.fleet.hosts import Host
from pytest_sai3bench.fleet.ssh import SocketFolder
from pytest_sai3bench.plan.confidential import environment_of_children

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pytest_sai3bench.fleet.gateways import Deliver, Gateway
    from pytest_sai3bench.plan.model import HostPlan, WorkerPlan

# A jump host, and sshd itself, takes ten logins at one time, then it begins to refuse some.
LOGINS_AT_A_TIME = 8
# How long each agent of a host may take to start.
_START_EACH_S = 2.0
_ABANDON_S = 3.0
_BEAT_S = 1.0
# How long the end of everything may take, on hosts that answer nothing any more.
_CLOSED_S = 20.0


class HostPool:
    """The hosts that are connected, kept for the next run; those that are children of this process are none."""

    def __init__(self) -> None:
        self._folder: SocketFolder | None = None
        self._remotes: dict[HostPlan, Remote] = {}
        self._opened = 0
        self._over = threading.Event()

    def take(self, plan: HostPlan, env: Mapping[str, str]) -> Remote:
        """Return a host, which may have to be connected yet; then ``env`` is for what is started here for that."""
        remote = self._remotes.get(plan)
        if remote is not None and not remote.is_usable:
            self.drop(remote, at_once=True)
            remote = None
        if remote is None:
            if self._folder is None:
                self._folder = SocketFolder()
                threading.Thread(target=self._beat, daemon=True).start()
            self._opened += 1
            remote = Remote(Host(plan, f"host-{self._opened}", self._folder.path, env))
            self._remotes[plan] = remote
        return remote

    def drop(self, remote: Remote, *, at_once: bool) -> None:
        """End a connection and all that depends on it."""
        remote.close(at_once=at_once)
        if self._remotes.get(remote.host.plan) is remote:
            del self._remotes[remote.host.plan]

    def close(self, *, at_once: bool = False) -> None:
        """End all connections; may be called again."""
        self._over.set()
        _at_one_time([partial(self.drop, remote, at_once=at_once) for remote in list(self._remotes.values())])
        if self._folder is not None:
            self._folder.remove()

    def _beat(self) -> None:
        while not self._over.wait(_BEAT_S):
            for remote in list(self._remotes.values()):
                remote.beat()


class Processes:
    """All agent processes of a run, from `open` to `close`; what they say is given to ``deliver``.

    Without a ``pool`` of hosts the connections end with the agents.
    """

    def __init__(self, deliver: Deliver, pool: HostPool | None = None) -> None:
        self._deliver = deliver
        self._keeps_hosts = pool is not None
        self._pool = pool or HostPool()
        self._this_host: ThisHost | None = None
        self._remotes: dict[Remote, dict[str, WorkerPlan]] = {}
        self._openers: list[threading.Thread] = []
        self._abandoned = False

    def open(self, plans: Mapping[str, WorkerPlan]) -> dict[str, Gateway]:
        """Start the agents' processes, all hosts at once, and send them the agent.

        Raises `AgentStartError` with every host that cannot be used.
        """
        env = environment_for(plans.values())
        self._this_host = this_host = ThisHost(env)
        by_host: dict[HostPlan, dict[str, WorkerPlan]] = {}
        for key, plan in plans.items():
            by_host.setdefault(plan.host, {})[key] = plan
        outcomes: queue.SimpleQueue[tuple[Remote, dict[str, Gateway] | Exception]] = queue.SimpleQueue()
        self._remotes = {
            self._pool.take(host, env): workers for host, workers in by_host.items() if not host.is_here
        }
        self._begin_opening(outcomes)
        opened: dict[str, Gateway] = {}
        failures: dict[str, str] = {}
        for key, plan in plans.items():
            if plan.host.is_here:
                try:
                    opened[key] = this_host.start(key, plan, self._deliver)
                except AgentStartError as error:
                    failures[key] = str(error)
        waiting = dict.fromkeys(self._remotes)
        deadline = monotonic() + self._limit_s()
        while waiting:
            try:
                remote, outcome = outcomes.get(timeout=max(0.0, deadline - monotonic()))
            except queue.Empty:
                late = HostUnusable(
                    "agent-timeout", f"its agents did not start within {self._limit_s():.0f} s"
                )
                for remote in waiting:
                    failures |= self._describe(remote, late)
                break
            del waiting[remote]
            if isinstance(outcome, HostUnusable):
                failures |= self._describe(remote, outcome)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                opened |= outcome
        if failures:
            raise AgentStartError("\n".join(failures[key] for key in plans if key in failures))
        return opened

    def begun(self) -> None:
        """Tell all hosts that their agents have begun."""
        for remote in self._remotes:
            remote.send("begun")

    def close(self, *, at_once: bool, mute: Collection[str] = ()) -> None:
        """End all processes, ``at_once`` with less patience; bounded, whatever they do.

        Hosts of agents that are ``mute`` are not asked for anything any more: no answer would come for long.
        """
        if any(opener.is_alive() for opener in self._openers):
            # They are in the middle of something that ends with the connection.
            self._abandoned = True
            for remote in self._remotes:
                if not remote.is_usable:
                    remote.host.close(at_once=True)
            deadline = monotonic() + _ABANDON_S
            for opener in self._openers:
                opener.join(max(0.0, deadline - monotonic()))
        _at_one_time(
            [
                *(partial(each.close, at_once=at_once) for each in [self._this_host] if each),
                *(
                    partial(self._release, remote, at_once=at_once or not workers.keys().isdisjoint(mute))
                    for remote, workers in self._remotes.items()
                ),
            ]
        )
        self._remotes = {}
        if not self._keeps_hosts:
            self._pool.close(at_once=at_once)

    def _release(self, remote: Remote, *, at_once: bool) -> None:
        if at_once or not self._keeps_hosts or not remote.end_agents():
            self._pool.drop(remote, at_once=at_once)

    def _describe(self, remote: Remote, cause: HostUnusable) -> dict[str, str]:
        """Return the lines about a host, under the key of its first agent."""
        workers = self._remotes[remote]
        first, plan = next(iter(workers.items()))
        agents = ", ".join(dict.fromkeys(worker.agent for worker in workers.values()))
        return {first: cause.describe(agents, plan.host.title, plan.host.origin.where)}

    def _limit_s(self) -> float:
        rounds = math.ceil(len(self._remotes) / LOGINS_AT_A_TIME)
        most = max(map(len, self._remotes.values()), default=0)
        slowest = max((remote.host.limit_s for remote in self._remotes), default=0.0)
        return rounds * (slowest + START_S + _START_EACH_S * most)

    def _begin_opening(
        self, outcomes: queue.SimpleQueue[tuple[Remote, dict[str, Gateway] | Exception]]
    ) -> None:
        waiting: queue.SimpleQueue[Remote] = queue.SimpleQueue()
        for remote in self._remotes:
            waiting.put(remote)

        def work() -> None:
            while not self._abandoned:
                try:
                    remote = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    outcomes.put((remote, remote.start(self._remotes[remote], self._deliver)))
                except Exception as error:  # noqa: BLE001 - it is raised where the outcome is waited for
                    outcomes.put((remote, error))

        # What the threads start has to outlive Ctrl-C, too; they take over what is held back.
        with interrupts_held_back():
            for _ in range(min(LOGINS_AT_A_TIME, len(self._remotes))):
                self._openers.append(threading.Thread(target=work, daemon=True))
                self._openers[-1].start()


def environment_for(plans: Iterable[WorkerPlan]) -> dict[str, str]:
    """Return the environment of what is started here for the workers of a run."""
    return environment_of_children(os.environ, {value for plan in plans for _, value in plan.env})


def _at_one_time(actions: list[Callable[[], None]]) -> None:
    """Do several things that have bounds of their own; what takes much longer is left to itself."""
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    deadline = monotonic() + _CLOSED_S
    for thread in threads:
        thread.join(max(0.0, deadline - monotonic()))
