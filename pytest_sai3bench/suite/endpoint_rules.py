"""What is wrong, or doubtful, about the endpoints of a suite as a whole: its blocks, their aliases, its target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.blocks import aliases, own_block, shared_block
from pytest_sai3bench.suite.endpoints import NO_ENDPOINTS
from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS
from pytest_sai3bench.suite.uris import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_sai3bench.suite.document import Suite


def _blocks_have_endpoints(suite: Suite) -> Iterator[Finding]:
    """Find those without; the block of all agents needs none where every agent has a target or endpoints of its own."""
    agents = suite.distributed.agents if suite.distributed else ()
    shared = shared_block(suite)
    needed = not agents
    for number, agent in enumerate(agents):
        own = own_block(suite, number)
        if own is None:
            needed = needed or agent.target_override is None
        elif not own.values.endpoints:
            place: Place = ("distributed", "agents", number, "multi_endpoint", "endpoints")
            text = f"no endpoints here, nor for all agents: expected 1 to {MOST_ENDPOINTS} URIs"
            yield Finding(place, text)
    if needed and shared is not None and not shared.values.endpoints:
        if suite.multi_endpoint and suite.multi_endpoint.enabled:
            yield Finding(("multi_endpoint", "endpoints"), NO_ENDPOINTS)
        elif "endpoints" in shared.places:
            yield Finding(shared.places["endpoints"], NO_ENDPOINTS)
        elif not agents:
            yield Finding(
                shared.places["strategy"],
                "'load_balance_strategy' has no effect without 'endpoint_uris'",
                "warning",
            )


def _endpoints_are_written_once(suite: Suite) -> Iterator[Finding]:
    enabled = suite.multi_endpoint is not None and suite.multi_endpoint.enabled
    counting = {key: place for key, place, _ in aliases(suite)}
    for key, place, _ in aliases(suite):
        if enabled:
            text = "has no effect beside 'multi_endpoint', which counts"
        elif place != counting[key]:
            text = "has no effect beside the one at the top, which counts"
        else:
            continue
        yield Finding(place, f"'{place[-1]}' {text}: expected one of them", "tolerated")


def _target_is_needed(suite: Suite) -> Iterator[Finding]:
    """Find a target that no agent has for its only endpoint, and one that cannot be an endpoint where it has to."""
    agents = suite.distributed.agents if suite.distributed else ()
    shared = shared_block(suite)
    others = [agent.target_override or own_block(suite, number) for number, agent in enumerate(agents)]
    text = "is only the base of relative paths beside {}: expected one of the two"
    if suite.target and ((shared and shared.values.endpoints) or (others and all(others))):
        aliased = shared and not (suite.multi_endpoint and suite.multi_endpoint.enabled)
        where = "endpoint_uris" if aliased else "an enabled multi_endpoint"
        yield Finding(("target",), f"'target' {text.format(where)}", "tolerated")
    elif suite.target and "://" not in suite.target:
        yield Finding(("target",), f"{suite.target!r} has no scheme: expected a URI such as {EXAMPLES}")
    for index, agent in enumerate(agents):
        if agent.target_override and agent.multi_endpoint and agent.multi_endpoint.enabled:
            place: Place = ("distributed", "agents", index, "target_override")
            message = f"'target_override' {text.format('an enabled multi_endpoint')}"
            yield Finding(place, message, "tolerated")


def _shared_endpoints_are_used(suite: Suite) -> Iterator[Finding]:
    """Find endpoints for all agents where every agent has others."""
    shared = shared_block(suite)
    agents = suite.distributed.agents if suite.distributed else ()
    if not agents or shared is None or not shared.values.endpoints:
        return
    place = shared.places["endpoints"]
    for number, agent in enumerate(agents):
        own = own_block(suite, number)
        if not agent.target_override if own is None else own.places["endpoints"] == place:
            return
    text = f"'{place[-1]}' has no effect: every agent has endpoints of its own"
    yield Finding(place, text, "warning")


def _weights_are_used(suite: Suite) -> Iterator[Finding]:
    blocks = [shared_block(suite)]
    blocks += [
        own_block(suite, number)
        for number in range(len(suite.distributed.agents if suite.distributed else ()))
    ]
    written = {block.places["weights"] for block in blocks if block and block.values.weights}
    used = {
        block.places["weights"]
        for block in blocks
        if block and block.values.weights and block.values.strategy == "weighted"
    }
    for place in sorted(written - used, key=str):
        yield Finding(place, "'weights' has no effect without 'strategy: weighted'", "warning")


def _namespace_fits(suite: Suite) -> Iterator[Finding]:
    """Find what an object's place decides already, and what would leave copies behind."""
    if suite.namespace == "replicated":
        for index, operation in enumerate(suite.workload):
            if operation.op == "delete" and operation.weight:
                text = "would leave the copies on the other endpoints: expected no deletes with 'namespace: replicated'"
                yield Finding(("workload", index, "op"), f"'op: delete' {text}")
    if suite.namespace == "independent":
        numbers = range(len(suite.distributed.agents if suite.distributed else ()))
        blocks = [shared_block(suite), *(own_block(suite, number) for number in numbers)]
        for place in sorted(
            {block.places["strategy"] for block in blocks if block and "strategy" in block.places}, key=str
        ):
            text = "has no effect with 'namespace: independent': an operation goes where its object is"
            yield Finding(place, f"'{place[-1]}' {text}", "warning")


ENDPOINT_KEYS = ("multi_endpoint", "endpoint_uris", "load_balance_strategy", "dataset")
"""The keys at the top that say which endpoints all agents have."""

ENDPOINT_RULES: tuple[tuple[tuple[str, ...], Callable[[Suite], Iterator[Finding]]], ...] = (
    ((*ENDPOINT_KEYS, "distributed"), _blocks_have_endpoints),
    (ENDPOINT_KEYS, _endpoints_are_written_once),
    (("target", *ENDPOINT_KEYS, "distributed"), _target_is_needed),
    ((*ENDPOINT_KEYS, "distributed"), _shared_endpoints_are_used),
    ((*ENDPOINT_KEYS, "distributed"), _weights_are_used),
    (("namespace", *ENDPOINT_KEYS, "distributed", "workload"), _namespace_fits),
)
"""Rules as `rules` has them: the top-level keys that one judges, and the rule."""
