"""What is wrong, or doubtful, in a suite whose sections are each right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.directories import (
    NO_DIRECTORIES,
    operations_fit_the_tree,
    trees_have_no_shards,
    verified_files_stay,
)
from pytest_sai3bench.suite.endpoint_rules import ENDPOINT_KEYS, ENDPOINT_RULES
from pytest_sai3bench.suite.feeding_rules import new_objects_find_readers
from pytest_sai3bench.suite.large_rules import (
    large_objects_are_on_s3,
    range_engine_is_enabled,
    ranges_are_given_once,
    uploads_have_parts_that_s3_takes,
    uploads_stay_in_one_namespace,
)
from pytest_sai3bench.suite.operations import Get, Put
from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.ranges import expand_ranges
from pytest_sai3bench.suite.stage_rules import (
    keys_fit_types,
    rules_have_a_workload,
    stages_are_in_order,
    stages_say_what_is_removed,
)
from pytest_sai3bench.suite.uris import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.preparation import Preparation


# Nobody means to measure so long.
_LONG_S = 28 * 86400


def check(suite: Suite, unreadable: Collection[str]) -> Iterator[Finding]:
    """Yield all findings; a rule is left out when it would judge a top-level key that could not be read."""
    for keys, rule in _RULES:
        if not any(key in unreadable for key in keys):
            yield from rule(suite)


def _workload_has_operations(suite: Suite) -> Iterator[Finding]:
    if suite.sequence and not suite.workloads:
        return
    if not suite.workload:
        yield Finding(("workload",), "the workload is missing or empty: expected a list of operations")
    elif not any(operation.weight for operation in suite.workload):
        yield Finding(
            ("workload",), "all weights are 0: expected at least one operation with a weight above 0"
        )


def _duration_is_meant(suite: Suite) -> Iterator[Finding]:
    if suite.duration >= _LONG_S:
        days = f"{suite.duration / 86400:,.0f} days"
        yield Finding(("duration",), f"the run takes {days}: 'm' is a minute, 'M' a month", "warning")


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
    if schemes and "file" not in schemes:
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


def _directories_are_in_file_systems(suite: Suite) -> Iterator[Finding]:
    schemes = {parse_uri(text).scheme for _, text in _uris(suite)}
    if not schemes or schemes & {"file", "direct"} or suite.prepare.directory_structure is None:
        return
    for index, operation in enumerate(suite.workload):
        if operation.op in ("mkdir", "rmdir") and operation.weight:
            yield Finding(("workload", index, "op"), NO_DIRECTORIES.format(operation.op))


def _large_objects_are_on_s3(suite: Suite) -> Iterator[Finding]:
    return large_objects_are_on_s3(suite, {parse_uri(text).scheme for _, text in _uris(suite)})


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


_STAGES = ("stages", "distributed")
_RULES: tuple[tuple[tuple[str, ...], Callable[[Suite], Iterator[Finding]]], ...] = (
    (("workload", *_STAGES), _workload_has_operations),
    (("duration",), _duration_is_meant),
    (_STAGES, stages_are_in_order),
    (_STAGES, keys_fit_types),
    (("prepare", *_STAGES), stages_say_what_is_removed),
    (("thresholds", *_STAGES), rules_have_a_workload),
    *ENDPOINT_RULES,
    (("workload",), _sizes_are_given_once),
    (("workload", "namespace", "verify"), new_objects_find_readers),
    (("prepare",), _prepared_sizes_are_given_once),
    (("workload", "prepare"), operations_fit_the_tree),
    (("workload", "prepare", "verify"), verified_files_stay),
    (("prepare",), trees_have_no_shards),
    (("target", *ENDPOINT_KEYS, "distributed", "workload", "prepare"), _directories_are_in_file_systems),
    (("workload", "prepare", "verify"), _verified_objects_are_prepared),
    (("embedded_server",), _embedded_addresses_exist),
    (("page_cache_mode", "target", *ENDPOINT_KEYS, "distributed"), _page_cache_has_files),
    (("target", *ENDPOINT_KEYS, "distributed", "workload", "prepare"), _files_are_put),
    (
        (
            "target",
            *ENDPOINT_KEYS,
            "distributed",
            "workload",
            "prepare",
            "range_engine",
            "s3dlio_optimization",
            "multipart",
        ),
        _large_objects_are_on_s3,
    ),
    (("range_engine",), range_engine_is_enabled),
    (("range_engine", "s3dlio_optimization"), ranges_are_given_once),
    (("workload", "prepare", "multipart"), uploads_have_parts_that_s3_takes),
    (("workload", "namespace", "multipart"), uploads_stay_in_one_namespace),
)
