"""How many objects of prepare go over each endpoint, as `pytest_sai3bench.agent.placement` and the strategy decide it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.plan.cores import spread

if TYPE_CHECKING:
    from pytest_sai3bench.plan.model import WorkerPlan
    from pytest_sai3bench.plan.work import ObjectSet


def objects_per_endpoint(worker: WorkerPlan) -> list[float]:
    """Return for each endpoint of a worker how many objects prepare writes over it if none exist.

    Whole numbers but for ``namespace: shared``, where they are what the strategy comes to on average.
    """
    sets = next((stage.objects for stage in worker.stages if stage.kind == "prepare"), ())
    counts = [0.0] * len(worker.endpoints)
    for objects in sets:
        for endpoint, count in enumerate(_spread(worker, objects)):
            counts[endpoint] += count
    return counts


def _spread(worker: WorkerPlan, objects: ObjectSet) -> list[float]:
    endpoints = len(worker.endpoints)
    if objects.tree and worker.namespace == "replicated":
        return [objects.tree.own_files(*sharer) for sharer in worker.sharers]
    if objects.tree and worker.namespace == "independent":
        # Exact for one worker, which makes all of them; of several each has its part of every endpoint.
        every = [len(range(endpoint, objects.count, endpoints)) for endpoint in range(endpoints)]
        return [count * objects.own_count / max(objects.count, 1) for count in every]
    if worker.namespace == "replicated":
        return [len(range(share, objects.count, shares)) for share, shares in worker.sharers]
    if worker.namespace == "independent":
        order = [(number * worker.processes + worker.process) % endpoints for number in range(endpoints)]
        counts = [0.0] * endpoints
        for endpoint, count in zip(order, spread(objects.own_count, endpoints), strict=True):
            counts[endpoint] += count
        return counts
    weights = worker.weights or (1.0,) * endpoints
    return [objects.own_count * weight / sum(weights) for weight in weights]
