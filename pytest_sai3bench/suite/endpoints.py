"""Sets of endpoints that serve one workload together."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS, expand_ranges
from pytest_sai3bench.suite.scalars import (
    EndpointFailure,
    Endpoints,
    PositiveCount,
    PositiveDuration,
    Resolve,
    Strategy,
)
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.uris import ParsedUri, parse_uri
from pytest_sai3bench.suite.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.suite.places import Place

NO_ENDPOINTS = f"no endpoints: expected 1 to {MOST_ENDPOINTS} URIs"


def object_to(written: Sequence[str]) -> Iterator[tuple[Place, str]]:
    """Yield what is wrong with endpoints as a set, each with the place of the text, () for all of them."""
    expanded = [expand_ranges(text) for text in written]
    if (count := sum(map(len, expanded))) > MOST_ENDPOINTS:
        yield (), f"{count:,} endpoints: expected at most {MOST_ENDPOINTS}"
    first_of: dict[ParsedUri, int] = {}
    for index, uris in enumerate(expanded):
        scheme, found = (parse_uri(uri).shown_scheme for uri in (expanded[0][0], uris[0]))
        if found != scheme:
            yield (index,), f"{found}:// in a set of {scheme}:// endpoints: expected one scheme for all"
            continue
        for uri in uris:
            first = first_of.setdefault(_identity(parse_uri(uri)), index)
            if first != index:
                shown = f"{uri} is " if len(uris) > 1 else ""
                yield (index,), f"{shown}the same endpoint as [{first}]: expected each one once"
                break


def _identity(uri: ParsedUri) -> ParsedUri:
    """Return an address as others that mean the same have it, too."""
    try:
        host = ip_address(uri.host).compressed
    except ValueError:
        host = uri.host.lower()
    folders = [name for name in uri.path.split("/") if name not in ("", ".")]
    path = "/".join(folders) if uri.scheme != "s3" else uri.path.rstrip("/")
    return replace(uri, host=host, path=path)


def _check_list(written: tuple[str, ...]) -> tuple[str, ...]:
    if objections := list(object_to(written)):
        raise ObjectionsError(*objections)
    return written


EndpointList = Annotated[tuple[Endpoints, ...], AfterValidator(_check_list)]


class MultiEndpoint(Section):
    """Endpoints over which the operations are spread; a block that is present is enabled.

    What an agent's block leaves out comes from the one of all agents.
    """

    enabled: bool = Field(
        default=True,
        description="true or false. False keeps the block in the file without effect. sai3-bench has no such key.",
    )
    strategy: Strategy = Field(
        default="round_robin",
        description=(
            "round_robin, least_connections, random, weighted, sticky or least_latency. "
            "How the endpoint of an operation is chosen. Each worker chooses for itself. sai3-bench has the first two; "
            "among endpoints with equally few, least_connections takes each in turn, sai3-bench always the first."
        ),
    )
    weights: Weights | None = Field(
        default=None,
        description=(
            "a list of numbers, or one for each URI of an endpoint. The shares of the operations under "
            "`strategy: weighted`, in the order of the endpoints or by their URIs. sai3-bench has no such key."
        ),
    )
    endpoints: EndpointList = Field(
        default=(),
        description=(
            f"a list of URIs. 1 to {MOST_ENDPOINTS} of one scheme, each once. All show the same objects, unless `namespace` says otherwise. "
            "`[1-4]`, `[01,03,05-07]` and `{1...4}` in a URI stand for several. sai3-bench takes 32 and has no ranges."
        ),
    )
    resolve: Resolve = Field(
        default="first",
        description=(
            "first or all. "
            "With `all` each address that DNS has for the name of a server is an endpoint of its own; requests and "
            "certificates keep the name. For S3. sai3-bench has no such key."
        ),
    )
    connections_per_endpoint: PositiveCount | None = Field(
        default=None,
        description=(
            "the most connections that a worker opens to each endpoint. "
            "An endpoint whose connections are all busy is passed over, and where another one will not do, or none has a "
            "free one, the operation waits. For S3; no bound by default. sai3-bench has no such key."
        ),
    )
    endpoint_failure: EndpointFailure = Field(
        default="fail",
        description=(
            "fail, continue or eject. "
            "What becomes of the run when an endpoint fails: its errors may end it (`fail`), or may not while another "
            "endpoint works (`continue`); `eject` also leaves the endpoint out for a time. See "
            "[failing endpoints](../explanation/failing-endpoints.md)."
        ),
    )
    eject_time: PositiveDuration = Field(
        default=10.0,
        description=(
            "how long an endpoint is left out, such as 10s. "
            "Then one operation tries whether it works. Also for endpoints that are silent, whatever `endpoint_failure` is."
        ),
    )
    eject_after: PositiveCount = Field(
        default=5,
        description=(
            "the number of failures in a row that ejects an endpoint. "
            "Only with `endpoint_failure: eject`. Failed connections, time limits, answers that are none and 5xx count; "
            "a missing object does not."
        ),
    )
    suspect_after: PositiveDuration = Field(
        default=5.0,
        description=(
            "the time after which an endpoint counts as silent, such as 5s. "
            "It gets no operations while it has not answered for so long, or for twice as long as it ever was silent "
            "before, and others have not fallen silent with it. With `endpoint_failure: eject` five times as long ejects it."
        ),
    )

    @model_validator(mode="after")
    def _check_given(self) -> MultiEndpoint:
        if self.enabled and "endpoints" in self.model_fields_set and not self.endpoints:
            raise ObjectionsError((("endpoints",), NO_ENDPOINTS))
        return self


class Dataset(Section):
    """Endpoints for all agents as dl-driver writes them; its other keys mean nothing here."""

    endpoint_uris: EndpointList = Field(
        default=(), description="a list of URIs. The same as `endpoint_uris`."
    )
    load_balance_strategy: Strategy | None = Field(
        default=None, description="a strategy. The same as `load_balance_strategy`."
    )
