"""The agent's main loop: answers the controller until it says goodbye or is gone (see `messages`)."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
import traceback
from collections import deque
from functools import partial
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Callable

from . import PROTOCOL
from .host_cpu import read_host_cpu
from .link import Alone
from .op_log import OpLog
from .recorder import Totals
from .resolution import StageFailed
from .room import available_memory
from .sigv4 import Credentials
from .stages import Prepared, Worker
from .tls import TlsSettings

if TYPE_CHECKING:
    from .link import Link
    from .messages import Message
    from .recorder import Segment

_POLL_S = 1.0
# How long an abort may go unnoticed before the start.
_PATIENCE_NS = 100_000_000


class _Aborted(Exception):
    """The controller wants the stage to end before it began."""


def serve(link: Link) -> None:
    """Hold the conversation; returns when it is over."""
    link.watch()
    try:
        _Conversation(link).hold()
    except Alone:
        pass
    finally:
        link.finish()


class _Conversation:
    def __init__(self, link: Link) -> None:
        self._link = link
        self._worker: Worker | None = None
        self._prepared: Prepared | None = None
        self._op_log: OpLog | None = None

    def hold(self) -> None:
        while True:
            message = self._link.receive(_POLL_S)
            if message is None:
                continue
            if message["type"] == "bye":
                if self._worker is not None:
                    self._worker.close()
                self._link.send({"type": "bye"})
                return
            try:
                self._answer(message)
            except Alone:
                raise
            except Exception:  # noqa: BLE001 - a bug of ours must reach the controller with its traceback
                self._link.send(
                    {
                        "type": "failed",
                        "stage": -1,
                        "kind": "internal",
                        "detail": traceback.format_exc(),
                        "endpoint": 0,
                    }
                )

    def _answer(self, message: Message) -> None:
        kind = message["type"]
        if kind == "hello":
            self._link.send(_hello())
        elif kind == "ping":
            self._link.send({"type": "pong", "number": message["number"], "now_ns": monotonic_ns()})
        elif kind == "plan":
            keys = message["credentials"]
            tls = message.get("tls")
            plan = message["plan"]
            if plan["op_log_bytes"]:
                self._op_log = OpLog(plan, self._link.send)
                self._link.taken = self._op_log.taken
            self._worker = Worker(
                plan, Credentials(**keys) if keys else None, TlsSettings(**tls) if tls else None, self._op_log
            )
            if not plan["process"]:
                # The processes of an agent are on one host.
                self._link.vitals = lambda: {"host_cpu": read_host_cpu()}
            self._link.send({"type": "preflight", "checks": self._worker.check()})
        elif kind == "stage":
            self._prepare(message["stage"])
        elif kind == "start":
            if self._op_log is not None:
                self._op_log.epoch_ns = message["epoch_ns"]
            self._run(message["at_ns"])
        # alive, ack and a late abort need no answer.

    def _prepare(self, index: int) -> None:
        assert self._worker is not None
        try:
            self._prepared = self._worker.prepare(index, self._breathe)
        except StageFailed as failure:
            self._link.send(
                {
                    "type": "failed",
                    "stage": index,
                    "kind": failure.kind,
                    "detail": failure.detail,
                    "endpoint": failure.endpoint,
                }
            )
        except _Aborted:
            self._link.send(
                {
                    "type": "failed",
                    "stage": index,
                    "kind": "aborted",
                    "detail": "stopped on request",
                    "endpoint": 0,
                }
            )
        else:
            room = self._prepared.room
            self._link.send({"type": "ready", "stage": index, **({"room": room} if room else {})})

    def _breathe(self) -> None:
        while (message := self._link.receive(0)) is not None:
            if message["type"] == "bye":
                self._link.put_back(message)
            if message["type"] in {"abort", "bye"}:
                raise _Aborted

    def _run(self, at_ns: int) -> None:
        assert self._worker is not None
        assert self._prepared is not None
        prepared, self._prepared = self._prepared, None
        endpoints, timed = len(self._worker.plan["endpoints"]), self._worker.engine.times_first_byte
        totals = partial(Totals, endpoints, times_first_byte=timed)
        reins = _Reins(self._link, prepared.number, totals, self._worker.settled)
        while not reins.check(monotonic_ns()) and (wait_ns := at_ns - monotonic_ns()) > 0:
            time.sleep(min(wait_ns, _PATIENCE_NS) / 1e9)
        result = self._worker.run(prepared, at_ns, reins, reins.done, reins.totals)
        self._link.send(dict(result))
        delay_s = prepared.stage["delay_s"]
        if delay_s and result["outcome"] == "completed" and result["sections"]:
            end_ns = monotonic_ns() + int(delay_s * 1e9)
            while monotonic_ns() < end_ns and not reins.check(monotonic_ns()):
                time.sleep(0.05)
        self._link.send({"type": "rested", "stage": prepared.number})


class _Reins:
    """Implements `engine.Control`: sends ticks, listens for an abort.

    ``settled`` returns the first interval of which more may come, for the time now.
    """

    def __init__(
        self, link: Link, stage: int, make_totals: Callable[[], Totals], settled: Callable[[int], int]
    ) -> None:
        self.done: deque[Segment] = deque()
        self.totals = make_totals()
        self._link = link
        self._stage = stage
        self._make_totals = make_totals
        self._stopped = False
        self._ask_settled = settled
        self._settled = 0

    def check(self, now_ns: int) -> bool:
        # Asked before the ticks are sent: so they are all that came before.
        settled = self._ask_settled(now_ns)
        self._send_ticks()
        if settled > self._settled:
            self._settled = settled
            self._link.send({"type": "settled", "stage": self._stage, "interval": settled})
        if self._stopped:
            return True
        try:
            while (message := self._link.receive(0)) is not None:
                if message["type"] == "bye":
                    # Meant for the conversation, which comes to it when the load has stopped.
                    self._link.put_back(message)
                    self._stopped = True
                    break
                if message["type"] == "abort":
                    self._stopped = True
        except Alone:
            # Stop in order; the conversation will notice the end by itself.
            self._stopped = True
        return self._stopped

    def _send_ticks(self) -> None:
        deltas: dict[tuple[int, int], Totals] = {}
        while self.done:
            segment = self.done.popleft()
            self.totals.add(segment)
            deltas.setdefault((segment.tick, segment.interval), self._make_totals()).add(segment)
        for (tick, interval), delta in deltas.items():
            self._link.send(
                {
                    "type": "tick",
                    "stage": self._stage,
                    "tick": tick,
                    "interval": interval,
                    "sections": delta.sections_wire(),
                    "errors": delta.errors_wire(),
                }
            )


def _hello() -> dict[str, Any]:
    return {
        "type": "hello",
        "protocol": PROTOCOL,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "cores": os.cpu_count() or 1,
        "memory": available_memory(),
        "pid": os.getpid(),
        "executable": sys.executable,
        "now_ns": monotonic_ns(),
    }
