"""The agent as it travels: a zip of its sources; `bootstrap` unpacks it on the other side."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from pathlib import Path

from pytest_sai3bench import agent

# Under this name the agent is a package of its own on the host; one that is installed there is never touched.
PACKAGE = "sai3bench_agent"
# Fixed, so that the same sources make the same bytes.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


@cache
def agent_zip() -> bytes:
    """Return the agent's sources as a zip archive."""
    folder = Path(agent.__file__).parent
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(folder.glob("*.py")):
            entry = zipfile.ZipInfo(f"{PACKAGE}/{path.name}", _TIMESTAMP)
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()
