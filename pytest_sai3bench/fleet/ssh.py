"""How ssh is called: one master for each host, which logs in, and clients that only use it."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet.host_causes import HostUnusable
from pytest_sai3bench.fleet.probe import CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.plan.model import SshPlan

# A host that answers nothing for three times as long is lost.
_ALIVE_S = 5
# Given before all else, so that no configuration can say otherwise.
_ALWAYS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ControlMaster=yes",
    "ControlPersist=no",
    "Compression=no",
    f"ServerAliveInterval={_ALIVE_S}",
    "ServerAliveCountMax=3",
    "ForwardAgent=no",
    "ForwardX11=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "LogLevel=ERROR",
)
# Folders of results may begin like this, too; but nothing else has a lock of this name.
_PREFIX, _LOCK = "sai3-", "pytest-sai3bench-ssh.lock"
# The address of a socket has 108 bytes, and ssh adds 17 while it makes one.
_LONGEST_PATH = 108 - 1 - 17


class SocketFolder:
    """A private folder for the sockets of the masters, what they say and the configurations of their clients.

    It is locked while this process lives. So the next one finds what a killed one has left, and removes it.
    """

    def __init__(self) -> None:
        bases = [tempfile.gettempdir(), "/tmp"]  # noqa: S108 - what is made there is private
        base = next(
            (base for base in bases if len(f"{base}/sai3-12345678/host-1000.socket") <= _LONGEST_PATH), None
        )
        if base is None:
            raise AgentStartError(
                "no folder for sockets has a short enough name", remedy="Set TMPDIR to a short one."
            )
        _remove_orphans(Path(base))
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        # It has its name when it is locked: to others, a folder without it is one that is just being made.
        unnamed = self.path / "unlocked"
        self._lock: int | None = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        unnamed.rename(self.path / _LOCK)

    def remove(self) -> None:
        """Remove the folder with all that is in it; may be called again."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None


def _remove_orphans(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*/{_LOCK}"):
        # Somebody else may do the same, and others' folders are none of our business.
        with suppress(OSError):
            if path.parent.lstat().st_uid != os.getuid():
                continue
            lock = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path.parent)
            finally:
                os.close(lock)


def master_command(plan: SshPlan, python: str, socket: Path) -> list[str]:
    """Return the command that logs in and starts the first Python; raises `HostUnusable` for files that are missing."""
    for file in (plan.key_file, plan.known_hosts, plan.config):
        if file and not Path(file).exists():
            raise HostUnusable("ssh-file", f"there is no file {file}")
    return [
        "ssh",
        "-T",
        *(["-F", plan.config] if plan.config else []),
        *_options(*_ALWAYS, f"ControlPath={_quoted(socket)}"),
        *plan.options,
        *_options(f"ConnectTimeout={max(1, math.ceil(plan.timeout_s))}"),
        *(_options(f"UserKnownHostsFile={_quoted(plan.known_hosts)}") if plan.known_hosts else ()),
        *(_options(f"IdentityFile={_quoted(plan.key_file)}", "IdentitiesOnly=yes") if plan.key_file else ()),
        *(["-l", plan.user] if plan.user else ()),
        *(["-p", str(plan.port)] if plan.port else ()),
        "--",
        plan.host,
        f'{python} -c "{CODE}"',
    ]


def client_config(socket: Path) -> str:
    """Return the configuration of clients: by the master, and by no other way when it is gone."""
    return (
        "Host *\n"
        f"  ControlPath {_quoted(socket)}\n"
        "  ControlMaster no\n"
        "  ProxyCommand false\n"
        "  BatchMode yes\n"
        "  RequestTTY no\n"
        "  LogLevel QUIET\n"
    )


def _options(*options: str) -> Iterator[str]:
    for option in options:
        yield from ("-o", option)


def _quoted(path: Path | str) -> str:
    # ssh takes percent signs for placeholders and white space for the end.
    return '"' + str(path).replace("%", "%%") + '"'
