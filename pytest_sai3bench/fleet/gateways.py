"""Processes that agents run in, through execnet: the only module that knows it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import execnet

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet import bootstrap
from pytest_sai3bench.fleet.shipping import agent_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How long a process may take to end when asked to, before it is killed; and how long all that may take.
_TERMINATE_S = 1.0
_TERMINATE_AT_ONCE_S = 0.2
_TERMINATED_S = 5.0
# From the end of a process to the reason of it.
_REASON_S = 1.0


class Gateway:
    """One agent process."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def send(self, text: str) -> None:
        """Send a text; raises OSError when the process is gone."""
        self._channel.send(text)

    def failure(self) -> str:
        """Return the traceback with which the agent ended, empty when there is none; to be asked after its end."""
        try:
            self._channel.waitclose(_REASON_S)
        except execnet.RemoteError as error:
            return error.formatted
        except (EOFError, OSError):
            # The process was killed, or is not there to say why.
            return ""
        return ""


class Gateways:
    """All agent processes of a fleet; ``deliver`` is called with (key, text), and (key, None) at a process's end.

    ``deliver`` runs in execnet's threads: it may do no more than put into a queue.
    """

    def __init__(self, deliver: Callable[[tuple[str, str | None]], None]) -> None:
        self._deliver = deliver
        self._group = execnet.Group(execmodel="thread")

    def open(self, key: str) -> Gateway:
        """Start an agent process on this host and send it the agent; raises `AgentStartError`."""
        try:
            # Ctrl-C reaches the whole process group; agents have to outlive it to stop in order.
            with _interrupts_held_back():
                gateway = self._group.makegateway(f"popen//id={key}")
            channel = gateway.remote_exec(bootstrap)
            channel.send(agent_zip())
        except (OSError, EOFError) as error:
            cause = "it ended at once" if isinstance(error, (EOFError, BrokenPipeError)) else error
            raise AgentStartError(
                f"agent {key}: no process could be started on this host: {cause}",
                remedy="Check that the Python that runs pytest can start another one.",
            ) from error
        deliver = self._deliver
        channel.setcallback(lambda text: deliver((key, text)), endmarker=None)
        return Gateway(channel)

    def close(self, *, at_once: bool) -> None:
        """End all processes, ``at_once`` with less patience; bounded, whatever they do."""
        grace_s = _TERMINATE_AT_ONCE_S if at_once else _TERMINATE_S
        # In a thread of its own, since execnet's wait for a killed process has no bound.
        ending = threading.Thread(target=self._group.terminate, kwargs={"timeout": grace_s}, daemon=True)
        ending.start()
        ending.join(_TERMINATED_S)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
