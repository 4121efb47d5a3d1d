"""Whether bodies of gets can be dropped where a suite insists on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite


def check_read_sink(loaded: LoadedSuite, plan: RunPlan) -> Iterator[Problem]:
    """Yield what stands against ``read_sink: discard``: whoever writes it would compare what cannot be compared."""
    if loaded.suite.read_sink != "discard":
        return
    for reason in dict.fromkeys(_obstacles(plan)):
        text = f"'read_sink: discard' cannot be had {reason}: expected auto or copy"
        yield Problem(loaded.where(("read_sink",)), "read_sink", text)


def _obstacles(plan: RunPlan) -> Iterator[str]:
    for endpoint in plan.endpoints:
        if endpoint.scheme != "s3":
            yield f"with {endpoint.scheme}://, where all data are read"
        elif endpoint.tls:
            yield "over TLS, which the program has to decrypt"
    operations = (each for worker in plan.workers for stage in worker.stages for each in stage.operations)
    if any(each.verify and each.weight for each in operations):
        yield "with 'verify: true', which looks at the data"
