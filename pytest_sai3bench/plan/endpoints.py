"""Which endpoints an agent drives: the first of a list of rules that has an answer, together with where it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.paths import common_root
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.uris import ParsedUri, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sai3bench.suite.distributed import Agent
    from pytest_sai3bench.suite.endpoints import MultiEndpoint
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place

_DEFAULT_STRATEGY = "round_robin"


@dataclass(frozen=True)
class EndpointSet:
    """Endpoints of one agent and the strategy that chooses among them."""

    strategy: str
    endpoints: tuple[Endpoint, ...]


def resolve_endpoints(loaded: LoadedSuite, number: int | None, env: Mapping[str, str]) -> EndpointSet:
    """Return the endpoints of the agent ``number`` (counted from 0), or of a run without agents for None.

    Precedence: the agent's ``multi_endpoint``, its ``target_override``, the global ``multi_endpoint``, ``target``, and
    last the absolute paths of the operations. Raises `SuiteError` when none of them says where to go.
    """
    for strategy, written in _candidates(loaded, number):
        if written:
            return EndpointSet(strategy, tuple(_build(loaded, uri, place, env) for uri, place in written))
    raise SuiteError(
        [
            Problem(
                loaded.where(()),
                "",
                "nothing says where the storage is: expected 'target', 'multi_endpoint' or paths that are URIs",
            )
        ]
    )


def _candidates(loaded: LoadedSuite, number: int | None) -> Iterator[tuple[str, list[tuple[str, Place]]]]:
    suite = loaded.suite
    if number is not None and suite.distributed is not None:
        agent: Agent = suite.distributed.agents[number]
        place: Place = ("distributed", "agents", number)
        yield _from_block(agent.multi_endpoint, (*place, "multi_endpoint"))
        yield _from_target(agent.target_override, (*place, "target_override"))
    yield _from_block(suite.multi_endpoint, ("multi_endpoint",))
    yield _from_target(suite.target, ("target",))
    yield _from_paths(loaded)


def _from_block(block: MultiEndpoint | None, place: Place) -> tuple[str, list[tuple[str, Place]]]:
    if block is None or not block.enabled:
        return _DEFAULT_STRATEGY, []
    return block.strategy, [(uri, (*place, "endpoints", index)) for index, uri in enumerate(block.endpoints)]


def _from_target(uri: str | None, place: Place) -> tuple[str, list[tuple[str, Place]]]:
    return _DEFAULT_STRATEGY, [(uri, place)] if uri else []


def _from_paths(loaded: LoadedSuite) -> tuple[str, list[tuple[str, Place]]]:
    """Return the one place below which all absolute paths of the suite lie."""
    uris: list[tuple[str, Place]] = [
        (operation.path, ("workload", index, "path")) for index, operation in enumerate(loaded.suite.workload)
    ]
    uris += [
        (objects.base_uri or "", ("prepare", "ensure_objects", index, "base_uri"))
        for index, objects in enumerate(loaded.suite.prepare.ensure_objects)
    ]
    absolute = [(uri, place) for uri, place in uris if "://" in uri]
    if not absolute:
        return _DEFAULT_STRATEGY, []
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
    return _DEFAULT_STRATEGY, [(root, absolute[0][1])]


def _build(loaded: LoadedSuite, uri: str, place: Place, env: Mapping[str, str]) -> Endpoint:
    location = loaded.where(place)
    origin = Origin(str(location), dotted(place))
    parsed = parse_uri(uri)
    uri = uri.rstrip("/") + "/"
    folder = parsed.path.strip("/")
    folder = folder + "/" if folder else ""
    embedded = parsed.embedded_index is not None
    if parsed.scheme == "file":
        root = f"embedded-{parsed.embedded_index}/{folder}" if embedded else f"/{folder}"
        return Endpoint(uri, "file", origin, root=root, embedded=embedded)
    if embedded:
        host, port = f"embedded-{parsed.embedded_index}", 0
    elif parsed.host:
        host, port = parsed.host, parsed.port
    else:
        try:
            host, port = _server_of_environment(parsed, env)
        except ValueError as error:
            raise SuiteError([Problem(location, dotted(place), str(error))]) from None
    return Endpoint(
        uri, "s3", origin, host=host, port=port, bucket=parsed.bucket, prefix=folder, embedded=embedded
    )


def _server_of_environment(parsed: ParsedUri, env: Mapping[str, str]) -> tuple[str, int]:
    url = env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL")
    written = f"s3://host:9000/{parsed.bucket}/"
    if not url:
        raise ValueError(
            f"no server for bucket {parsed.bucket}: expected AWS_ENDPOINT_URL in the environment, or {written}"
        )
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(
            f"AWS_ENDPOINT_URL is {url!r}: expected http://host:port (this version has no TLS), or {written}"
        )
    return parts.hostname, parts.port or 80
