"""Keeps the processes of one embedded server and ends them with their owner, however the owner ends.

Runs as a script in a session of its own, so that the terminal's Ctrl-C does not reach it: ``keeper.py FOLDER``, with
a SOCK_SEQPACKET socket to the owner as standard input. The owner sends ``{"name", "argv", "env"}`` for a process to
start in FOLDER, with its output in ``NAME.log``; the keeper sends ``[name, status]`` for each process that ends. When
the socket closes or the owner is gone, every process is killed and FOLDER removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_OWNER_CHECK_S = 1.0


class Children:
    """The processes that were started, by name, in the order of their start."""

    def __init__(self, folder: Path, owner: socket.socket) -> None:
        self._folder = folder
        self._owner = owner
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._libc = ctypes.CDLL(None)

    def start(self, name: str, argv: list[str], env: dict[str, str]) -> None:
        """Start one process; one that cannot be started counts as ended, with the cause in its log."""
        with (self._folder / f"{name}.log").open("wb") as log:
            try:
                self._running[name] = subprocess.Popen(  # noqa: S603 - the owner's own command
                    argv,
                    cwd=self._folder,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # The keeper has one thread, so Python code after the fork is safe here.
                    preexec_fn=self._die_with_keeper,  # noqa: PLW1509
                )
            except OSError as error:
                log.write(f"{error}\n".encode())
                self._report(name, 127)

    def reap(self) -> None:
        """Report the processes that ended."""
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                del self._running[name]
                self._report(name, status)

    def kill(self) -> None:
        """End all, the last started first; nothing they hold is worth an orderly end."""
        processes = list(reversed(self._running.values()))
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()

    def _report(self, name: str, status: int) -> None:
        # An owner that is gone shows at the next read.
        with contextlib.suppress(ConnectionError):
            self._owner.send(json.dumps([name, status]).encode())

    def _die_with_keeper(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def keep(folder: Path, owner: socket.socket) -> None:
    """Serve the owner until it closes the socket or dies."""
    wake, wakened = socket.socketpair()
    wake.setblocking(False)
    wakened.setblocking(False)
    signal.set_wakeup_fd(wakened.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    owner_pid = os.getppid()
    children = Children(folder, owner)
    try:
        # A fork of the owner may hold its end of the socket open, hence the look at the parent.
        while os.getppid() == owner_pid:
            ready, _, _ = select.select([owner, wake], [], [], _OWNER_CHECK_S)
            if wake in ready:
                wake.recv(4096)
            if owner in ready:
                message = _receive(owner)
                if not message:
                    break
                children.start(**json.loads(message))
            children.reap()
    finally:
        children.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _receive(owner: socket.socket) -> bytes:
    try:
        return owner.recv(1 << 16)
    except ConnectionError:
        return b""  # the owner ended with reports unread


if __name__ == "__main__":
    keep(Path(sys.argv[1]), socket.socket(fileno=0))
