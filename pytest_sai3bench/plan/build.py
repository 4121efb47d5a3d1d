"""From a suite to the plan of a run: every worker's endpoints, operations, objects and stages."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.certificates import plan_tls
from pytest_sai3bench.plan.cores import known_cores, spread
from pytest_sai3bench.plan.endpoints import EndpointSet, resolve_endpoints, unite
from pytest_sai3bench.plan.engines import check_engine
from pytest_sai3bench.plan.hosts import check_hosts, drop_agents, move_agents, plan_host
from pytest_sai3bench.plan.model import EndpointRules, ErrorPolicy, RunPlan, WorkerPlan
from pytest_sai3bench.plan.notes import make_notes, note_expectations
from pytest_sai3bench.plan.paths import as_folder, below
from pytest_sai3bench.plan.sharers import with_sharers
from pytest_sai3bench.plan.stages import Stages
from pytest_sai3bench.plan.trees import check_trees
from pytest_sai3bench.suite.op_log import OpLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_sai3bench.plan.model import HostPlan
    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.endpoints import MultiEndpoint
    from pytest_sai3bench.suite.error_handling import ErrorHandling
    from pytest_sai3bench.suite.loader import LoadedSuite

_LOCAL_AGENT = "local"


def build_plan(
    loaded: LoadedSuite,
    *,
    env: Mapping[str, str],
    duration_s: float | None = None,
    hosts: Sequence[str] | None = None,
    cores: Callable[[HostPlan], int | None] = known_cores,
) -> RunPlan:
    """Return the plan of a suite's run; ``duration_s`` replaces the suite's own. Raises `SuiteError`.

    ``hosts`` replace those of its agents; none at all stand for this host, which then drives all endpoints. ``cores``
    says how many there are on the host of an agent; where it does not know, the plan has one process and `asks_cores`.
    """
    if hosts:
        loaded = move_agents(loaded, hosts)
    suite = loaded.suite
    # The agents may be dropped, what they do is not.
    sequence = suite.sequence
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
    placed = [plan_host(loaded, number) for number in numbers]
    wanted = [cores(host) if suite.processes == "auto" else suite.processes for host in placed]
    # A process without a lane would do nothing, and one that may not begin anything of an entry would spoil the mix.
    bounds = [each.concurrency for each in suite.workload if each.weight and each.concurrency]
    lanes_of_agents = [agent.concurrency_override or suite.concurrency for agent in agents] or [
        suite.concurrency
    ]
    shares = [
        spread(lanes, min([many or 1, lanes, *bounds]))
        for lanes, many in zip(lanes_of_agents, wanted, strict=True)
    ]
    ids = suite.distributed.agent_ids if suite.distributed and agents else (_LOCAL_AGENT,)
    workers: list[WorkerPlan] = []
    total = sum(map(len, shares))
    for number, chosen, lanes_of, host in zip(numbers, sets, shares, placed, strict=True):
        for process, lanes in enumerate(lanes_of):
            worker = len(workers)
            target = (agents[number].target_override if number is not None else None) or suite.target or ""
            builder = Stages(
                loaded,
                chosen,
                uris,
                target,
                share=worker,
                shares=total,
                concurrency=sum(lanes_of),
                process=process,
                processes=len(lanes_of),
                agent=number or 0,
                agents=len(numbers),
            )
            stages = builder.build(sequence, duration_s)
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
                    connections=chosen.settings.connections_per_endpoint or 0,
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
                    host=host,
                    env=tuple(agents[number].env.items()) if number is not None else (),
                    interval_s=suite.perf_log.interval,
                    op_log_bytes=_op_log_bytes(suite, total),
                    key_prefix_shards=suite.prepare.key_prefix_shards,
                )
            )
    if suite.namespace != "shared":
        workers = list(with_sharers(workers))
    plan = RunPlan(
        suite=loaded.shown,
        name=suite.name + loaded.label,
        workers=tuple(workers),
        perf_log=suite.perf_log.enabled,
        asks_cores=None in wanted,
        lost_agent=suite.distributed.lost_agent if suite.distributed else "fail",
    )
    plan = replace(plan, tls=plan_tls(loaded, plan.endpoints, problems))
    problems += check_hosts(loaded, workers)
    problems += _mixed_accounts(loaded, plan)
    problems += check_engine(loaded, plan)
    problems += check_trees(loaded, workers)
    _raise_for(problems)
    notes = (*_useless_target(suite.target, uris), *make_notes(plan, dict(zip(ids, wanted))))
    return replace(plan, notes=(*notes, *note_expectations(sequence, workers[0].stages)))


def _useless_target(target: str | None, uris: Sequence[str]) -> Iterator[str]:
    if target and "://" in target and below(as_folder(target), uris) is None:
        yield f"target {target} has no effect: it lies below none of the endpoints"


def _raise_for(problems: Iterable[Problem]) -> None:
    # Agents that share a block share its problems.
    if distinct := list(dict.fromkeys(problems)):
        raise SuiteError(distinct)


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
