"""How many objects of prepare go over each endpoint, against what the agents do."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent.placement import make_placement
from pytest_sai3bench.plan.placement import objects_per_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    namespace: {namespace}
    processes: {processes}
    multi_endpoint: {{endpoints: ["file:///mnt/[1-3]/"]}}
    distributed:
      agents:
        - {{address: localhost}}
        - {{address: localhost, multi_endpoint: {{endpoints: ["file:///mnt/[3-7]/"]}}}}
    prepare:
      ensure_objects:
        - {{base_uri: a/, count: {count}, size_spec: 1}}
        - {{base_uri: b/, count: 7, size_spec: 1}}
    workload: [{{op: get, path: a/*, weight: 1}}]
"""


@pytest.mark.parametrize("count", [0, 1, 2, 60, 1001])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_object_is_counted_where_it_lives(
    plan_of: Callable[..., RunPlan], count: int, processes: int
) -> None:
    plan = plan_of(_SUITE.format(namespace="independent", processes=processes, count=count))

    for worker in plan.workers:
        homes: Counter[int] = Counter()
        placement = make_placement(json.loads(json.dumps(worker.to_wire())))
        for objects in worker.stages[0].objects:
            home = placement.homes_of_prepared(objects.shares)
            homes.update(home(number) for number in range(objects.share, objects.count, objects.shares))
        assert objects_per_endpoint(worker) == [homes[endpoint] for endpoint in range(len(worker.endpoints))]


@pytest.mark.parametrize("processes", [1, 2])
def test_every_endpoint_gets_each_copy_once(plan_of: Callable[..., RunPlan], processes: int) -> None:
    plan = plan_of(_SUITE.format(namespace="replicated", processes=processes, count=11))

    written: Counter[str] = Counter()
    for worker in plan.workers:
        for endpoint, number in zip(worker.endpoints, objects_per_endpoint(worker), strict=True):
            written[endpoint.uri] += int(number)
    assert written == {f"file:///mnt/{number}/": 18 for number in range(1, 8)}


def test_a_shared_set_is_spread_evenly_or_by_weight(plan_of: Callable[..., RunPlan]) -> None:
    suite = _SUITE.format(namespace="shared", processes=1, count=11)
    plan = plan_of(
        suite.replace(
            '["file:///mnt/[3-7]/"]',
            '["file:///mnt/8/", "file:///mnt/9/"], strategy: weighted, weights: [3, 1]',
        )
    )

    # 6 and 4 objects for the first, 5 and 3 for the second.
    even, weighted = (objects_per_endpoint(worker) for worker in plan.workers)
    assert even == pytest.approx([10 / 3] * 3)
    assert weighted == [6.0, 2.0]


def test_without_prepare_there_is_nothing_to_count(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of("target: file:///mnt/\nworkload: [{op: get, path: a/*, weight: 1}]\n")

    assert objects_per_endpoint(plan.workers[0]) == [0.0]
