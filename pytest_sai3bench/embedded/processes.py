"""The owner's side of the keeper: start processes that cannot outlive us, and hear when one ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.plan.confidential import environment_of_children

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SCRIPT = Path(__file__).with_name("keeper.py")
_STOP_TIMEOUT_S = 10.0
_KEEPER_GONE = ("keeper", -int(signal.SIGKILL))


class ProcessGroup:
    """Processes that run in ``folder`` and end, together with the folder, when this process does.

    ``hold`` stays open in the keeper: what it reserves is reserved until the last process is gone.
    """

    def __init__(self, folder: Path, *, hold: socket.socket) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ended: tuple[str, int] | None = None
        with theirs:
            try:
                self._keeper = subprocess.Popen(  # noqa: S603 - our own script
                    [sys.executable, "-I", "-S", str(_SCRIPT), str(folder)],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=environment_of_children(os.environ),
                    pass_fds=(hold.fileno(),),
                    start_new_session=True,
                )
            except OSError:
                self._socket.close()
                raise

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str]) -> None:
        """Start a process whose output goes to ``name.log``; a keeper that is gone shows in `ended`."""
        message = {"name": name, "argv": list(argv), "env": dict(env)}
        try:
            self._socket.send(json.dumps(message).encode())
        except ConnectionError:
            self._ended = self._ended or _KEEPER_GONE

    def ended(self) -> tuple[str, int] | None:
        """Return name and exit status of the first process that ended, or None while all run."""
        if self._ended is None:
            try:
                message = self._socket.recv(1 << 16, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return None
            except ConnectionError:
                message = b""
            name, status = json.loads(message) if message else _KEEPER_GONE
            self._ended = (name, status)
        return self._ended

    def stop(self) -> None:
        """End all processes and wait for them; may be called again."""
        if self._socket.fileno() != -1:
            # Unlike close, it also reaches the keeper when a fork of ours holds the socket too.
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()
        try:
            self._keeper.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._keeper.pid, signal.SIGKILL)
            self._keeper.wait(_STOP_TIMEOUT_S)
