"""From a suite to the plan of a run: every worker's endpoints, operations, objects and stages."""

from __future__ import annotations

import ipaddress
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.endpoints import EndpointSet, resolve_endpoints
from pytest_sai3bench.plan.model import (
    ErrorPolicy,
    ObjectSet,
    OperationPlan,
    RunPlan,
    SizePlan,
    StagePlan,
    WorkerPlan,
)
from pytest_sai3bench.plan.paths import as_folder, relative_path
from pytest_sai3bench.suite.operations import Put
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.sizes import Fixed, Lognormal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_sai3bench.suite.error_handling import ErrorHandling
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place
    from pytest_sai3bench.suite.sizes import Uniform

_LOCAL_AGENT = "local"


def build_plan(loaded: LoadedSuite, *, env: Mapping[str, str], duration_s: float | None = None) -> RunPlan:
    """Return the plan of a suite's run; ``duration_s`` replaces the suite's own. Raises `SuiteError`."""
    suite = loaded.suite
    problems: list[Problem] = []
    agents = suite.distributed.agents if suite.distributed else ()
    numbers: list[int | None] = list(range(len(agents))) if agents else [None]
    for index, host in enumerate(agents):
        if not _is_this_host(host.address):
            place: Place = ("distributed", "agents", index, "address")
            text = f"{host.address} is another host: expected localhost, this version has no remote agents"
            problems.append(Problem(loaded.where(place), dotted(place), text))
    sets = []
    for number in numbers:
        try:
            sets.append(resolve_endpoints(loaded, number, env))
        except SuiteError as error:
            problems.extend(error.problems)
    if problems:
        # Agents that share a block share its problems.
        raise SuiteError(list(dict.fromkeys(problems)))
    stages = _Stages(loaded, sets, duration_s)
    workers = []
    for worker, (number, chosen) in enumerate(zip(numbers, sets, strict=True)):
        agent = agents[number] if number is not None else None
        workers.append(
            WorkerPlan(
                agent=suite.distributed.agent_ids[worker] if suite.distributed else _LOCAL_AGENT,
                address=agent.address if agent else "localhost",
                worker=worker,
                workers=len(numbers),
                endpoints=chosen.endpoints,
                strategy=chosen.strategy,
                lanes=(agent and agent.concurrency_override) or suite.concurrency,
                seed=_seed_of(suite.seed, worker),
                stages=stages.of_worker(worker, len(numbers)),
                errors=_policy(suite.error_handling),
            )
        )
    plan = RunPlan(suite=loaded.shown, name=suite.name, workers=tuple(workers))
    _refuse_mixed_accounts(loaded, plan)
    return RunPlan(plan.suite, plan.name, plan.workers, tuple(_notes(plan)))


class _Stages:
    """The stages of a suite; workers differ only in their share of the objects."""

    def __init__(self, loaded: LoadedSuite, sets: list[EndpointSet], duration_s: float | None) -> None:
        self._loaded = loaded
        self._uris = list(dict.fromkeys(endpoint.uri for chosen in sets for endpoint in chosen.endpoints))
        self._duration_s = duration_s if duration_s is not None else loaded.suite.duration
        self._base = self._find_base()
        self._problems: list[Problem] = []
        ops = {operation.op for operation in loaded.suite.workload if operation.weight}
        # Deletes must not take away what others read: prepare then makes two sets.
        self._two_pools = (
            bool(loaded.suite.prepare.ensure_objects) and "delete" in ops and bool(ops & {"get", "stat"})
        )
        self._operations = self._plan_operations()
        self._objects = self._plan_objects()
        if self._problems:
            raise SuiteError(self._problems)

    def of_worker(self, share: int, shares: int) -> tuple[StagePlan, ...]:
        """Return the stages of a worker that cares for one share of the objects."""
        preparation = self._loaded.suite.prepare
        stages = []
        objects = tuple(
            ObjectSet(o.folder, o.stem, o.count, o.size, o.where, share, shares) for o in self._objects
        )
        overwrite = preparation.force_overwrite
        if objects:
            stages.append(
                StagePlan(
                    "prepare",
                    objects=objects,
                    look=not (overwrite or preparation.skip_verification),
                    create=overwrite or not preparation.skip_verification,
                    delay_s=preparation.post_prepare_delay,
                )
            )
        stages.append(
            StagePlan(
                "workload",
                duration_s=self._duration_s,
                warmup_s=self._loaded.suite.warmup,
                operations=self._operations,
            )
        )
        if preparation.cleanup:
            stages.append(StagePlan("cleanup", objects=objects, mode=preparation.cleanup_mode))
        return tuple(stages)

    def _find_base(self) -> str:
        """Return what ``target`` puts in front of relative paths when it lies below an endpoint."""
        target = as_folder(self._loaded.suite.target or "")
        return next((target[len(uri) :] for uri in self._uris if target.startswith(uri)), "")

    def _relative(self, path: str, place: Place) -> str:
        try:
            return relative_path(path, self._uris, self._base)
        except ValueError as error:
            self._problems.append(Problem(self._loaded.where(place), dotted(place), str(error)))
            return ""

    def _plan_operations(self) -> tuple[OperationPlan, ...]:
        operations = []
        for index, operation in enumerate(self._loaded.suite.workload):
            path = self._relative(operation.path, ("workload", index, "path"))
            pool: Literal["all", "prepared", "deletable"] = "all"
            if self._two_pools and operation.op == "delete":
                pool, path = "deletable", path.replace("prepared-", "deletable-")
            elif self._two_pools:
                pool = "prepared"
            operations.append(
                OperationPlan(
                    operation.op,
                    path=as_folder(path) if operation.op == "put" else path,
                    weight=operation.weight,
                    where=str(self._loaded.where(("workload", index))),
                    size=_size(operation.size) if isinstance(operation, Put) else None,
                    pool=pool,
                )
            )
        return tuple(operations)

    def _plan_objects(self) -> tuple[ObjectSet, ...]:
        stems: tuple[Literal["prepared", "deletable"], ...] = ("prepared", "deletable")
        planned = []
        for index, objects in enumerate(self._loaded.suite.prepare.ensure_objects):
            place: Place = ("prepare", "ensure_objects", index)
            folder = as_folder(self._relative(objects.base_uri or "", (*place, "base_uri")))
            where = str(self._loaded.where(place))
            planned += [
                ObjectSet(folder, stem, objects.count, _size(objects.size), where)
                for stem in stems[: 2 if self._two_pools else 1]
            ]
        return tuple(planned)


def _is_this_host(address: str) -> bool:
    host = address.rpartition(":")[0] if address.count(":") == 1 else address
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _size(size: Fixed | Uniform | Lognormal) -> SizePlan:
    if isinstance(size, Fixed):
        return SizePlan("fixed", size.size, size.size)
    if isinstance(size, Lognormal):
        return SizePlan("lognormal", size.min, size.max, float(size.mean), float(size.std_dev))
    return SizePlan("uniform", size.min, size.max)


def _seed_of(seed: int, worker: int) -> int:
    """Return a worker's own seed: workers that draw the same numbers would read the same objects at the same time."""
    return int.from_bytes(blake2b(f"{seed}/{worker}".encode(), digest_size=4).digest(), "little")


def _policy(handling: ErrorHandling) -> ErrorPolicy:
    return ErrorPolicy(
        max_total_errors=handling.max_total_errors,
        error_rate_threshold=handling.error_rate_threshold,
        backoff_s=handling.backoff_duration,
        error_rate_window_s=handling.error_rate_window,
        retry_on_error=handling.retry_on_error,
        max_retries=handling.max_retries,
        initial_retry_delay_s=handling.initial_retry_delay_ms / 1000,
        max_retry_delay_s=handling.max_retry_delay_ms / 1000,
        retry_backoff_multiplier=handling.retry_backoff_multiplier,
        retry_jitter_factor=handling.retry_jitter_factor,
    )


def _refuse_mixed_accounts(loaded: LoadedSuite, plan: RunPlan) -> None:
    """Refuse a run over the embedded server and another one: they have different keys."""
    s3 = [endpoint for endpoint in plan.endpoints if endpoint.scheme == "s3"]
    if any(endpoint.embedded for endpoint in s3) and not all(endpoint.embedded for endpoint in s3):
        text = "endpoints of the embedded server beside others: expected one kind, they have different keys"
        raise SuiteError([Problem(loaded.where(("embedded_server",)), "embedded_server", text)])


def _notes(plan: RunPlan) -> list[str]:
    notes = [
        f"{worker.agent} keeps {worker.lanes} operations going, fewer than its {len(worker.endpoints)} endpoints: "
        "some are always idle; raise concurrency"
        for worker in plan.workers
        if worker.lanes < len(worker.endpoints)
    ]
    if len(plan.endpoints) % len(plan.workers):
        notes.append(
            f"{len(plan.endpoints)} endpoints do not divide evenly over {len(plan.workers)} agents: "
            "some endpoints get more load than others"
        )
    return notes
