"""A first Python on a host: says which it is, and then waits for as long as its input does not end.

It is started before execnet does anything, by a process of our own: in its own session, so that nothing can prompt, with
a bound on the wait, and with all that is said in the way of an explanation. Over ssh its connection is the master that
all others share.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.host_causes import OLDEST, HostUnusable, judge_python, judge_ssh, last_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_MARK = b"sai3bench "
# Any Python, however old, has to understand it, and any shell to leave it alone between double quotes. It ends with its
# input, or when nothing comes for a while: a cut cable does not end a connection for hours.
CODE = (
    "import os,select,sys;"
    "sys.stdout.write('sai3bench %d.%d\\n' % sys.version_info[:2]);sys.stdout.flush();"
    "all(iter(lambda: bool(select.select([0],[],[],20)[0] and os.read(0,99)),False))"
)
_MOST_NOISE = 65536
# From the end of the output to that of the process; and from the end of its input to its own.
_EXIT_S = 2.0
# What ssh returns when it is not the command that failed.
_SSH_FAILED = 255


class Probe:
    """One process with the environment ``env``.

    ``python`` names the command in messages, ``log`` takes what is said on standard error.
    """

    def __init__(
        self, command: Sequence[str], python: str, log: Path, *, env: Mapping[str, str], over_ssh: bool
    ) -> None:
        self._python = python
        self._over_ssh = over_ssh
        self._log = log
        self._reading = threading.Lock()
        try:
            with log.open("wb") as errors:
                self._process = subprocess.Popen(  # noqa: S603 - what the suite names
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                    # The ssh of a jump host does not know that it is to ask nothing.
                    env={**env, "SSH_ASKPASS_REQUIRE": "never"},
                )
        except OSError as error:
            kind, name = ("ssh-missing", "ssh") if over_ssh else ("no-python", command[0])
            raise HostUnusable(kind, f"{name} cannot be started: {error.strerror}") from error
        assert self._process.stdin
        os.set_blocking(self._process.stdin.fileno(), False)

    @property
    def has_ended(self) -> bool:
        """True when the process, and with it the connection, is gone."""
        return self._process.poll() is not None

    @property
    def last_words(self) -> str:
        """The last line of standard error, empty when there is none."""
        return last_line(self._said())

    def await_python(self, limit_s: float) -> None:
        """Return when a Python that agents can use has answered; raises `HostUnusable`."""
        with self._reading:
            printed = self._read_up_to_the_mark(limit_s)
        noise, mark, version = printed.partition(_MARK)
        if not mark:
            raise self._failure(printed.decode(errors="replace"))
        if noise:
            line = noise.decode(errors="replace").strip().partition("\n")[0]
            raise HostUnusable("noisy-login", f"something wrote {line!r} before Python began")
        number = version.decode().strip()
        if tuple(map(int, number.split("."))) < OLDEST:
            raise HostUnusable("python-too-old", f"{self._python} is Python {number}")

    def beat(self) -> None:
        """Tell the other side that this one is there."""
        assert self._process.stdin
        # A closed pipe shows elsewhere, a full one does no harm.
        with suppress(OSError, ValueError):
            os.write(self._process.stdin.fileno(), b"\n")

    def close(self, *, at_once: bool) -> None:
        """End the process, ``at_once`` without waiting for the other side; may be called again."""
        process = self._process
        assert process.stdin
        assert process.stdout
        with suppress(OSError):
            process.stdin.close()
        # The whole session: commands that ssh started to get through end with it.
        for number, patience_s in (
            (0, 0.0 if at_once else _EXIT_S),
            (signal.SIGTERM, 1.0),
            (signal.SIGKILL, 5.0),
        ):
            if number:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
                break
        # Another thread may read, but no longer than there is somebody to write.
        with self._reading:
            process.stdout.close()

    def _read_up_to_the_mark(self, limit_s: float) -> bytes:
        assert self._process.stdout
        descriptor = self._process.stdout.fileno()
        output = select.poll()
        output.register(descriptor, select.POLLIN)
        deadline = monotonic() + limit_s
        printed = b""
        while _MARK not in printed or not printed.endswith(b"\n"):
            left_s = deadline - monotonic()
            if left_s <= 0 or not output.poll(left_s * 1000):
                raise self._lateness(limit_s)
            part = os.read(descriptor, 4096)
            printed += part
            if not part or len(printed) > _MOST_NOISE:
                break
        return printed

    def _lateness(self, limit_s: float) -> HostUnusable:
        said = self.last_words
        text = f"no answer within {limit_s:.0f} s"
        return HostUnusable(
            "host-timeout" if self._over_ssh else "python-failed", f"{text}: {said}" if said else text
        )

    def _failure(self, printed: str) -> HostUnusable:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_EXIT_S)
        code = self._process.returncode
        if self._over_ssh and code == _SSH_FAILED:
            return judge_ssh(self._said())
        return judge_python(self._python, code, self._said(), printed)

    def _said(self) -> str:
        with suppress(OSError):
            return self._log.read_text(errors="replace")
        return ""
