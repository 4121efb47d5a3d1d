"""From a suite to the plan of a run: every worker's endpoints, operations, objects and stages."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.certificates import plan_tls
from pytest_sai3bench.plan.cores import physical_cores, spread
from pytest_sai3bench.plan.endpoints import EndpointSet, resolve_endpoints, unite
from pytest_sai3bench.plan.engines import check_engine
from pytest_sai3bench.plan.hosts import check_hosts, drop_agents, move_agents, plan_host
from pytest_sai3bench.plan.model import (
    PLAIN_DATA,
    DataPlan,
    EndpointRules,
    ErrorPolicy,
    MultipartPlan,
    ObjectSet,
    OperationPlan,
    RangesPlan,
    RatePlan,
    RunPlan,
    SizePlan,
    StagePlan,
    WorkerPlan,
)
from pytest_sai3bench.plan.notes import make_notes
from pytest_sai3bench.plan.paths import as_folder, below, relative_path
from pytest_sai3bench.suite.op_log import OpLog
from pytest_sai3bench.suite.operations import Get, Put
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.sizes import Fixed, Lognormal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.endpoints import MultiEndpoint
    from pytest_sai3bench.suite.error_handling import ErrorHandling
    from pytest_sai3bench.suite.large import Multipart
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.operations import Operation
    from pytest_sai3bench.suite.places import Place
    from pytest_sai3bench.suite.preparation import EnsureObjects
    from pytest_sai3bench.suite.sizes import Uniform

_LOCAL_AGENT = "local"


def build_plan(
    loaded: LoadedSuite,
    *,
    env: Mapping[str, str],
    duration_s: float | None = None,
    hosts: Sequence[str] | None = None,
    cores: Callable[[], int] = physical_cores,
) -> RunPlan:
    """Return the plan of a suite's run; ``duration_s`` replaces the suite's own. Raises `SuiteError`.

    ``hosts`` replace those of its agents; none at all stand for this host, which then drives all endpoints. ``cores``
    says how many there are on the host of an agent.
    """
    if hosts:
        loaded = move_agents(loaded, hosts)
    suite = loaded.suite
    agents = suite.distributed.agents if suite.distributed else ()
    numbers: list[int | None] = list(range(len(agents))) if agents else [None]
    problems: list[Problem] = []
    sets: list[EndpointSet] = []
    for number in numbers:
        try:
            sets.append(resolve_endpoints(loaded, number, env))
        except SuiteError as error:
            problems.extend(error.problems)
    _raise_for(problems)
    if hosts is not None and not hosts:
        loaded, sets, numbers, agents = drop_agents(loaded), [unite(sets)], [None], ()
        suite = loaded.suite
    uris = tuple(dict.fromkeys(endpoint.uri for chosen in sets for endpoint in chosen.endpoints))
    wanted = cores() if suite.processes == "auto" else suite.processes
    # A process without a lane would do nothing.
    shares = [
        spread(lanes, min(wanted, lanes))
        for lanes in ((agent.concurrency_override or suite.concurrency) for agent in agents)
    ] or [spread(suite.concurrency, min(wanted, suite.concurrency))]
    ids = suite.distributed.agent_ids if suite.distributed else (_LOCAL_AGENT,)
    workers: list[WorkerPlan] = []
    total = sum(map(len, shares))
    for number, chosen, lanes_of in zip(numbers, sets, shares, strict=True):
        for process, lanes in enumerate(lanes_of):
            worker = len(workers)
            target = (agents[number].target_override if number is not None else None) or suite.target or ""
            builder = _Stages(loaded, chosen, uris, target, share=worker, shares=total)
            stages = builder.build(duration_s if duration_s is not None else suite.duration)
            problems += builder.problems
            workers.append(
                WorkerPlan(
                    agent=ids[number or 0],
                    address=agents[number].address if number is not None else "localhost",
                    worker=worker,
                    workers=total,
                    endpoints=chosen.endpoints,
                    strategy=chosen.settings.strategy,
                    strategy_origin=chosen.origins.get("strategy"),
                    weights=chosen.weights,
                    endpoint_rules=_endpoint_rules(chosen.settings),
                    namespace=suite.namespace,
                    lanes=lanes,
                    page_cache_mode=suite.page_cache_mode or "",
                    read_sink=suite.read_sink,
                    engine=suite.engine,
                    seed=_seed_of(suite.seed, worker),
                    data_seed=_seed_of(suite.seed, "data"),
                    stages=stages,
                    errors=_policy(suite.error_handling),
                    process=process,
                    processes=len(lanes_of),
                    host=plan_host(loaded, number),
                    env=tuple(agents[number].env.items()) if number is not None else (),
                    interval_s=suite.perf_log.interval,
                    op_log_bytes=_op_log_bytes(suite, total),
                )
            )
    if suite.namespace != "shared":
        workers = list(_with_sharers(workers))
    plan = RunPlan(
        suite=loaded.shown,
        name=suite.name + loaded.label,
        workers=tuple(workers),
        perf_log=suite.perf_log.enabled,
    )
    plan = replace(plan, tls=plan_tls(loaded, plan.endpoints, problems))
    problems += check_hosts(loaded, workers)
    problems += _mixed_accounts(loaded, plan)
    problems += check_engine(loaded, plan)
    _raise_for(problems)
    return replace(plan, notes=(*_useless_target(suite.target, uris), *make_notes(plan, wanted)))


def _useless_target(target: str | None, uris: Sequence[str]) -> Iterator[str]:
    if target and "://" in target and below(as_folder(target), uris) is None:
        yield f"target {target} has no effect: it lies below none of the endpoints"


def _with_sharers(workers: Sequence[WorkerPlan]) -> Iterator[WorkerPlan]:
    """Tell each worker which of those it is that drive an endpoint, for every one of its endpoints."""
    drivers: dict[str, list[int]] = {}
    for worker in workers:
        for endpoint in worker.endpoints:
            drivers.setdefault(endpoint.uri, []).append(worker.worker)
    for worker in workers:
        found = [drivers[endpoint.uri] for endpoint in worker.endpoints]
        yield replace(worker, sharers=tuple((each.index(worker.worker), len(each)) for each in found))


def _raise_for(problems: Iterable[Problem]) -> None:
    # Agents that share a block share its problems.
    if distinct := list(dict.fromkeys(problems)):
        raise SuiteError(distinct)


class _Stages:
    """Builds the stages of one worker, which cares for ``share`` of ``shares`` of the objects.

    ``uris`` are the endpoints of all workers: ``target`` and absolute paths may lie below any of them, as all show the
    same objects. What is wrong collects in ``problems``.
    """

    def __init__(
        self,
        loaded: LoadedSuite,
        chosen: EndpointSet,
        uris: tuple[str, ...],
        target: str,
        *,
        share: int,
        shares: int,
    ) -> None:
        self.problems: list[Problem] = []
        self._loaded = loaded
        self._uris = uris
        self._own_uris = tuple(endpoint.uri for endpoint in chosen.endpoints)
        self._in_folders = bool(chosen.endpoints[0].root)
        self._share, self._shares = share, shares
        # A target beside endpoints that hold it is what relative paths begin with.
        self._base = self._below(as_folder(target)) or "" if "://" in target else as_folder(target)
        ops = {operation.op for operation in loaded.suite.workload if operation.weight}
        # Deletes must not take away what others read: prepare then makes two sets.
        self._two_pools = (
            bool(loaded.suite.prepare.ensure_objects) and "delete" in ops and bool(ops & {"get", "stat"})
        )

    def build(self, duration_s: float) -> tuple[StagePlan, ...]:
        """Return the stages in their order."""
        preparation = self._loaded.suite.prepare
        stages = []
        objects = self._plan_objects()
        overwrite = preparation.force_overwrite
        if objects:
            stages.append(
                StagePlan(
                    "prepare",
                    objects=objects,
                    look=not (overwrite or preparation.skip_verification),
                    create=overwrite or not preparation.skip_verification,
                    delay_s=preparation.post_prepare_delay,
                    # An object store knows neither.
                    fsync=self._in_folders and preparation.fsync,
                    atomic=self._in_folders and preparation.atomic,
                    multipart=self._plan_multipart(self._loaded.suite.multipart),
                )
            )
        stages.append(
            StagePlan(
                "workload",
                duration_s=duration_s,
                warmup_s=self._loaded.suite.warmup,
                operations=self._plan_operations(),
                rate=self._plan_rate(),
            )
        )
        if preparation.cleanup:
            stages.append(StagePlan("cleanup", objects=objects, mode=preparation.cleanup_mode))
        return tuple(stages)

    def _below(self, uri: str) -> str | None:
        own = below(uri, self._own_uris)
        return below(uri, self._uris) if own is None else own

    def _relative(self, path: str, place: Place) -> str:
        uris = self._uris if below(path, self._own_uris) is None else self._own_uris
        try:
            return relative_path(path, uris, self._base)
        except ValueError as error:
            self.problems.append(Problem(self._loaded.where(place), dotted(place), str(error)))
            return ""

    def _plan_operations(self) -> tuple[OperationPlan, ...]:
        operations = []
        for index, operation in enumerate(self._loaded.suite.workload):
            path = self._relative(operation.path, ("workload", index, "path"))
            pool: Literal["all", "prepared", "deletable"] = "all"
            if self._two_pools and operation.op == "delete":
                folder, slash, name = path.rpartition("/")
                pool, path = "deletable", folder + slash + re.sub("^prepared-", "deletable-", name)
            elif self._two_pools:
                pool = "prepared"
            # In an object store a list takes any prefix, in a file system only a folder.
            if operation.op == "put" or (operation.op == "list" and self._in_folders):
                path = as_folder(path)
            operations.append(
                OperationPlan(
                    operation.op,
                    path=path,
                    weight=operation.weight,
                    where=str(self._loaded.where(("workload", index))),
                    size=_size(operation.size) if isinstance(operation, Put) else None,
                    pool=pool,
                    data=_data(operation) if isinstance(operation, Put) else PLAIN_DATA,
                    fsync=self._in_folders and isinstance(operation, Put) and operation.fsync,
                    atomic=self._in_folders and isinstance(operation, Put) and operation.atomic,
                    verify=isinstance(operation, Get) and self._loaded.suite.verifies(operation),
                    ranges=None if self._in_folders else self._plan_ranges(operation),
                    multipart=self._plan_multipart(self._loaded.suite.multipart_of(operation)),
                )
            )
        return tuple(operations)

    def _plan_ranges(self, operation: Operation) -> RangesPlan | None:
        if not isinstance(operation, Get):
            return None
        if operation.range:
            return RangesPlan(operation.range.size, operation.range.parallel)
        engine = self._loaded.suite.range_engine
        if engine is None or not engine.enabled:
            return None
        return RangesPlan(
            engine.chunk_size,
            engine.max_concurrent_ranges,
            engine.min_split_size,
            engine.range_timeout_secs,
        )

    def _plan_multipart(self, multipart: Multipart | None) -> MultipartPlan | None:
        if multipart is None or self._in_folders:
            return None
        return MultipartPlan(multipart.part_size, multipart.parallel, multipart.threshold)

    def _plan_rate(self) -> RatePlan | None:
        rate = self._loaded.suite.io_rate
        if rate is None or rate.iops == "max":
            return None
        return RatePlan(rate.iops, rate.distribution, self._share, self._shares)

    def _plan_objects(self) -> tuple[ObjectSet, ...]:
        stems: tuple[Literal["prepared", "deletable"], ...] = ("prepared", "deletable")
        planned = []
        for index, objects in enumerate(self._loaded.suite.prepare.ensure_objects):
            place: Place = ("prepare", "ensure_objects", index)
            folder = as_folder(self._relative(objects.base_uri or "", (*place, "base_uri")))
            where = str(self._loaded.where(place))
            planned += [
                ObjectSet(
                    folder,
                    stem,
                    objects.count,
                    _size(objects.size),
                    where,
                    self._share,
                    self._shares,
                    _data(objects),
                )
                for stem in stems[: 2 if self._two_pools else 1]
            ]
        return tuple(planned)


def _size(size: Fixed | Uniform | Lognormal) -> SizePlan:
    if isinstance(size, Fixed):
        return SizePlan("fixed", size.size, size.size)
    if isinstance(size, Lognormal):
        return SizePlan("lognormal", size.min, size.max, float(size.mean), float(size.std_dev))
    return SizePlan("uniform", size.min, size.max)


def _data(objects: EnsureObjects | Put) -> DataPlan:
    if objects.fill == "zero":
        return DataPlan(zero=True)
    # 0 means the same as 1 in sai3-bench, too.
    return DataPlan(dedup=objects.dedup_factor or 1, compress=objects.compress_factor or 1)


def _seed_of(seed: int, part: int | str) -> int:
    """Return a worker's own seed: workers that draw the same numbers would read the same objects at the same time."""
    return int.from_bytes(blake2b(f"{seed}/{part}".encode(), digest_size=4).digest(), "little")


def _endpoint_rules(settings: MultiEndpoint) -> EndpointRules:
    return EndpointRules(
        failure=settings.endpoint_failure,
        eject_after=settings.eject_after,
        eject_time_s=settings.eject_time,
        suspect_after_s=settings.suspect_after,
    )


def _op_log_bytes(suite: Suite, workers: int) -> int:
    """Return a worker's part of what the logs of all may take."""
    if suite.op_log is None and suite.op_log_path is None:
        return 0
    wanted = suite.op_log or OpLog()
    return max(wanted.max_size // workers, 1) if wanted.enabled else 0


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


def _mixed_accounts(loaded: LoadedSuite, plan: RunPlan) -> Iterator[Problem]:
    """Refuse a run over the embedded server and another one: they have different keys."""
    s3 = [endpoint for endpoint in plan.endpoints if endpoint.scheme == "s3"]
    if any(endpoint.embedded for endpoint in s3) and not all(endpoint.embedded for endpoint in s3):
        text = "endpoints of the embedded server beside others: expected one kind, they have different keys"
        yield Problem(loaded.where(("embedded_server",)), "embedded_server", text)
