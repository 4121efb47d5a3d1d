"""Processes that agents run in, through execnet: the only module that knows it."""

from __future__ import annotations

import json
import math
import queue
import shlex
import signal
import threading
from contextlib import contextmanager, suppress
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import execnet

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet import bootstrap, keeper
from pytest_sai3bench.fleet.host_causes import HostUnusable
from pytest_sai3bench.fleet.hosts import Host
from pytest_sai3bench.fleet.shipping import agent_zip
from pytest_sai3bench.fleet.ssh import SocketFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_sai3bench.plan.model import HostPlan, WorkerPlan

# How long a process may take to end when asked to, before it is killed; and how long all that may take.
_TERMINATE_S = 1.0
_TERMINATE_AT_ONCE_S = 0.2
_TERMINATED_S = 5.0
# From the end of a process to the reason of it.
_REASON_S = 1.0
# From the end of an agent to that of its host's connection, when both have one cause.
_NEWS_S = 0.5
# A jump host, and sshd itself, takes ten logins at one time, then it begins to refuse some.
_LOGINS_AT_A_TIME = 8
# How long the agents of a host may take to start when it is reached: all of them, and each.
_START_S = 20.0
_START_EACH_S = 2.0
_ABANDON_S = 3.0


class Gateway:
    """One agent process; ``host`` is None for those that are children of this process."""

    def __init__(self, channel: Any, host: _Remote | None = None) -> None:
        self._channel = channel
        self._host = host

    def send(self, text: str) -> None:
        """Send a text; raises OSError when the process is gone."""
        self._channel.send(text)

    def failure(self) -> str:
        """Return the traceback with which the agent ended, empty when there is none; to be asked after its end."""
        try:
            self._channel.waitclose(_REASON_S)
        except execnet.RemoteError as error:
            return str(error.formatted)
        except (EOFError, OSError):
            # The process was killed, or is not there to say why.
            return ""
        return ""

    def farewell(self) -> str:
        """Return what became of the connection to the agent's host, empty as long as it stands."""
        return self._host.farewell() if self._host else ""


class Gateways:
    """All agent processes of a fleet; ``deliver`` is called with (key, text), and (key, None) at a process's end.

    ``deliver`` runs in execnet's threads: it may do no more than put into a queue.
    """

    def __init__(self, deliver: Callable[[tuple[str, str | None]], None]) -> None:
        self._deliver = deliver
        self._group = execnet.Group(execmodel="thread")
        self._folder: SocketFolder | None = None
        self._hosts: list[_Remote] = []
        self._openers: list[threading.Thread] = []
        self._abandoned = False

    def open(self, plans: Mapping[str, WorkerPlan]) -> dict[str, Gateway]:
        """Start the agents' processes, all hosts at once, and send them the agent.

        Raises `AgentStartError` with every host that cannot be used.
        """
        by_host: dict[HostPlan, dict[str, WorkerPlan]] = {}
        for key, plan in plans.items():
            if not plan.host.is_here:
                by_host.setdefault(plan.host, {})[key] = plan
        here = {key: plan for key, plan in plans.items() if plan.host.is_here}
        outcomes: queue.SimpleQueue[tuple[_Remote, dict[str, Gateway] | Exception]] = queue.SimpleQueue()
        if by_host:
            self._folder = SocketFolder()
            hosts = [
                Host(host, workers, f"host-{number}", self._folder.path)
                for number, (host, workers) in enumerate(by_host.items(), start=1)
            ]
            self._hosts = [_Remote(host, self._deliver) for host in hosts]
            self._begin_opening(outcomes)
        opened: dict[str, Gateway] = {}
        failures: dict[str, str] = {}
        for key, plan in here.items():
            try:
                opened[key] = self._open_here(key, plan)
            except AgentStartError as error:
                failures[key] = str(error)
        waiting = dict.fromkeys(self._hosts)
        deadline = monotonic() + self._limit_s()
        while waiting:
            try:
                host, outcome = outcomes.get(timeout=max(0.0, deadline - monotonic()))
            except queue.Empty:
                late = HostUnusable(
                    "agent-timeout", f"its agents did not start within {self._limit_s():.0f} s"
                )
                failures |= {host.host.name: host.host.describe(late) for host in waiting}
                break
            del waiting[host]
            if isinstance(outcome, HostUnusable):
                failures[host.host.name] = host.host.describe(outcome)
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                opened |= outcome
        if failures:
            order = [*here, *(host.host.name for host in self._hosts)]
            raise AgentStartError("\n".join(failures[name] for name in order if name in failures))
        return opened

    def begun(self) -> None:
        """Tell all hosts that their agents have begun."""
        for host in self._hosts:
            host.send("begun")

    def beat(self) -> None:
        """Tell all hosts that this one is there."""
        for host in self._hosts:
            host.host.beat()
            host.send("alive")

    def close(self, *, at_once: bool) -> None:
        """End all processes, ``at_once`` with less patience; bounded, whatever they do."""
        if any(opener.is_alive() for opener in self._openers):
            # They are in the middle of something that ends with the connection.
            self._abandoned = True
            for host in self._hosts:
                if not host.is_open:
                    host.host.close(at_once=True)
            deadline = monotonic() + _ABANDON_S
            for opener in self._openers:
                opener.join(max(0.0, deadline - monotonic()))
        grace_s = _TERMINATE_AT_ONCE_S if at_once else _TERMINATE_S
        groups = [self._group, *(host.group for host in self._hosts)]
        _at_one_time([partial(_terminate, group, grace_s) for group in groups])
        _at_one_time([partial(host.host.close, at_once=at_once) for host in self._hosts])
        if self._folder is not None:
            self._folder.remove()

    def _limit_s(self) -> float:
        rounds = math.ceil(len(self._hosts) / _LOGINS_AT_A_TIME)
        return rounds * max((host.limit_s for host in self._hosts), default=0.0)

    def _begin_opening(
        self, outcomes: queue.SimpleQueue[tuple[_Remote, dict[str, Gateway] | Exception]]
    ) -> None:
        waiting: queue.SimpleQueue[_Remote] = queue.SimpleQueue()
        for host in self._hosts:
            waiting.put(host)

        def work() -> None:
            while not self._abandoned:
                try:
                    host = waiting.get_nowait()
                except queue.Empty:
                    return
                outcomes.put((host, _outcome(host)))

        # What the threads start has to outlive Ctrl-C, too; they take over what is held back.
        with _interrupts_held_back():
            for _ in range(min(_LOGINS_AT_A_TIME, len(self._hosts))):
                self._openers.append(threading.Thread(target=work, daemon=True))
                self._openers[-1].start()

    def _open_here(self, key: str, plan: WorkerPlan) -> Gateway:
        try:
            # Ctrl-C reaches the whole process group; agents have to outlive it to stop in order.
            with _interrupts_held_back():
                gateway = self._group.makegateway(f"popen//id={key}")
            channel = _send_agent(gateway, plan, "")
            channel.send(agent_zip())
        except (OSError, EOFError) as error:
            cause = "it ended at once" if isinstance(error, (EOFError, BrokenPipeError)) else error
            raise AgentStartError(
                f"agent {key}: no process could be started on this host: {cause}",
                remedy="Check that the Python that runs pytest can start another one.",
            ) from error
        return _connect(channel, key, self._deliver)


class _Remote:
    """A host with its first gateway, through which those of its agents are started."""

    def __init__(self, host: Host, deliver: Callable[[tuple[str, str | None]], None]) -> None:
        # Of its own: what happens to this host is no hindrance to the end of another.
        self.group = execnet.Group(execmodel="thread")
        self.host = host
        self.is_open = False
        self._deliver = deliver
        self._channel: Any = None
        self._ended = threading.Event()

    @property
    def limit_s(self) -> float:
        return self.host.limit_s + _START_S + _START_EACH_S * len(self.host.workers)

    def open(self) -> dict[str, Gateway]:
        """Reach the host and start its agents; raises `HostUnusable`."""
        self.host.connect()
        try:
            gateway = self.group.makegateway(self.host.spec)
            channel = gateway.remote_exec(keeper)
            channel.send(agent_zip())
            kept = json.loads(channel.receive(_START_S))
            channel.setcallback(lambda _text: self._ended.set(), endmarker=None)
            self._channel = channel
            opened = {}
            for key, plan in self.host.workers.items():
                spec = f"popen//via={self.host.name}//python={shlex.join(kept['python'])}//id={key}"
                started = _send_agent(self.group.makegateway(spec), plan, kept["zip"])
                opened[key] = _connect(started, key, self._deliver, self)
        except execnet.RemoteError as error:
            raise HostUnusable("agent-failed", str(error.formatted).strip().rpartition("\n")[2]) from error
        except execnet.TimeoutError as error:
            raise HostUnusable(
                "agent-timeout", f"it did not take the agent within {_START_S:.0f} s"
            ) from error
        except (OSError, EOFError, AssertionError, execnet.HostNotFound) as error:
            words = self.host.farewell() or "its Python ended before the agents began"
            raise HostUnusable("agent-failed", words) from error
        self.is_open = True
        return opened

    def send(self, text: str) -> None:
        if self._channel is not None:
            # The end of a host shows in that of its agents.
            with suppress(OSError):
                self._channel.send(text)

    def farewell(self) -> str:
        if not self._ended.wait(_NEWS_S):
            return ""
        return self.host.farewell() or f"the connection to {self.host.plan.title} is gone"


def _outcome(host: _Remote) -> dict[str, Gateway] | Exception:
    try:
        return host.open()
    except Exception as error:  # noqa: BLE001 - it is raised where the outcome is waited for
        return error


def _send_agent(gateway: Any, plan: WorkerPlan, zip_path: str) -> Any:
    channel = gateway.remote_exec(bootstrap)
    channel.send(json.dumps({"env": dict(plan.env), "zip": zip_path}))
    return channel


def _connect(
    channel: Any,
    key: str,
    deliver: Callable[[tuple[str, str | None]], None],
    host: _Remote | None = None,
) -> Gateway:
    channel.setcallback(lambda text: deliver((key, text)), endmarker=None)
    return Gateway(channel, host)


def _terminate(group: Any, grace_s: float) -> None:
    """End all processes of a group; takes as long as it takes, since execnet's wait for a killed process has no bound."""
    while len(group):
        # Processes on a host that is gone cannot be ended from here: its keeper does it. Each attempt leaves fewer.
        with suppress(OSError, EOFError):
            group.terminate(timeout=grace_s)


def _at_one_time(actions: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_TERMINATED_S)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
