"""Whole runs of several agents over stores that have nothing in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

SUITE = """
    namespace: {namespace}
    duration: 400ms
    concurrency: 4
    processes: {processes}
    distributed:
      agents:
        - {address: localhost, multi_endpoint: {endpoints: ["file://{tmp}/n0/", "file://{tmp}/n1/"]}}
        - {address: localhost, multi_endpoint: {endpoints: ["file://{tmp}/n2/", "file://{tmp}/n3/"]}}
    prepare:
      ensure_objects: [{base_uri: data/, count: 40, size_spec: 4KiB}]
      cleanup: true
      cleanup_mode: strict
    workload:
      - {op: get, path: "data/*", weight: 6, verify: true}
      - {op: put, path: new/, weight: 2, object_size: 1KiB}
      - {op: {more}, path: "data/*", weight: 1}
      - {op: list, path: data/, weight: 1}
"""


def _suite(namespace: str, processes: int, more: str) -> str:
    return (
        SUITE.replace("{namespace}", namespace).replace("{processes}", str(processes)).replace("{more}", more)
    )


def _numbers(folder: Path, kind: str = "prepared") -> list[int]:
    return sorted(int(path.name[-12:-4]) for path in folder.glob(f"data/{kind}-*.dat"))


def test_agents_find_their_own_objects_on_their_own_endpoints(
    run_of: Callable[[str], Run], tmp_path: Path, files_below: Callable[[Path], list[str]]
) -> None:
    nodes = [tmp_path / f"n{number}" for number in range(4)]
    for node in nodes:
        node.mkdir()
    run = run_of(_suite("independent", 2, "delete"))

    run.prepare()
    # Four workers make every fourth object each; an agent has two of them and spreads what they make.
    for kind in ("prepared", "deletable"):
        assert [_numbers(node, kind) for node in nodes] == [
            [number for number in range(40) if number % 4 == first] for first in range(4)
        ]
    run.work()
    run.clean_up()

    workload = run.result().workload
    assert workload is not None
    assert workload.tally().errors == 0
    assert all(workload.tally(ops=["get"], endpoint=uri).ops for uri in workload.endpoints)
    assert [files_below(node) for node in nodes] == [[]] * 4


def test_every_endpoint_of_every_agent_has_all_copies(
    run_of: Callable[[str], Run], tmp_path: Path, files_below: Callable[[Path], list[str]]
) -> None:
    nodes = [tmp_path / f"n{number}" for number in range(4)]
    for node in nodes:
        node.mkdir()
    run = run_of(_suite("replicated", 2, "stat"))

    run.prepare()
    assert [_numbers(node) for node in nodes] == [[*range(40)]] * 4
    run.work()
    run.clean_up()

    prepare, workload, _ = run.result().phases
    # The processes of an agent share the copies for its endpoints.
    assert [prepare.tally(endpoint=uri).ops for uri in prepare.endpoints] == [40] * 4
    assert workload.tally().errors == 0
    assert all(workload.tally(ops=["get"], endpoint=uri).ops for uri in workload.endpoints)
    assert [files_below(node) for node in nodes] == [[]] * 4
