"""What is wrong, or doubtful, in a suite whose sections are each right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.blocks import aliases, own_block, shared_block
from pytest_sai3bench.suite.endpoints import NO_ENDPOINTS
from pytest_sai3bench.suite.operations import Get, Put
from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS, expand_ranges
from pytest_sai3bench.suite.uris import EXAMPLES, parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.preparation import Preparation


def check(suite: Suite, unreadable: Collection[str]) -> Iterator[Finding]:
    """Yield all findings; a rule is left out when it would judge a top-level key that could not be read."""
    for keys, rule in _RULES:
        if not any(key in unreadable for key in keys):
            yield from rule(suite)


def _workload_has_operations(suite: Suite) -> Iterator[Finding]:
    if not suite.workload:
        yield Finding(("workload",), "the workload is missing or empty: expected a list of operations")
    elif not any(operation.weight for operation in suite.workload):
        yield Finding(
            ("workload",), "all weights are 0: expected at least one operation with a weight above 0"
        )


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


def _sizes_are_given_once(suite: Suite) -> Iterator[Finding]:
    for index, operation in enumerate(suite.workload):
        if (
            isinstance(operation, Put)
            and operation.object_size is not None
            and operation.size_spec is not None
        ):
            place: Place = ("workload", index, "object_size")
            yield Finding(
                place, "'object_size' has no effect beside 'size_spec': expected one of them", "warning"
            )


def _prepared_sizes_are_given_once(suite: Suite) -> Iterator[Finding]:
    for index, objects in enumerate(suite.prepare.ensure_objects):
        for key in ("min_size", "max_size"):
            if objects.size_spec is not None and key in objects.model_fields_set:
                place: Place = ("prepare", "ensure_objects", index, key)
                yield Finding(
                    place, f"'{key}' has no effect beside 'size_spec': expected one of them", "warning"
                )


def _verified_objects_are_prepared(suite: Suite) -> Iterator[Finding]:
    if suite.prepare.ensure_objects:
        return
    for index, operation in enumerate(suite.workload):
        if isinstance(operation, Get) and operation.weight and suite.verifies(operation):
            place: Place = ("verify",) if operation.verify is None else ("workload", index, "verify")
            text = "needs objects whose content is known: expected them in prepare.ensure_objects"
            yield Finding(place, f"'verify: true' {text}")
            return


def _embedded_addresses_exist(suite: Suite) -> Iterator[Finding]:
    server = suite.embedded_server
    for place, text in _uris(suite):
        uri = parse_uri(text)
        if uri.embedded_index is None:
            continue
        key, count = (
            ("endpoints", server.endpoints if server else 0)
            if uri.scheme == "s3"
            else ("mounts", server.mounts if server else 0)
        )
        if server is None:
            yield Finding(
                place,
                f"{text!r} needs the embedded server: expected a block 'embedded_server: {{{key}: {uri.embedded_index}}}'",
            )
        elif uri.scheme == "s3" and uri.tls != server.tls:
            wanted = ("s3", "s3+https")[server.tls]
            yield Finding(
                place,
                f"{text!r} does not fit 'embedded_server.tls: {str(server.tls).lower()}': expected {wanted}://",
            )
        elif uri.embedded_index > count:
            yield Finding(
                place,
                f"{text!r} is beyond the {count} {key} of embedded_server: expected {key}: {uri.embedded_index}",
            )


def _page_cache_has_files(suite: Suite) -> Iterator[Finding]:
    if suite.page_cache_mode is None:
        return
    schemes = {parse_uri(text).scheme for _, text in _uris(suite)}
    if "direct" in schemes:
        text = "cannot be had with direct://, which goes past the page cache: expected file://, or no page_cache_mode"
        yield Finding(("page_cache_mode",), f"'page_cache_mode: {suite.page_cache_mode}' {text}")
    elif schemes and "file" not in schemes:
        yield Finding(("page_cache_mode",), "'page_cache_mode' has no effect without file://", "warning")


def _files_are_put(suite: Suite) -> Iterator[Finding]:
    schemes = {parse_uri(text).scheme for _, text in _uris(suite)}
    if not schemes or schemes & {"file", "direct"}:
        return
    options: list[tuple[Place, Put | Preparation]] = [
        (("workload", index), operation)
        for index, operation in enumerate(suite.workload)
        if isinstance(operation, Put)
    ]
    for place, section in [*options, (("prepare",), suite.prepare)]:
        for key, given in (("fsync", section.fsync), ("atomic", section.atomic)):
            if given:
                yield Finding((*place, key), f"'{key}' has no effect on {'/'.join(schemes)}://", "warning")


def _large_objects_are_on_s3(suite: Suite) -> Iterator[Finding]:
    schemes = {parse_uri(text).scheme for _, text in _uris(suite)}
    if not schemes or "s3" in schemes:
        return
    places: list[Place] = [
        ("workload", index, "range")
        for index, operation in enumerate(suite.workload)
        if isinstance(operation, Get) and operation.range
    ]
    if suite.range_engine and suite.range_engine.enabled:
        places.append(("range_engine",))
    for place in places:
        yield Finding(place, f"'{place[-1]}' has no effect on {'/'.join(sorted(schemes))}://", "warning")


def _range_engine_is_enabled(suite: Suite) -> Iterator[Finding]:
    engine = suite.range_engine
    if engine and "enabled" not in engine.model_fields_set:
        yield Finding(
            ("range_engine",),
            "'range_engine' has no effect without 'enabled': expected true or false",
            "warning",
        )


def _uris(suite: Suite) -> Iterator[tuple[Place, str]]:
    """Yield every URI of a suite with its place."""
    texts: list[tuple[Place, str | None]] = [(("target",), suite.target)]
    if suite.multi_endpoint:
        texts += _listed(suite.multi_endpoint.endpoints, ("multi_endpoint", "endpoints"))
    texts += _listed(suite.endpoint_uris, ("endpoint_uris",))
    texts += _listed(suite.dataset.endpoint_uris if suite.dataset else (), ("dataset", "endpoint_uris"))
    for index, agent in enumerate(suite.distributed.agents if suite.distributed else ()):
        place: Place = ("distributed", "agents", index)
        texts.append(((*place, "target_override"), agent.target_override))
        if agent.multi_endpoint:
            texts += _listed(agent.multi_endpoint.endpoints, (*place, "multi_endpoint", "endpoints"))
    texts += [(("workload", i, "path"), operation.path) for i, operation in enumerate(suite.workload)]
    texts += [
        (("prepare", "ensure_objects", i, "base_uri"), objects.base_uri)
        for i, objects in enumerate(suite.prepare.ensure_objects)
    ]
    yield from ((place, text) for place, text in texts if text and "://" in text)


def _listed(written: Iterable[str], place: Place) -> list[tuple[Place, str]]:
    return [((*place, index), uri) for index, text in enumerate(written) for uri in expand_ranges(text)]


_ENDPOINT_KEYS = ("multi_endpoint", "endpoint_uris", "load_balance_strategy", "dataset")
_RULES: tuple[tuple[tuple[str, ...], Callable[[Suite], Iterator[Finding]]], ...] = (
    (("workload",), _workload_has_operations),
    ((*_ENDPOINT_KEYS, "distributed"), _blocks_have_endpoints),
    (_ENDPOINT_KEYS, _endpoints_are_written_once),
    (("target", *_ENDPOINT_KEYS, "distributed"), _target_is_needed),
    ((*_ENDPOINT_KEYS, "distributed"), _weights_are_used),
    (("namespace", *_ENDPOINT_KEYS, "distributed", "workload"), _namespace_fits),
    (("workload",), _sizes_are_given_once),
    (("prepare",), _prepared_sizes_are_given_once),
    (("workload", "prepare", "verify"), _verified_objects_are_prepared),
    (("embedded_server",), _embedded_addresses_exist),
    (("page_cache_mode", "target", *_ENDPOINT_KEYS, "distributed"), _page_cache_has_files),
    (("target", *_ENDPOINT_KEYS, "distributed", "workload", "prepare"), _files_are_put),
    (
        ("target", *_ENDPOINT_KEYS, "distributed", "workload", "prepare", "range_engine"),
        _large_objects_are_on_s3,
    ),
    (("range_engine",), _range_engine_is_enabled),
)
