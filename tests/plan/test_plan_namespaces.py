"""What workers know of each other where the endpoints do not show the same objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    namespace: {namespace}
    processes: 2
    concurrency: 8
    multi_endpoint: {endpoints: [file:///a/, file:///b/]}
    distributed:
      agents:
        - {address: localhost}
        - {address: localhost, concurrency_override: 1, multi_endpoint: {endpoints: [file:///b/, file:///c/]}}
    prepare: {ensure_objects: [{base_uri: data/, count: 30, size_spec: 1KiB}], cleanup: true}
    workload: [{op: get, path: data/*, weight: 1}]
"""


def test_workers_know_with_whom_they_share_each_endpoint(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("{namespace}", "independent"))
    assert [worker.sharers for worker in plan.workers] == [
        ((0, 2), (0, 3)),
        ((1, 2), (1, 3)),
        ((2, 3), (0, 1)),
    ]
    wire = plan.workers[2].to_wire()
    assert (wire["namespace"], wire["sharers"]) == ("independent", [[2, 3], [0, 1]])
    assert (wire["process"], wire["processes"]) == (0, 1)


def test_all_workers_share_what_all_endpoints_show(plan_of: Callable[..., RunPlan]) -> None:
    worker = plan_of(_SUITE.replace("{namespace}", "shared")).workers[1]
    assert (worker.sharers, worker.to_wire()["sharers"]) == ((), [[1, 3], [1, 3]])


def test_a_dry_run_says_what_the_endpoints_show(plan_of: Callable[..., RunPlan]) -> None:
    lines = dry_run(plan_of(_SUITE.replace("{namespace}", "replicated"))).splitlines()
    assert "agent agent-1 at localhost: 2 workers, 8 lanes, replicated, round_robin" in lines
    assert "prepare: 30 objects, 30 KiB on each of 3 endpoints; those that are missing are written" in lines
    lines = dry_run(plan_of(_SUITE.replace("{namespace}", "independent"))).splitlines()
    assert "agent agent-2 at localhost: 1 lane, independent" in lines
    assert "prepare: 30 objects, 30 KiB; those that are missing are written" in lines
