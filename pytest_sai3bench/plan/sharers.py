"""Which workers drive an endpoint together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.plan.model import WorkerPlan


def with_sharers(workers: Sequence[WorkerPlan]) -> Iterator[WorkerPlan]:
    """Tell each worker which of those it is that drive an endpoint, for every one of its endpoints."""
    drivers: dict[str, list[int]] = {}
    for worker in workers:
        for endpoint in worker.endpoints:
            drivers.setdefault(endpoint.uri, []).append(worker.worker)
    for worker in workers:
        found = [drivers[endpoint.uri] for endpoint in worker.endpoints]
        yield replace(worker, sharers=tuple((each.index(worker.worker), len(each)) for each in found))
