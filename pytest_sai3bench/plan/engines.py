"""Whether the engine can do what a suite asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite


def check_engine(loaded: LoadedSuite, plan: RunPlan) -> Iterator[Problem]:
    """Yield what stands against the engine, and against dropping the bodies of gets where the suite insists on it."""
    suite = loaded.suite
    others = [endpoint.scheme for endpoint in plan.endpoints if endpoint.scheme != "s3"]
    if suite.engine == "boto3" and others:
        text = (
            f"'engine: boto3' cannot be had with {others[0]}://: expected s3:// endpoints, or engine: default"
        )
        yield Problem(loaded.where(("engine",)), "engine", text)
    if suite.engine == "boto3" and any(endpoint.each_address for endpoint in plan.endpoints):
        text = "'engine: boto3' cannot be had with 'resolve: all': it looks names up by itself"
        yield Problem(
            loaded.where(("engine",)), "engine", f"{text}: expected resolve: first, or engine: default"
        )
    # Whoever writes it would compare what cannot be compared.
    if suite.read_sink == "discard":
        for reason in dict.fromkeys(_keep_bodies(plan)):
            text = f"'read_sink: discard' cannot be had {reason}: expected auto or copy"
            yield Problem(loaded.where(("read_sink",)), "read_sink", text)


def _keep_bodies(plan: RunPlan) -> Iterator[str]:
    for endpoint in plan.endpoints:
        if endpoint.scheme != "s3":
            yield f"with {endpoint.scheme}://, where all data are read"
        elif endpoint.tls:
            yield "over TLS, which the program has to decrypt"
    if any(worker.engine == "boto3" for worker in plan.workers):
        yield "with 'engine: boto3', which copies all data"
    operations = (each for worker in plan.workers for stage in worker.stages for each in stage.operations)
    if any(each.verify and each.weight for each in operations):
        yield "with 'verify: true', which looks at the data"
