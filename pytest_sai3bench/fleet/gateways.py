"""Processes that agents run in, through execnet: the only module that knows it."""

from __future__ import annotations

import json
import queue
import shlex
import signal
import threading
from contextlib import contextmanager, suppress
from functools import cache
from subprocess import PIPE, Popen
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import execnet
from execnet.gateway_base import ThreadExecModel

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet import bootstrap, keeper
from pytest_sai3bench.fleet.host_causes import HostUnusable
from pytest_sai3bench.fleet.shipping import agent_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_sai3bench.fleet.hosts import Host
    from pytest_sai3bench.plan.model import WorkerPlan

    Deliver = Callable[[tuple[str, str | None]], None]
    """Called with (key, text), and (key, None) at a process's end.

    It runs in execnet's threads: it may do no more than put into a queue.
    """

# Once for all agents that the Python of this process runs.
_compile_agent = cache(keeper.compile_agent)
# How long a process may take to end when asked to, before it is killed; and how long all that may take.
_TERMINATE_S = 1.0
_TERMINATE_AT_ONCE_S = 0.2
TERMINATED_S = 5.0
# From the end of a process to the reason of it.
_REASON_S = 1.0
# From the end of an agent to that of its host's connection, when both have one cause.
_NEWS_S = 0.5
# How long a host that is reached may take for its first process.
START_S = 20.0


class Gateway:
    """One agent process; ``host`` is None for those that are children of this process."""

    def __init__(self, channel: Any, host: Remote | None = None) -> None:
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


class _Children(ThreadExecModel):
    """Threads as ever, but what is started on this host has the environment ``env``, and not that of this process."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self._started: list[Popen[bytes]] = []

    @property
    def subprocess(self) -> Any:
        return SimpleNamespace(PIPE=PIPE, Popen=self._start)

    def kill(self) -> None:
        for process in self._started:
            process.kill()

    def reap(self) -> None:
        """Leave nothing of those that execnet forgets, such as one that ends before it says a word."""
        self.kill()
        for process in self._started:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with suppress(OSError):
                    if pipe:
                        pipe.close()
        self._started.clear()

    def _start(self, command: Sequence[str], *, stdin: int, stdout: int) -> Popen[bytes]:
        process = Popen(command, stdin=stdin, stdout=stdout, env=self._env)  # noqa: S603 - made by execnet
        self._started.append(process)
        return process


def _group(env: Mapping[str, str]) -> Any:
    # Where execnet takes the name of a model, it takes a model as well.
    model: Any = _Children(env)
    return execnet.Group(execmodel=model)


class ThisHost:
    """The agents that are children of this process, with the environment ``env``."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._group = _group(env)

    def start(self, key: str, plan: WorkerPlan, deliver: Deliver) -> Gateway:
        """Start one agent; raises `AgentStartError`."""
        try:
            # Ctrl-C reaches the whole process group; agents have to outlive it to stop in order.
            with interrupts_held_back():
                gateway = self._group.makegateway(f"popen//id={key}")
            channel = _send_agent(gateway, plan, "")
            channel.send(_compile_agent(agent_zip()))
        except (OSError, EOFError) as error:
            cause = "it ended at once" if isinstance(error, (EOFError, BrokenPipeError)) else error
            raise AgentStartError(
                f"agent {key}: no process could be started on this host: {cause}",
                remedy="Check that the Python that runs pytest can start another one.",
            ) from error
        return _connect(channel, key, deliver)

    def close(self, *, at_once: bool) -> None:
        """End all agents, ``at_once`` with less patience; may be called again."""
        _terminate(self._group, at_once=at_once)


class Remote:
    """A host with its first gateway, in which `keeper` runs, and through which those of its agents are started."""

    def __init__(self, host: Host) -> None:
        self.host = host
        # Of its own: what happens to this host is no hindrance to the end of another.
        self._group = _group(host.env)
        self._agents: list[Any] = []
        self._channel: Any = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._ended = threading.Event()

    @property
    def is_usable(self) -> bool:
        """True when it is connected."""
        return self._channel is not None and not self._ended.is_set() and not self.host.farewell()

    def start(self, workers: Mapping[str, WorkerPlan], deliver: Deliver) -> dict[str, Gateway]:
        """Reach the host, unless that is done, and start agents; raises `HostUnusable`."""
        opened = {}
        with self._reached():
            kept = json.loads(self._ask("agent", START_S))
            for key, plan in workers.items():
                spec = f"popen//via={self.host.name}//python={shlex.join(kept['python'])}//id={key}"
                self._agents.append(self._group.makegateway(spec))
                channel = _send_agent(self._agents[-1], plan, kept["zip"])
                opened[key] = _connect(channel, key, deliver, self)
        return opened

    def count_cores(self) -> int:
        """Reach the host, unless that is done, and return how many physical cores it has; raises `HostUnusable`."""
        with self._reached():
            return int(json.loads(self._ask("agent", START_S))["cores"])

    def send(self, text: str) -> None:
        """Tell the keeper something."""
        if self._channel is not None:
            # The end of a host shows in that of its agents.
            with suppress(OSError):
                self._channel.send(text)

    def beat(self) -> None:
        """Tell the host that this one is there."""
        self.host.beat()
        self.send("alive")

    def farewell(self) -> str:
        """Return how the connection ended, empty as long as it stands."""
        if not self._ended.wait(_NEWS_S):
            return ""
        return self.host.farewell() or f"the connection to {self.host.plan.title} is gone"

    def end_agents(self) -> bool:
        """Let the agents end, those that do not by force; returns False when the host is not to be used any more."""
        agents, self._agents = self._agents, []
        # What they are told goes through the host, which may not answer.
        ending = threading.Thread(target=lambda: [agent.exit() for agent in agents], daemon=True)
        ending.start()
        ending.join(TERMINATED_S)
        if ending.is_alive() or not self.is_usable:
            return False
        try:
            return self._ask("end", TERMINATED_S + TERMINATED_S) == "ended"
        except (OSError, EOFError, execnet.RemoteError, queue.Empty):
            return False

    def close(self, *, at_once: bool) -> None:
        """End all that runs there, and the connection; may be called again."""
        if at_once:
            # First what leads there. Whoever waits for an answer of the other side, waits no longer then.
            self.host.close(at_once=True)
            self._group.execmodel.kill()
        _terminate(self._group, at_once=at_once)
        self.host.close(at_once=at_once)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Connect the host, unless that is done, and say why it, or what is done with it, fails."""
        try:
            if self._channel is None:
                self.host.connect()
                self._connect()
            yield
        except execnet.RemoteError as error:
            raise HostUnusable("agent-failed", str(error.formatted).strip().rpartition("\n")[2]) from error
        except queue.Empty as error:
            raise HostUnusable(
                "agent-timeout", f"it did not take the agent within {START_S:.0f} s"
            ) from error
        except (OSError, EOFError, AssertionError, execnet.HostNotFound) as error:
            words = self.host.farewell() or "its Python ended before the agents began"
            raise HostUnusable("agent-failed", words) from error

    def _connect(self) -> None:
        channel = self._group.makegateway(self.host.spec).remote_exec(keeper)
        channel.send(agent_zip())
        channel.setcallback(self._hear, endmarker=None)
        self._channel = channel

    def _hear(self, text: str | None) -> None:
        if text is None:
            self._ended.set()
        self._answers.put(text)

    def _ask(self, text: str, limit_s: float) -> str:
        self._channel.send(text)
        answer = self._answers.get(timeout=limit_s)
        if answer is None:
            # With the reason, if there is one.
            self._channel.waitclose(_REASON_S)
            raise EOFError
        return answer


def _send_agent(gateway: Any, plan: WorkerPlan, zip_path: str) -> Any:
    channel = gateway.remote_exec(bootstrap)
    channel.send(json.dumps({"env": dict(plan.env), "zip": zip_path}))
    return channel


def _connect(
    channel: Any,
    key: str,
    deliver: Deliver,
    host: Remote | None = None,
) -> Gateway:
    channel.setcallback(lambda text: deliver((key, text)), endmarker=None)
    return Gateway(channel, host)


def _terminate(group: Any, *, at_once: bool) -> None:
    """End all processes of a group; bounded, whatever they do."""
    grace_s = _TERMINATE_AT_ONCE_S if at_once else _TERMINATE_S

    def end() -> None:
        while len(group):
            # Processes on a host that is gone cannot be ended from here: its keeper does it. Each attempt leaves fewer.
            with suppress(OSError, EOFError):
                group.terminate(timeout=grace_s)
        group.execmodel.reap()

    # In a thread of its own, since execnet's wait for a killed process has no bound.
    ending = threading.Thread(target=end, daemon=True)
    ending.start()
    ending.join(TERMINATED_S)


@contextmanager
def interrupts_held_back() -> Iterator[None]:
    """Keep Ctrl-C from this thread, and from what it starts for good."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
