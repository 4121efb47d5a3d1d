"""What crosses to an agent: builtins that survive JSON, and nothing that is not meant for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_EVERYTHING = """
    name: all
    duration: 7s
    warmup: 500ms
    seed: 3
    error_handling: {retry_on_error: true}
    multi_endpoint: {strategy: least_connections, endpoints: ["s3://h1:9000/bucket/pre/", "s3://h2:9000/bucket/pre/"]}
    distributed: {agents: [{address: localhost}, {address: localhost}]}
    prepare:
      ensure_objects:
        - {base_uri: data/, count: 10, size_spec: {type: lognormal, mean: 9, std_dev: 2}}
        - {base_uri: more/, count: 10, min_size: 1, max_size: 5, dedup_factor: 3, compress_factor: 0}
      cleanup: true
    workload:
      - {op: get, path: "data/*", weight: 70}
      - {op: put, path: new/, weight: 20, object_size: 1KiB, fill: zero, dedup_factor: 9}
      - {op: delete, path: "data/*", weight: 10}
"""


def _types(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {dict}.union(*(_types(item) for pair in value.items() for item in pair))
    if isinstance(value, (list, tuple)):
        return {type(value)}.union(*(_types(item) for item in value))
    return {type(value)}


def test_plans_survive_json(plan_of: Callable[..., RunPlan]) -> None:
    for worker in plan_of(_EVERYTHING).workers:
        wire = worker.to_wire()
        assert json.loads(json.dumps(wire)) == wire
        # Exact builtins: subclasses such as enumerations would not arrive as they left.
        assert _types(wire) == {dict, list, str, int, float, bool, type(None)}


def test_data_follow_from_one_seed_for_all_workers(plan_of: Callable[..., RunPlan]) -> None:
    first, second = plan_of(_EVERYTHING).workers
    assert first.seed != second.seed
    assert (
        first.data_seed
        == second.data_seed
        != plan_of(_EVERYTHING.replace("seed: 3", "")).workers[0].data_seed
    )


def test_a_get_may_be_verified_or_not_whatever_the_suite_says(plan_of: Callable[..., RunPlan]) -> None:
    text = _EVERYTHING + '      - {op: get, path: "data/*", weight: 1, verify: WORD}\n'
    for suite, word, expected in (
        ("false", "true", [False, False, False, True]),
        ("true", "false", [True, False, False, False]),
    ):
        plan = plan_of(text.replace("WORD", word) + f"    verify: {suite}\n")
        assert [each["verify"] for each in plan.workers[0].to_wire()["stages"][1]["operations"]] == expected


def test_the_wire_holds_what_the_agent_reads(plan_of: Callable[..., RunPlan]) -> None:
    second = plan_of(_EVERYTHING).workers[1]
    wire = second.to_wire()

    assert (wire["agent"], wire["worker"], wire["workers"], wire["lanes"]) == ("agent-2", 1, 2, 16)
    assert (wire["strategy"], wire["seed"]) == ("least_connections", second.seed)
    assert (wire["page_cache_mode"], wire["read_sink"], wire["engine"]) == ("", "auto", "default")
    assert wire["endpoints"][1] == {
        "uri": "s3://h2:9000/bucket/pre/",
        "scheme": "s3",
        "address": "",
        "host": "h2",
        "port": 9000,
        "bucket": "bucket",
        "prefix": "pre/",
        "root": "",
        "tls": False,
        "virtual": False,
    }
    assert [stage["kind"] for stage in wire["stages"]] == ["prepare", "workload", "cleanup"]
    assert wire["stages"][0]["objects"][2] == {
        "folder": "more/",
        "stem": "prepared",
        "count": 10,
        "size": {"kind": "uniform", "low": 1, "high": 5, "mean": 0.0, "std_dev": 0.0},
        "where": "s.yaml:11",
        "share": 1,
        "shares": 2,
        "data": [False, 3, 1],
        "tree": None,
    }
    assert wire["stages"][1]["operations"][1] == {
        "op": "put",
        "path": "new/",
        "weight": 20,
        "where": "s.yaml:15",
        "size": {"kind": "fixed", "low": 1024, "high": 1024, "mean": 0.0, "std_dev": 0.0},
        "pool": "prepared",
        "fsync": False,
        "atomic": False,
        "data": [True, 1, 1],
        "verify": False,
        "ranges": None,
        "multipart": None,
        "most": 0,
        "apart": False,
        "tree": None,
        "recursive": False,
    }
