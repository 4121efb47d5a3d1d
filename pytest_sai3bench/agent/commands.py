"""The command of a custom stage: run without a shell, watched, and ended with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from threading import Thread
from time import monotonic_ns
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine import Control

_CHECK_S = 0.05
# From a polite request to end to one that nothing can refuse.
_PATIENCE_S = 2.0
# Of what a command writes, its end: that is where it says why it failed.
_MOST_BYTES = 2000


def run_command(command: Sequence[str], control: Control) -> str:
    """Run ``command`` to its end, or to that of the stage; return why it failed, empty when it did not.

    Its processes form a group, and those of the group that are left end with it.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - it is what the suite asks for
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return f"{command[0]} cannot be run: {error.strerror}"
    assert process.stdout is not None
    tail = _Tail(process.stdout)
    try:
        while process.poll() is None and not control.check(monotonic_ns()):
            time.sleep(_CHECK_S)
        stopped = process.poll() is None
        if stopped:
            _end(process)
    finally:
        _kill(process)
        process.wait()
        said = tail.text()
    status = process.returncode
    if stopped or not status:
        return ""
    how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
    return f"{command[0]} {how}" + (f": {said}" if said else "")


class _Tail(Thread):
    """Reads all that a command writes, so that it never waits for a reader, and keeps the end of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._end = b""
        self.start()

    def run(self) -> None:
        descriptor = self._stream.fileno()
        with suppress(OSError):
            while piece := os.read(descriptor, 1 << 16):
                self._end = (self._end + piece)[-_MOST_BYTES:]

    def text(self) -> str:
        """Return the end, once the command has ended."""
        self.join(_PATIENCE_S)
        if not self.is_alive():
            self._stream.close()
        return self._end.decode(errors="replace").strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)
