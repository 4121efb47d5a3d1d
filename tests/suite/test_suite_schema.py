"""The JSON Schema takes what the loader takes, and marks what it does not know."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_sai3bench.suite.loader import load
from pytest_sai3bench.suite.schema import json_schema
from pytest_sai3bench.suite.tree import read_tree

ROOT = Path(__file__).parents[2]
SUITES = sorted(
    path
    for folder in ("example_suites", "tests/corpus/accepted")
    for path in (ROOT / folder).rglob("*.y*ml")
    # An editor marks what the loader only doubts.
    if path.name != "unknown_keys.yaml"
)
_MINIMAL = "target: file:///d/\nworkload: [{op: get, path: a, weight: 1}]\n"


@cache
def validator() -> Any:
    schema = json.loads(json.dumps(json_schema()))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def complaints(text: str) -> list[str]:
    # Through JSON: an editor has lists where the loader has tuples.
    data = json.loads(json.dumps(read_tree(text, file="s.yaml", env={}).data))
    return [error.json_path for error in validator().iter_errors(data)]


@pytest.mark.parametrize("path", SUITES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_suites_of_all_kinds_fit(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "more",
    [
        "duration: 60",
        "duration: 1.5",
        "duration: 1h 30m",
        "warmup_period: 5s",
        "duration: ${D}",
        "concurrency: 1,024",
        "concurrency:",
        "prepare:",
        "prepare: {ensure_objects: [{count: 3, size_spec: 1MiB}, {count: 3, size_spec: {type: uniform}}]}",
        "multi_endpoint: {strategy: Least_Connections, endpoints: [file:///a/, file:///b/]}",
        "multi_endpoint: {strategy: weighted, endpoints: [file:///a/], weights: [0.5]}",
        "multi_endpoint: {strategy: weighted, endpoints: [file:///a/], weights: {'file:///a/': 2}}",
        "namespace: shared",
        "perf_log: {enabled: true}",
        "verify: ${VERIFY}",
        "x-anything: {a: 1}",
        "thresholds: [get.p99 < 2 ms, {rule: get.p50 < 1 ms, severity: WARN}]",
        "io_rate: {iops: max}",
        "error_handling: {error_rate_threshold: 0.5}",
    ],
)
def test_every_way_to_write_a_value_fits(more: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(_MINIMAL + more)

    assert complaints(path.read_text()) == []
    load(path, env={"D": "3s", "VERIFY": "false"})


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("concurency: 3", "$"),
        ("verify: maybe", "$.verify"),
        ("matrix: {size: 1}", "$.matrix"),
        ("namespace: sharde", "$.namespace"),
        ("multi_endpoint: {strategy: fastest, endpoints: [file:///a/]}", "$.multi_endpoint"),
        ("multi_endpoint: {strategy: weighted, endpoints: [file:///a/], weights: 3}", "$.multi_endpoint"),
        ("prepare: {ensure_objects: [{size_spec: 1MiB}]}", "$.prepare"),
    ],
)
def test_what_the_loader_does_not_know_is_marked(more: str, place: str) -> None:
    assert complaints(_MINIMAL + more) == [place]


def test_keys_are_explained() -> None:
    schema = json_schema()

    assert schema["properties"]["concurrency"]["description"].startswith(
        "operations at one time on each agent."
    )
    assert schema["properties"]["enable_metadata_cache"] == {
        "description": "Has no effect: there is no metadata cache; prepare looks for its objects.",
        "deprecated": True,
    }
    # Bounds are in the words of JSON Schema.
    assert "exclusiveMinimum" in json.dumps(schema["properties"]["duration"])
