"""``op_log.tsv.gz``: every operation with its endpoint, as agents send it while a run goes on."""

from __future__ import annotations

import gzip
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.op_log import COLUMNS
from pytest_sai3bench.reports.run_folder import GrowingFile, agent_folders

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_MEANINGS = {
    "idx": "running number of the process",
    "thread": "number of the thread on the agent's host",
    "op": "`GET`, `PUT`, `LIST`, `HEAD` (a stat) or `DELETE`",
    "client_id": "id of the agent",
    "n_objects": "1; of a list from S3 how many it found, of a failed attempt 0",
    "bytes": "size of the object, or of the range; 0 for a failed attempt",
    "endpoint": "URI of the endpoint that was asked",
    "file": "path of the object there; tabs and line ends as `%09`, `%0A`, `%0D`",
    "error": "kind and text of a failure, empty for a success",
    "start": "begin, RFC 3339 with nanoseconds, UTC by the clock of the host that runs pytest",
    "first_byte": "of a get, as far as it is known, else its end; of a put its begin; empty for others",
    "end": "end",
    "duration_ns": "end minus begin by the monotonic clock, ns",
}


def describe_op_log() -> str:
    """Return the reference of all columns in Markdown."""
    rows = [f"| `{name}` | {_MEANINGS[name]} |" for name in COLUMNS]
    return "\n".join(["| column | meaning |", "| --- | --- |", *rows, ""])


class OpLogFiles:
    """The logs of operations in the folder of a run, one of each agent.

    Each is a row of gzip files, which is one, too. Raises `ResultsError` when it cannot be begun; what cannot be written
    later is told by `close`.
    """

    def __init__(self, folder: Path, plan: RunPlan) -> None:
        agents = dict.fromkeys(worker.agent for worker in plan.workers)
        folders = agent_folders(agents)
        header = "\t".join(COLUMNS).encode() + b"\n"
        with ExitStack() as opened:
            self._files = {
                agent: opened.enter_context(
                    closing(GrowingFile(folder / folders.get(agent, "") / "op_log.tsv.gz"))
                )
                for agent in agents
            }
            self._opened = opened.pop_all()
        for agent in agents:
            self.add(agent, gzip.compress(header, mtime=0))

    def add(self, agent: str, piece: bytes) -> None:
        """Append a gzip file of lines to the log of an agent."""
        self._files[agent].append(lambda stream: stream.buffer.write(piece))

    def close(self) -> None:
        """End the logs; raises `ResultsError` when one of them is not whole."""
        self._opened.close()
