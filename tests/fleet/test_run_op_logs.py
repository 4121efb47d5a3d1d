"""The logs of operations of whole runs, as they come to the controller."""

from __future__ import annotations

import gzip
from collections import Counter
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.op_log import COLUMNS
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from pytest_sai3bench.embedded.server import EmbeddedServer
    from pytest_sai3bench.plan.model import RunPlan

_NAMES = {"get": "GET", "put": "PUT", "list": "LIST", "stat": "HEAD", "delete": "DELETE"}


class _Pieces(Observer):
    def __init__(self) -> None:
        self.pieces: dict[str, bytes] = {}

    def logged(self, agent: str, piece: bytes) -> None:
        self.pieces[agent] = self.pieces.get(agent, b"") + piece

    def rows(self, agent: str) -> list[dict[str, str]]:
        lines = gzip.decompress(self.pieces[agent]).decode().splitlines()
        return [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines]


def test_the_logs_of_all_processes_hold_every_operation_that_was_counted(
    plan_of: Callable[[str], RunPlan], s3_server: EmbeddedServer, bucket: str
) -> None:
    uris = [f"s3://{host}:{port}/{bucket}/" for host, port in s3_server.addresses[:3]]
    plan = plan_of(
        f"""
        duration: 700ms
        concurrency: 4
        processes: 2
        op_log_path: /tmp/of/another/host.tsv
        distributed:
          agents:
            - {{address: localhost, id: a, multi_endpoint: {{endpoints: ["{uris[0]}", "{uris[1]}"]}}}}
            - {{address: localhost, id: b, multi_endpoint: {{endpoints: ["{uris[1]}", "{uris[2]}"]}}}}
        prepare:
          ensure_objects: [{{base_uri: data/, count: 24, size_spec: 4KiB}}]
          cleanup: true
        workload:
          - {{op: get, path: "data/*", weight: 5}}
          - {{op: put, path: new/, weight: 2, object_size: 1KiB}}
          - {{op: stat, path: "data/*", weight: 1}}
          - {{op: list, path: data/, weight: 1}}
        """
    )
    pieces = _Pieces()
    credentials: dict[str, Any] = s3_server.credentials._asdict()
    run = Run(plan, credentials, run_id="run-1", started_at=0, observers=[pieces])
    run.prepare()
    run.work()
    run.clean_up()
    phases = run.result().phases

    assert [note for phase in phases for report in phase.agents for note in report.notes] == []
    for agent in "ab":
        counted: Counter[tuple[str, str]] = Counter()
        for phase in phases:
            for series in (phase.warmup, phase.series):
                for key, tally in series.items():
                    if key.agent == agent:
                        counted[key.endpoint, _NAMES[key.op]] += tally.requests
        rows = pieces.rows(agent)
        assert Counter((row["endpoint"], row["op"]) for row in rows) == counted
        assert {row["client_id"] for row in rows} == {agent}
        # Each process counts for itself.
        assert len({row["thread"] for row in rows}) == 2
        assert {row["error"] for row in rows} == {""}
        assert {int(row["n_objects"]) for row in rows if row["op"] == "LIST"} <= {24}


def test_without_being_asked_for_there_is_no_log(plan_of: Callable[[str], RunPlan], tmp_path: Path) -> None:
    text = "target: file://{tmp}/\nduration: 50ms\nworkload: [{op: put, weight: 1, object_size: 1}]\n"

    def sizes(more: str) -> list[int]:
        return [worker.op_log_bytes for worker in plan_of(text + more).workers]

    assert sizes("") == sizes("op_log: {enabled: false}\nop_log_path: /x\n") == [0]
    assert sizes("op_log: {}\nprocesses: 2\n") == [1 << 29, 1 << 29]
    assert sizes("op_log_path: /x\nop_log: {max_size: 1MiB}\n") == [1 << 20]
