"""Sets of endpoints that serve one workload together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS, expand_ranges
from pytest_sai3bench.suite.scalars import Endpoints, Strategy
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.uris import ParsedUri, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.suite.places import Place

NO_ENDPOINTS = f"no endpoints: expected 1 to {MOST_ENDPOINTS} URIs"


class MultiEndpoint(Section):
    """Endpoints over which the operations are spread; a block that is present is enabled.

    Whether there are endpoints is checked in `rules`: what an agent's block leaves out comes from the one of all agents.
    """

    enabled: bool = Field(
        default=True,
        description="true or false. False keeps the block in the file without effect. sai3-bench has no such key.",
    )
    strategy: Strategy = Field(
        default="round_robin",
        description=(
            "round_robin or least_connections. "
            "Each agent chooses for itself. Among endpoints with equally few, least_connections takes each in turn, sai3-bench always the first."
        ),
    )
    endpoints: tuple[Endpoints, ...] = Field(
        default=(),
        description=(
            f"a list of URIs. 1 to {MOST_ENDPOINTS} of one scheme, each once. All must show the same objects. "
            "`[1-4]`, `[01,03,05-07]` and `{1...4}` in a URI stand for several. sai3-bench takes 32 and has no ranges."
        ),
    )

    @model_validator(mode="after")
    def _check_set(self) -> MultiEndpoint:
        objections = [(("endpoints", *place), message) for place, message in object_to(self.endpoints)]
        if self.enabled and "endpoints" in self.model_fields_set and not self.endpoints:
            objections.append((("endpoints",), NO_ENDPOINTS))
        if objections:
            raise ObjectionsError(*objections)
        return self


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
            parsed = parse_uri(uri)
            first = first_of.setdefault(replace(parsed, path=parsed.path.rstrip("/")), index)
            if first != index:
                shown = f"{uri} is " if len(uris) > 1 else ""
                yield (index,), f"{shown}the same endpoint as endpoints[{first}]: expected each one once"
                break
