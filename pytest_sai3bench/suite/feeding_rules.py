"""When new objects of puts come to those that reads choose among: ``dynamic_put_pool``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.operations import Get
from pytest_sai3bench.suite.places import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.suite.document import Suite


def feeds_readers(suite: Suite) -> bool:
    """Tell whether ``dynamic_put_pool`` is asked for, and there is who writes and who may read."""
    return suite.dynamic_put_pool and not any(True for _ in new_objects_find_readers(suite))


def new_objects_find_readers(suite: Suite) -> Iterator[Finding]:
    """Yield why ``dynamic_put_pool`` has no effect, if it has none."""
    if not suite.dynamic_put_pool:
        return
    active = [operation for operation in suite.workload if operation.weight]
    readers = [operation for operation in active if operation.op in ("get", "stat")]
    why = ""
    if suite.namespace == "replicated":
        why = "with 'namespace: replicated': a new object is on one endpoint only"
    elif not any(operation.op == "put" for operation in active):
        why = "without puts"
    elif not readers:
        why = "without gets and stats"
    elif all(isinstance(operation, Get) and suite.verifies(operation) for operation in readers):
        why = "on gets that verify: they read objects of prepare"
    if why:
        yield Finding(("dynamic_put_pool",), f"'dynamic_put_pool' has no effect {why}", "warning")
