"""Sets of endpoints that serve one workload together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from pytest_sai3bench.suite.scalars import Strategy, Uri
from pytest_sai3bench.suite.section import ObjectionsError, Section
from pytest_sai3bench.suite.uris import ParsedUri, parse_uri

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place

MOST_ENDPOINTS = 32
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
    endpoints: tuple[Uri, ...] = Field(
        default=(),
        description="a list of URIs. 1 to 32 of one scheme, each once. All must show the same objects.",
    )

    @model_validator(mode="after")
    def _check_set(self) -> MultiEndpoint:
        objections: list[tuple[Place, str]] = []
        if self.enabled and "endpoints" in self.model_fields_set and not self.endpoints:
            objections.append((("endpoints",), NO_ENDPOINTS))
        if len(self.endpoints) > MOST_ENDPOINTS:
            objections.append(
                (("endpoints",), f"{len(self.endpoints)} endpoints: expected at most {MOST_ENDPOINTS}")
            )
        first_of: dict[ParsedUri, int] = {}
        for index, uri in enumerate(self.endpoints):
            parsed = parse_uri(uri)
            scheme = parse_uri(self.endpoints[0]).shown_scheme
            first = first_of.setdefault(replace(parsed, path=parsed.path.rstrip("/")), index)
            if parsed.shown_scheme != scheme:
                objections.append(
                    (
                        ("endpoints", index),
                        f"{parsed.shown_scheme}:// in a set of {scheme}:// endpoints: expected one scheme for all",
                    )
                )
            elif first != index:
                objections.append(
                    (("endpoints", index), f"the same endpoint as endpoints[{first}]: expected each one once")
                )
        if objections:
            raise ObjectionsError(*objections)
        return self
