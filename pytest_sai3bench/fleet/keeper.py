"""Run on a host before all agents, sent there as source: keeps the agent for them, and sees that they end.

Standard library only, and no other module of the package: there is none where this runs.
"""

from __future__ import annotations

import importlib.util
import io
import json
import marshal
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from typing import Any

# Nothing heard for this long, and this host is alone, as its agents find, too. How long they may then take to end.
_SILENCE_S = 15.0
_GRACE_S = 4.0
_EX_SOFTWARE = 70


def keep(channel: Any) -> None:
    """Receive the agent, and do what the controller asks for, until the end of the conversation.

    ``agent``: put the agent into a file and tell where it is, and what is to be known of the host; ``begun``: remove that
    file, all who need it have read it; ``end``: wait until all agents have ended, kill those that do not, and tell. No
    agent outlives the conversation.
    """
    archive = compile_agent(channel.receive())
    path = ""
    try:
        while (heard := _hear(channel)) != "over":
            if heard == "agent":
                path = path or _store(archive)
                channel.send(json.dumps({"zip": path, "python": _interpreter(), "cores": _cores(path)}))
            elif heard == "begun":
                path = _remove(path)
            elif heard == "end":
                _end_children()
                channel.send("ended")
    finally:
        _remove(path)
    _end_children()
    if not channel.isclosed():
        # The other side is silent; what waits for it would wait for hours.
        _end_session()
        os._exit(_EX_SOFTWARE)


def compile_agent(archive: bytes) -> bytes:
    """Return the agent compiled for this Python: its sources take longer to compile than all else before the work.

    Each worker imports it from the archive, where Python keeps nothing for the next one.
    """
    # Flags, and time and size of a source that is not there: see PEP 552.
    head = importlib.util.MAGIC_NUMBER + bytes(12)
    compiled = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as sources, zipfile.ZipFile(compiled, "w") as modules:
        for name in sources.namelist():
            code = compile(sources.read(name), name, "exec", dont_inherit=True)
            modules.writestr(f"{name}c", head + marshal.dumps(code))
    return compiled.getvalue()


def _store(archive: bytes) -> str:
    handle, path = tempfile.mkstemp(suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(archive)
    except BaseException:
        _remove(path)
        raise
    return path


def _remove(path: str) -> str:
    if path:
        os.unlink(path)  # noqa: PTH108 - pathlib is one import more
    return ""


def _interpreter() -> list[str]:
    """Return the command of the Python that runs this, with its own options: agents get the very same."""
    flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001
    # No word of execnet's may hold two slashes.
    return [(sys.executable or "python3").replace("//", "/"), *flags]


def _cores(path: str) -> int:
    sys.path.insert(0, path)
    try:
        from sai3bench_agent.cores import (  # type: ignore[import-not-found]  # noqa: PLC0415 - it just arrived
            physical_cores,
        )
    finally:
        sys.path.remove(path)
    return int(physical_cores())


def _hear(channel: Any) -> str:
    try:
        return str(channel.receive(_SILENCE_S))
    except (EOFError, channel.TimeoutError):
        return "over"


def _end_children() -> None:
    """Wait until the agents have ended, and kill those that do not, such as stopped ones."""
    deadline = time.monotonic() + _GRACE_S
    while (children := _children()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in children:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _end_session() -> None:
    """End the session of sshd that this is the command of, and with it the connection that nobody answers on."""
    parent = os.getppid()
    with suppress(OSError):
        with open(f"/proc/{parent}/comm") as file:  # noqa: PTH123
            is_sshd = file.read().startswith("sshd")
        if is_sshd:
            os.kill(parent, signal.SIGTERM)


def _children() -> list[int]:
    if not os.path.isdir("/proc/self"):  # noqa: PTH112 - pathlib is one import more
        return []
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib is one import more
        with suppress(OSError):
            status = open(f"/proc/{name}/stat").read() if name.isdigit() else ""  # noqa: PTH123, SIM115
            state, parent = status.rpartition(")")[2].split()[:2] if status else ("Z", "")
            if state != "Z" and parent == str(os.getpid()):
                found.append(int(name))
    return found


if __name__ == "__channelexec__":
    keep(channel)  # type: ignore[name-defined]  # noqa: F821 - execnet puts it there
