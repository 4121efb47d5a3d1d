from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.suite.document import Suite
from pytest_sai3bench.suite.loader import LoadedSuite, load
from pytest_sai3bench.suite.sizes import Fixed, Lognormal, Uniform

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, text: str) -> LoadedSuite:
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, env={"BASE": "/mnt/data"}, strict=True)


def test_a_short_suite_has_the_defaults_of_the_dialect(tmp_path: Path) -> None:
    loaded = read(tmp_path, "workload: [{op: put, weight: 1, object_size: 1}]\n")
    suite = loaded.suite
    assert (loaded.path, loaded.shown, loaded.warnings) == (tmp_path / "s.yaml", str(tmp_path / "s.yaml"), ())
    assert suite.model_dump(exclude={"workload"}) == {
        "name": "workload",
        "target": None,
        "duration": 60.0,
        "warmup": 0.0,
        "concurrency": 16,
        "processes": 1,
        "io_rate": None,
        "processing_mode": "multi_runtime",
        "range_engine": None,
        "s3dlio_optimization": None,
        "multipart": None,
        "dynamic_put_pool": False,
        "fixtures": (),
        "multi_endpoint": None,
        "endpoint_uris": (),
        "load_balance_strategy": None,
        "dataset": None,
        "distributed": None,
        "stages": (),
        "prepare": {
            "ensure_objects": (),
            "directory_structure": None,
            "cleanup": False,
            "cleanup_only": False,
            "cleanup_mode": "tolerant",
            "prepare_strategy": "sequential",
            "skip_verification": False,
            "force_overwrite": False,
            "key_prefix_shards": 0,
            "post_prepare_delay": 0.0,
            "fsync": False,
            "atomic": False,
        },
        "thresholds": (),
        "embedded_server": None,
        "op_log": None,
        "op_log_path": None,
        "perf_log": {"enabled": True, "interval": 1.0},
        "markers": (),
        "skip": None,
        "xfail": None,
        "error_handling": {
            "max_total_errors": 100,
            "error_rate_threshold": 5.0,
            "backoff_duration": 5.0,
            "error_rate_window": 1.0,
            "retry_on_error": False,
            "max_retries": 3,
            "initial_retry_delay_ms": 100,
            "max_retry_delay_ms": 5000,
            "retry_backoff_multiplier": 2.0,
            "retry_jitter_factor": 0.25,
        },
        "matrix": {},
        "seed": 0,
        "tls": None,
        "verify": False,
        "addressing": "auto",
        "namespace": "shared",
        "page_cache_mode": None,
        "read_sink": "auto",
        "engine": "default",
    }


def test_keys_without_a_value_count_as_not_given(tmp_path: Path) -> None:
    keys = [key for key in Suite.model_fields if key != "workload"]
    text = "workload: [{op: put, weight: 1, object_size: 1, path: }]\n" + "".join(f"{key}:\n" for key in keys)
    assert read(tmp_path, text).suite == read(tmp_path, text.splitlines()[0]).suite


def test_every_value_is_read_in_the_spellings_of_the_dialect(tmp_path: Path) -> None:
    suite = read(
        tmp_path,
        """\
name: mixed-70.30=a_b
target: file://${BASE}/
duration: 1h 30m
warmup_period: 5
concurrency: "1,024"
workload:
  - {op: get, path: "data/*", weight: 1_070}
  - {op: put, weight: 20, object_size: 64KB}
  - {op: put, path: new/, weight: 10, size_distribution: {type: lognormal, mean: 1MiB, std_dev: 512KiB}}
  - {op: list, path: "file:///mnt/data/", weight: 0}
  - {op: stat, path: data/one, weight: 1}
  - {op: delete, path: data/prepared-*, weight: 1}
prepare:
  ensure_objects:
    - {base_uri: data/, count: 64 000, min_size: 1KiB, max_size: 2KiB}
    - {count: 1, size_spec: 3}
    - {count: 2, size_spec: {type: uniform, min: 1 KB, max: 1MB}}
    - {count: 3, max_size: 1048576}
    - {count: 4, min_size: 0, max_size: 8}
  cleanup: true
  cleanup_only: true
  cleanup_mode: BestEffort
  prepare_strategy: parallel
  skip_verification: True
  force_overwrite: TRUE
  key_prefix_shards: "16"
  post_prepare_delay: 2s
thresholds:
  - get.p99 < 20 ms
  - {rule: total.errors == 0, severity: warn}
markers: [slow]
error_handling: {backoff_duration: 100ms, error_rate_window: 2, retry_jitter_factor: 0}
seed: 0x10
""",
    ).suite
    _, fixed, lognormal, *_ = suite.workload
    objects = suite.prepare.ensure_objects
    assert (suite.name, suite.target, suite.duration, suite.warmup) == (
        "mixed-70.30=a_b",
        "file:///mnt/data/",
        5400.0,
        5.0,
    )
    assert (suite.concurrency, suite.markers, suite.seed) == (1024, ("slow",), 16)
    assert [(operation.op, operation.path, operation.weight) for operation in suite.workload] == [
        ("get", "data/*", 1070),
        ("put", "", 20),
        ("put", "new/", 10),
        ("list", "file:///mnt/data/", 0),
        ("stat", "data/one", 1),
        ("delete", "data/prepared-*", 1),
    ]
    assert fixed.op == "put"
    assert fixed.size == Fixed(size=64_000)
    assert lognormal.op == "put"
    assert lognormal.size == Lognormal(mean=2**20, std_dev=2**19, min=1, max=2**63 - 1)
    assert [(each.base_uri, each.count, each.size) for each in objects] == [
        ("data/", 64_000, Uniform(min=1024, max=2048)),
        (None, 1, Fixed(size=3)),
        (None, 2, Uniform(min=1000, max=1_000_000)),
        (None, 3, Fixed(size=1_048_576)),
        (None, 4, Uniform(min=0, max=8)),
    ]
    assert suite.prepare.model_dump(exclude={"ensure_objects"}) == {
        "directory_structure": None,
        "cleanup": True,
        "cleanup_only": True,
        "cleanup_mode": "best_effort",
        "prepare_strategy": "parallel",
        "skip_verification": True,
        "force_overwrite": True,
        "key_prefix_shards": 16,
        "post_prepare_delay": 2.0,
        "fsync": False,
        "atomic": False,
    }
    assert [(each.rule, each.severity, each.xfail) for each in suite.thresholds] == [
        ("get.p99 < 20 ms", "fail", None),
        ("total.errors == 0", "warn", None),
    ]
    errors = suite.error_handling
    assert (errors.backoff_duration, errors.error_rate_window, errors.retry_jitter_factor) == (0.1, 2.0, 0.0)


def test_endpoints_stand_globally_and_per_agent(tmp_path: Path) -> None:
    loaded = read(
        tmp_path,
        """\
embedded_server: {endpoints: 4, mounts: 1}
multi_endpoint:
  strategy: LeastConnections
  endpoints: ["s3://embedded-1/bucket/", s3://embedded-2/bucket/]
distributed:
  agents:
    - address: host1:7761
    - address: user@host2
      id: second
      concurrency_override: 32
      target_override: file://embedded-1/
    - address: 10.0.0.3
      multi_endpoint: {strategy: roundrobin, endpoints: [s3://embedded-4/bucket/]}
workload: [{op: put, weight: 1, object_size: 1}]
""",
    )
    suite = loaded.suite
    assert suite.embedded_server is not None
    assert (suite.embedded_server.endpoints, suite.embedded_server.mounts) == (4, 1)
    assert suite.multi_endpoint is not None
    assert suite.multi_endpoint.model_dump(include={"enabled", "strategy", "endpoints", "weights"}) == {
        "enabled": True,
        "strategy": "least_connections",
        "endpoints": ("s3://embedded-1/bucket/", "s3://embedded-2/bucket/"),
        "weights": None,
    }
    assert suite.distributed is not None
    assert suite.distributed.agent_ids == ("agent-1", "second", "agent-3")
    first, second, third = suite.distributed.agents
    assert (first.address, first.multi_endpoint, first.target_override) == ("host1:7761", None, None)
    assert (second.concurrency_override, second.target_override) == (32, "file://embedded-1/")
    assert third.multi_endpoint is not None
    assert third.multi_endpoint.strategy == "round_robin"
    assert loaded.where(("distributed", "agents", 2, "multi_endpoint", "endpoints", 0)).line == 13


def test_a_suite_cannot_be_changed(tmp_path: Path) -> None:
    suite = read(tmp_path, "workload: [{op: put, weight: 1, object_size: 1}]\n").suite
    with pytest.raises(ValueError, match="frozen"):
        suite.concurrency = 1


def test_every_field_says_what_it_expects() -> None:
    definitions = Suite.model_json_schema()["$defs"] | {"Suite": Suite.model_json_schema()}
    silent = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, field in definition["properties"].items()
        if "description" not in field and key not in {"op", "type"}
    ]
    assert silent == []


def test_the_log_of_intervals_has_its_own_block(tmp_path: Path) -> None:
    def perf_log(text: str) -> dict[str, object]:
        text = f"workload: [{{op: put, weight: 1, object_size: 1}}]\nperf_log: {text}\n"
        return read(tmp_path, text).suite.perf_log.model_dump()

    assert perf_log("{interval: 10s}") == {"enabled": True, "interval": 10.0}
    # As some examples of sai3-bench have it.
    assert perf_log("{enabled: false, interval_seconds: 5}") == {"enabled": False, "interval": 5.0}
    assert perf_log("") == perf_log("{}") == {"enabled": True, "interval": 1.0}
