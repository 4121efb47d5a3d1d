"""Run on the host, sent there as source: take the zip from the channel, import the agent, hold the conversation.

Standard library only, and no other module of the package: there is none where this runs.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any


def start(channel: Any) -> None:
    """Receive the environment and the agent, and serve until the conversation is over.

    The file of an agent that comes over the channel is gone before the work begins, so nothing is left behind, however
    the process ends; an agent that is on the host already has its file kept by `keeper`.
    """
    if sys.version_info < (3, 9):  # noqa: UP036 - this is the check
        detail = "it runs Python " + ".".join(map(str, sys.version_info[:2]))
        failed = {"type": "failed", "stage": -1, "kind": "old-python", "detail": detail, "endpoint": 0}
        channel.send(json.dumps(failed))
        return
    first = json.loads(channel.receive())
    # Not given to the process when it is started: the system shows that to others.
    os.environ.update(first["env"])
    path = first["zip"] or _store(channel)
    sys.path.insert(0, path)
    try:
        from sai3bench_agent import link, serve  # type: ignore[import-not-found]  # noqa: PLC0415 - it just arrived
    finally:
        sys.path.remove(path)
        if not first["zip"]:
            os.unlink(path)  # noqa: PTH108 - pathlib is one import more
    conversation = link.Link(channel.send)
    channel.setcallback(conversation.feed, endmarker=None)
    serve.serve(conversation)


def _store(channel: Any) -> str:
    handle, path = tempfile.mkstemp(suffix=".zip")
    try:
        with os.fdopen(handle, "wb") as archive:
            archive.write(channel.receive())
    except BaseException:
        os.unlink(path)  # noqa: PTH108 - pathlib is one import more
        raise
    return path


if __name__ == "__channelexec__":
    start(channel)  # type: ignore[name-defined]  # noqa: F821 - execnet puts it there
