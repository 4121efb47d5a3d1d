"""Which endpoints an agent drives: the first of a list of rules that has an answer, together with where it is written."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.environment import ENDPOINT_URIS, listed_endpoints, server_of
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.paths import as_folder, below, common_root
from pytest_sai3bench.plan.weights import weights_of
from pytest_sai3bench.suite.blocks import Block, own_block, shared_block
from pytest_sai3bench.suite.endpoints import MultiEndpoint
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.ranges import expand_ranges
from pytest_sai3bench.suite.uris import is_address, is_label, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place


_Written = list[tuple[str, "Place"]]

# What applies where no block says anything.
_PLAIN = Block(MultiEndpoint(), {})


@dataclass(frozen=True)
class EndpointSet:
    """Endpoints of one agent, how it drives them, and where each key of that is written.

    ``weights`` has one for each endpoint where the strategy goes by them.
    """

    endpoints: tuple[Endpoint, ...]
    settings: MultiEndpoint
    origins: Mapping[str, Origin]
    weights: tuple[float, ...] = ()


def resolve_endpoints(loaded: LoadedSuite, number: int | None, env: Mapping[str, str]) -> EndpointSet:
    """Return the endpoints of the agent ``number`` (counted from 0), or of a run without agents for None.

    Precedence: the agent's ``multi_endpoint``, its ``target_override``, the global ``multi_endpoint``, ``target``, the
    absolute paths of the operations, and last the environment. Raises `SuiteError` when none of them says where to go.
    """
    for block, written in _candidates(loaded, number, env):
        if written:
            origins = {key: _origin(loaded, place) for key, place in block.places.items()}
            endpoints = _build_all(loaded, written, env)
            if block.values.resolve == "all":
                endpoints = tuple(map(_at_each_address, endpoints))
            return EndpointSet(endpoints, block.values, origins, _weights(loaded, block, endpoints))
    raise SuiteError(
        [
            Problem(
                loaded.where(()),
                "",
                "nothing says where the storage is: expected 'target', 'multi_endpoint' or paths that are URIs, "
                f"or {ENDPOINT_URIS} in the environment",
            )
        ]
    )


def unite(sets: Sequence[EndpointSet]) -> EndpointSet:
    """Return all endpoints of several agents, each once; they are driven as the first agent drives its own.

    If that goes by weights, the endpoints of agents that have none count once.
    """
    found: dict[str, tuple[Endpoint, float]] = {}
    for chosen in sets:
        for endpoint, weight in zip(chosen.endpoints, chosen.weights or repeat(1.0)):
            found.setdefault(endpoint.uri, (endpoint, weight))
    endpoints, weights = zip(*found.values(), strict=True)
    return replace(sets[0], endpoints=endpoints, weights=weights if sets[0].weights else ())


def _candidates(
    loaded: LoadedSuite, number: int | None, env: Mapping[str, str]
) -> Iterator[tuple[Block, _Written]]:
    suite = loaded.suite
    if number is not None and suite.distributed is not None:
        yield _from_block(own_block(suite, number))
        place: Place = ("distributed", "agents", number, "target_override")
        yield _from_target(suite.distributed.agents[number].target_override, place)
    yield _from_block(shared_block(suite))
    if not _paths_go_elsewhere(suite):
        yield _from_target(suite.target, ("target",))
    yield _from_paths(loaded)
    yield _from_environment(loaded, env)


def _from_block(block: Block | None) -> tuple[Block, _Written]:
    if block is None:
        return _PLAIN, []
    listed = ((block.places["endpoints"], *found) for found in enumerate(block.values.endpoints))
    return block, [(uri, (*place, index)) for place, index, text in listed for uri in expand_ranges(text)]


def _from_target(uri: str | None, place: Place) -> tuple[Block, _Written]:
    return _PLAIN, [(uri, place)] if uri else []


def _paths_go_elsewhere(suite: Suite) -> bool:
    """Tell whether nothing lies below the target, which in sai3-bench is only a base; the paths then say where it is."""
    target = as_folder(suite.target or "")
    paths = [operation.path for operation in suite.workload]
    paths += [objects.base_uri or "" for objects in suite.prepare.ensure_objects]
    return bool(target) and all("://" in path and below(path, (target,)) is None for path in paths)


def _from_paths(loaded: LoadedSuite) -> tuple[Block, _Written]:
    """Return the one place below which all absolute paths of the suite lie."""
    uris: _Written = [
        (operation.path, ("workload", index, "path")) for index, operation in enumerate(loaded.suite.workload)
    ]
    uris += [
        (objects.base_uri or "", ("prepare", "ensure_objects", index, "base_uri"))
        for index, objects in enumerate(loaded.suite.prepare.ensure_objects)
    ]
    absolute = [(uri, place) for uri, place in uris if "://" in uri]
    if not absolute:
        return _PLAIN, []
    root = common_root([uri for uri, _ in absolute])
    if root is None:
        first, place = absolute[0]
        other = next(uri for uri, _ in absolute if common_root([first, uri]) is None)
        raise SuiteError(
            [
                Problem(
                    loaded.where(place),
                    dotted(place),
                    f"{first} and {other} have no store in common: expected one for all paths, or 'multi_endpoint'",
                )
            ]
        )
    return _PLAIN, [(root, absolute[0][1])]


def _from_environment(loaded: LoadedSuite, env: Mapping[str, str]) -> tuple[Block, _Written]:
    uris, complaints = listed_endpoints(env)
    if complaints:
        raise SuiteError(
            [Problem(loaded.where(()), dotted((ENDPOINT_URIS, *place)), text) for place, text in complaints]
        )
    return _PLAIN, [(uri, (ENDPOINT_URIS,)) for uri in uris]


def _weights(loaded: LoadedSuite, block: Block, endpoints: tuple[Endpoint, ...]) -> tuple[float, ...]:
    settings = block.values
    try:
        return weights_of(settings.strategy, settings.weights, [endpoint.uri for endpoint in endpoints])
    except ValueError as error:
        place = block.places.get("weights") or block.places["strategy"]
        home = block.places["endpoints"][:-1]
        whose = "" if place[:-1] == home else f"; the endpoints are those of {dotted(home)}"
        raise SuiteError([Problem(loaded.where(place), dotted(place), f"{error}{whose}")]) from None


def _origin(loaded: LoadedSuite, place: Place) -> Origin:
    if place == (ENDPOINT_URIS,):
        return Origin(ENDPOINT_URIS, "")
    return Origin(str(loaded.where(place)), dotted(place))


def _build_all(loaded: LoadedSuite, written: _Written, env: Mapping[str, str]) -> tuple[Endpoint, ...]:
    endpoints, problems = [], []
    for uri, place in written:
        try:
            built = _build(uri, _origin(loaded, place), env, loaded.suite.addressing)
            endpoints.append(_delay(built, loaded))
        except ValueError as error:
            problems.append(Problem(loaded.where(place), dotted(place), str(error)))
    if problems:
        raise SuiteError(problems)
    return tuple(endpoints)


def _at_each_address(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint so that each address of its name becomes one, if it has a name."""
    is_name = endpoint.scheme == "s3" and not endpoint.embedded and not is_address(endpoint.host)
    return replace(endpoint, each_address=is_name)


def _delay(endpoint: Endpoint, loaded: LoadedSuite) -> Endpoint:
    """Return the endpoint as late as the embedded server is asked to make it."""
    server = loaded.suite.embedded_server
    late = (
        [slow.delay for slow in server.slow if endpoint.host == f"embedded-{slow.endpoint}"] if server else []
    )
    return replace(endpoint, delay_s=late[0]) if late else endpoint


def _build(uri: str, origin: Origin, env: Mapping[str, str], addressing: str) -> Endpoint:
    parsed = parse_uri(uri)
    stripped = uri.rstrip("/")
    # The root of a file system is nothing but slashes.
    uri = uri if stripped.endswith(":") else f"{stripped}/"
    folder = as_folder(parsed.path.strip("/"))
    embedded = parsed.embedded_index is not None
    if parsed.scheme in ("file", "direct"):
        root = f"embedded-{parsed.embedded_index}/{folder}" if embedded else f"/{folder}"
        return Endpoint(uri, parsed.scheme, origin, root=root, embedded=embedded)
    tls = parsed.tls
    if embedded:
        host, port = f"embedded-{parsed.embedded_index}", 0
    elif parsed.host:
        host, port = parsed.host, parsed.port
    else:
        host, port, tls = server_of(parsed.bucket, env)
    return Endpoint(
        uri,
        "s3",
        origin,
        host=host,
        port=port,
        bucket=parsed.bucket,
        prefix=folder,
        embedded=embedded,
        tls=tls,
        virtual=_is_virtual(addressing, host, parsed.bucket, tls=tls),
    )


def _is_virtual(addressing: str, host: str, bucket: str, *, tls: bool) -> bool:
    """Tell whether the bucket is named in front of the host; raises ValueError where that is asked for and cannot be."""
    if addressing == "auto":
        # A certificate for *.host holds for one name in front of it, not for two.
        fits = is_label(bucket) and not (tls and "." in bucket)
        return fits and host.lower().endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if addressing == "virtual":
        wrong = ""
        if not is_label(bucket):
            wrong = f"bucket {bucket!r} cannot stand in front of the name of a host"
        elif re.fullmatch(r"[0-9.]+|.*:.*|embedded-[0-9]+", host):
            wrong = f"{host} has no name that a bucket could stand in front of"
        if wrong:
            raise ValueError(f"addressing: virtual is not possible, {wrong}: expected addressing: path")
    return addressing == "virtual"
