"""Every kind of problem, with its whole message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pathlib import Path

GET = "workload: [{op: get, path: data/*, weight: 1}]\n"


def problems_of(tmp_path: Path, text: str, *, strict: bool = False) -> list[str]:
    """Return every problem of a suite as text, warnings too."""
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        loaded = load(path, env={}, strict=strict, shown="s.yaml")
    except SuiteError as error:
        return [f"{problem.severity} {problem}" for problem in error.problems]
    return [f"{problem.severity} {problem}" for problem in loaded.warnings]


VALUES = [
    ("name: my run", "name: 'my run' cannot be a name: expected letters, digits, '_', '.', '=' and '-'"),
    (
        "name: 12",
        "name: 12 is not text: expected the name of the workload in the ids of tests; quotes make a text of it",
    ),
    ("name: [a]", "name: expected the name of the workload in the ids of tests, found a list"),
    (
        "duration: 12 parsecs",
        "duration: '12 parsecs' is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m",
    ),
    ("duration: 0s", "duration: too small: expected more than 0"),
    ("duration: {a: 1}", "duration: a mapping is not a duration: expected one value"),
    (
        "warmup: -5s",
        "warmup: '-5s' is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m",
    ),
    ("concurrency: 0", "concurrency: too small: expected at least 1"),
    ("concurrency: 1.5", "concurrency: 1.5 is not a count: expected a whole number such as 16 or 64,000"),
    ("concurrency: yes", "concurrency: 'yes' is not a count: expected a whole number such as 16 or 64,000"),
    ("concurrency: true", "concurrency: true is not a count: expected a whole number such as 16 or 64,000"),
    (
        "target: data/",
        "target: 'data/' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
    ),
    (
        "target: /mnt/data/\nmulti_endpoint: {endpoints: [file:///a/]}",
        "target: '/mnt/data/' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
    ),
    (
        "target: ../a\nmulti_endpoint: {endpoints: [file:///a/]}",
        "target: '../a' is no folder below the endpoints: expected such as data/",
    ),
    (
        "target: ''",
        "target: '' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
    ),
    (
        "target: az://a/d/",
        "target: az:// is not supported by this version: expected file://, direct://, s3:// or s3+https://",
    ),
    (
        "target: direct://d/",
        "target: 'direct://d/' is not an absolute path: expected three slashes, such as direct:///mnt/data/",
    ),
    (
        "target: file:///d/*",
        "target: 'file:///d/*' is a pattern: expected the address of one folder or bucket",
    ),
    (
        "page_cache_mode: hot",
        "page_cache_mode: unknown page cache mode 'hot': expected one of auto, sequential, random, dontneed, normal",
    ),
    ("multi_endpoint: {}", "multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs"),
    ("multi_endpoint: {endpoints: }", "multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs"),
    ("multi_endpoint: {endpoints: []}", "multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs"),
    ("engine: fast", "engine: unknown engine 'fast': expected one of default, boto3"),
    ("read_sink: drop", "read_sink: unknown read sink 'drop': expected one of auto, copy, discard"),
    ("multi_endpoint: [a]", "multi_endpoint: expected a mapping, found a list"),
    (
        "multi_endpoint: {strategy: round_robin}",
        "multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs",
    ),
    (
        "distributed: {agents: [{address: a, multi_endpoint: {endpoints: []}}]}",
        "distributed.agents[0].multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs",
    ),
    (
        "distributed: {agents: [{address: a, multi_endpoint: {strategy: round_robin}}]}",
        "distributed.agents[0].multi_endpoint.endpoints: no endpoints here, nor for all agents: expected 1 to 256 URIs",
    ),
    (
        "multi_endpoint: {endpoint_failure: ejct, endpoints: [file:///a/]}",
        "multi_endpoint.endpoint_failure: unknown endpoint failure 'ejct', did you mean 'eject'? expected one of fail, continue, eject",
    ),
    (
        "multi_endpoint: {eject_time: 0s, endpoints: [file:///a/]}",
        "multi_endpoint.eject_time: too small: expected more than 0",
    ),
    (
        "multi_endpoint: {eject_after: 0, endpoints: [file:///a/]}",
        "multi_endpoint.eject_after: too small: expected at least 1",
    ),
    (
        "multi_endpoint: {suspect_after: soon, endpoints: [file:///a/]}",
        "multi_endpoint.suspect_after: 'soon' is not a duration: expected a number of seconds or text such as 500ms, 60s, 1h 30m",
    ),
    (
        "multi_endpoint: {endpoints: file:///a/}",
        "multi_endpoint.endpoints: expected a list of URIs, found 'file:///a/'",
    ),
    (
        "multi_endpoint: {endpoints: [1]}",
        "multi_endpoint.endpoints[0]: 1 is not text: expected text; quotes make a text of it",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/, file:///a/x/, 'file:///a']}",
        "multi_endpoint.endpoints[2]: the same endpoint as [0]: expected each one once",
    ),
    (
        "multi_endpoint: {endpoints: [s3://10.0.0.1/bucket/, s3://10.0.0.1:80/bucket]}",
        "multi_endpoint.endpoints[1]: the same endpoint as [0]: expected each one once",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/, s3://bucket/]}",
        "multi_endpoint.endpoints[1]: s3:// in a set of file:// endpoints: expected one scheme for all",
    ),
    (
        "multi_endpoint: {endpoints: ['file:///a[1-200]/', 'file:///b[1-57]/']}",
        "multi_endpoint.endpoints: 257 endpoints: expected at most 256",
    ),
    (
        "multi_endpoint: {endpoints: ['s3://h:[65534-65540]/bucket/']}",
        "multi_endpoint.endpoints[0]: 's3://h:65536/bucket/': '65536' is not a port: expected a number from 1 to 65535",
    ),
    (
        "multi_endpoint: {endpoints: ['s3://[::1-4]:9000/bucket/']}",
        "multi_endpoint.endpoints[0]: 's3://[::1-4]:9000/bucket/': '::1-4' is not an IPv6 address",
    ),
    ("endpoint_uris: []", "endpoint_uris: no endpoints: expected 1 to 256 URIs"),
    ("dataset: {endpoint_uris: []}", "dataset.endpoint_uris: no endpoints: expected 1 to 256 URIs"),
    ("endpoint_uris: file:///a/", "endpoint_uris: expected a list of URIs, found 'file:///a/'"),
    (
        "endpoint_uris: [file:///a/, file:///a]",
        "endpoint_uris[1]: the same endpoint as [0]: expected each one once",
    ),
    (
        "dataset: {endpoint_uris: [file:///a/, direct:///b/]}",
        "dataset.endpoint_uris[1]: direct:// in a set of file:// endpoints: expected one scheme for all",
    ),
    (
        "endpoint_uris: [s3://embedded-1/bucket/]",
        "endpoint_uris[0]: 's3://embedded-1/bucket/' needs the embedded server: expected a block 'embedded_server: {endpoints: 1}'",
    ),
    (
        "dataset: {load_balance_strategy: fastest}",
        "dataset.load_balance_strategy: unknown strategy 'fastest': expected one of round_robin, least_connections, random, weighted, sticky, least_latency",
    ),
    (
        "target: s3://10.0.0.[1-4]:9000/bucket/",
        "target: 's3://10.0.0.[1-4]:9000/bucket/' stands for 4 endpoints: expected them in 'multi_endpoint'",
    ),
    (
        f"multi_endpoint: {{endpoints: [{', '.join(f'file:///{number}/' for number in range(257))}]}}",
        "multi_endpoint.endpoints: 257 endpoints: expected at most 256",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: round-robin}",
        "multi_endpoint.strategy: unknown strategy 'round-robin', did you mean 'round_robin'? expected one of round_robin, least_connections, random, weighted, sticky, least_latency",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], connections_per_endpoint: 0}",
        "multi_endpoint.connections_per_endpoint: too small: expected at least 1",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], resolve: each}",
        "multi_endpoint.resolve: unknown resolve 'each': expected one of first, all",
    ),
    (
        "namespace: share",
        "namespace: unknown namespace 'share', did you mean 'shared'? expected one of shared, independent, replicated",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: 7}",
        "multi_endpoint.strategy: unknown strategy 7: expected one of round_robin, least_connections, random, weighted, sticky, least_latency",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/, file:///b/], strategy: weighted, weights: [2, 0]}",
        "multi_endpoint.weights[1]: 0 is no weight: expected a number above 0, at most 1,000,000",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: weighted, weights: {'file:///a/': .inf}}",
        "multi_endpoint.weights.file:///a/: inf is no weight: expected a number above 0, at most 1,000,000",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: weighted, weights: [true]}",
        "multi_endpoint.weights[0]: true is no weight: expected a number above 0, at most 1,000,000",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: weighted, weights: 3}",
        "multi_endpoint.weights: 3 gives no weights: expected a list of numbers, or one for each URI of an endpoint",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], strategy: weighted, weights: []}",
        "multi_endpoint.weights: a list gives no weights: expected a list of numbers, or one for each URI of an endpoint",
    ),
    (
        "multi_endpoint: {endpoints: [file:///a/], enabled: on}",
        "multi_endpoint.enabled: 'on' is not a boolean: expected true or false",
    ),
    (
        "distributed: {}",
        "distributed: 'agents' is missing: expected a list of agents, each with an 'address'",
    ),
    (
        "distributed: {agents: }",
        "distributed: 'agents' is missing: expected a list of agents, each with an 'address'",
    ),
    ("distributed: {agents: []}", "distributed.agents: no agents: expected at least one with an 'address'"),
    (
        "distributed: {agents: [{id: a}]}",
        "distributed.agents[0]: 'address' is missing: expected host, user@host or host:port",
    ),
    (
        "distributed: {agents: [{address: ssh://a}]}",
        "distributed.agents[0].address: 'ssh://a' is not the address of a host: expected host or host:port",
    ),
    (
        "distributed: {agents: [{address: a, id: a/b}]}",
        "distributed.agents[0].id: 'a/b' cannot be a name: expected letters, digits, '_', '.', '=' and '-'",
    ),
    (
        "distributed: {agents: [{address: a, id: x}, {address: b, id: x}]}",
        "distributed.agents[1].id: 'x' is also the id of agents[0]: expected each id once",
    ),
    (
        "distributed: {agents: [{address: a, id: agent-2}, {address: b}]}",
        "distributed.agents[1].id: 'agent-2' is also the id of agents[0]: expected each id once",
    ),
    (
        "distributed: {agents: [{address: a, concurrency_override: 0}]}",
        "distributed.agents[0].concurrency_override: too small: expected at least 1",
    ),
    (
        "distributed: {agents: [{address: a, multi_endpoint: {endpoints: [x]}}]}",
        "distributed.agents[0].multi_endpoint.endpoints[0]: 'x' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
    ),
    (
        "prepare: {ensure_objects: {count: 1}}",
        "prepare.ensure_objects: expected a list of object sets, each with a 'count', found a mapping",
    ),
    (
        "prepare: {ensure_objects: [{}]}",
        "prepare.ensure_objects[0]: 'count' is missing: expected the number of objects",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, min_size: 2MiB}]}",
        "prepare.ensure_objects[0].min_size: min_size (2,097,152 bytes) is larger than max_size (1,048,576 bytes): expected at most as much",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, base_uri: 's3://'}]}",
        "prepare.ensure_objects[0].base_uri: 's3://' names no bucket: expected s3://bucket/prefix/ or s3://host:9000/bucket/",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: big}]}",
        "prepare.ensure_objects[0].size_spec: 'big' is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: 1.5}]}",
        "prepare.ensure_objects[0].size_spec: 1.5 is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: [1]}]}",
        "prepare.ensure_objects[0].size_spec: expected a mapping, found a list",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: {min: 1}}]}",
        "prepare.ensure_objects[0].size_spec: 'type' is missing: expected one of fixed, uniform, lognormal",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_distribution: {type: unifrom}}]}",
        "prepare.ensure_objects[0].size_distribution.type: unknown distribution 'unifrom', did you mean 'uniform'? expected one of fixed, uniform, lognormal",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: {type: uniform, min: 2KB, max: 1KB}}]}",
        "prepare.ensure_objects[0].size_spec.min: min (2,000 bytes) is larger than max (1,000 bytes): expected at most as much",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: {type: lognormal, mean: 1MiB}}]}",
        "prepare.ensure_objects[0].size_spec: 'std_dev' is missing: expected the standard deviation, such as 512KiB",
    ),
    (
        "prepare: {cleanup_mode: loose}",
        "prepare.cleanup_mode: unknown cleanup mode 'loose': expected one of strict, tolerant, best_effort",
    ),
    ("prepare: {cleanup: 1}", "prepare.cleanup: 1 is not a boolean: expected true or false"),
    (
        "thresholds: get.p99 < 20 ms",
        "thresholds: expected a list of rules such as get.p99 < 20 ms, found 'get.p99 < 20 ms'",
    ),
    (
        "thresholds: [{severity: warn}]",
        "thresholds[0]: 'rule' is missing: expected text such as 'get.p99 < 20 ms'",
    ),
    (
        "thresholds: [{rule: get.p99 < 20 ms, severity: loud}]",
        "thresholds[0].severity: unknown severity 'loud': expected one of fail, warn",
    ),
    (
        "thresholds: [{rule: get.p99 < 20 ms, xfail: ' '}]",
        "thresholds[0].xfail: empty text: expected some words",
    ),
    (
        "thresholds: [20]",
        "thresholds[0]: 20 is not a threshold: expected text such as 'get.p99 < 20 ms', or a mapping with 'rule'",
    ),
    (
        "embedded_server: {}",
        "embedded_server: the embedded server provides nothing: expected 'endpoints' or 'mounts'",
    ),
    ("embedded_server: {endpoints: 33}", "embedded_server.endpoints: too large: expected at most 32"),
    (
        "embedded_server: {endpoints: 2, slow: [{endpoint: 3, delay: 5ms}, {endpoint: 1, delay: 0}]}",
        "embedded_server.slow[1].delay: too small: expected more than 0",
    ),
    (
        "embedded_server: {endpoints: 2, slow: [{endpoint: 3, delay: 5ms}]}",
        "embedded_server.slow[0].endpoint: 3 is beyond the endpoints: expected 1 to 2",
    ),
    (
        "embedded_server: {endpoints: 2, slow: [{endpoint: 2, delay: 5ms}, {endpoint: 2, delay: 6ms}]}",
        "embedded_server.slow[1].endpoint: 2 is slow already: expected each endpoint once",
    ),
    ("embedded_server: true", "embedded_server: expected a mapping, found true"),
    ("markers: slow", "markers: expected a list of pytest markers, found 'slow'"),
    (
        "markers: [a b]",
        "markers[0]: 'a b' cannot be a marker: expected a letter, then letters, digits or '_'",
    ),
    (
        "error_handling: {error_rate_threshold: a}",
        "error_handling.error_rate_threshold: 'a' cannot stand here: expected errors per second from which an endpoint is left alone",
    ),
    (
        "error_handling: {error_rate_threshold: .inf}",
        "error_handling.error_rate_threshold: inf cannot stand here: expected errors per second from which an endpoint is left alone",
    ),
    (
        "error_handling: {retry_jitter_factor: -0.5}",
        "error_handling.retry_jitter_factor: too small: expected at least 0",
    ),
    ("seed: x", "seed: 'x' is not a count: expected a whole number such as 16 or 64,000"),
    (
        "seed: ${SEED}",
        "seed: variable SEED is not set: set it, or give a default with ${SEED:-default}",
    ),
    ("seed: 1\nseed: 2", "seed: the key 'seed' is given twice, first in line 2"),
    (
        "warmup: 1\nwarmup_period: 2",
        "warmup_period: 'warmup_period' is another spelling of 'warmup', which is given too: expected one of them",
    ),
    (
        "prepare: {ensure_objects: [{count: 1, size_spec: 1, size_distribution: 2}]}",
        "prepare.ensure_objects[0].size_distribution: 'size_distribution' is another spelling of 'size_spec', which is given too: expected one of them",
    ),
]


@pytest.mark.parametrize(("text", "problem"), VALUES, ids=[text[:50] for text, _ in VALUES])
def test_a_wrong_value_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    line = 2 + (text.count("\n") if not problem.startswith("target:") else 0)
    assert problems_of(tmp_path, f"{GET}{text}\n") == [f"error s.yaml:{line}: {problem}"]


@pytest.mark.parametrize(
    ("endpoints", "problems"),
    [
        (
            ["file:///a[1-3]/", "file:///a{3...5}", "file:///a3/"],
            {
                1: "file:///a3 is the same endpoint as [0]: expected each one once",
                2: "the same endpoint as [0]: expected each one once",
            },
        ),
        (
            [
                "s3://Node1:80/bucket/",
                "s3://[0:0::1]/bucket/",
                "s3://node1:80/bucket/",
                "s3://[::1]:80/bucket",
            ],
            {
                2: "the same endpoint as [0]: expected each one once",
                3: "the same endpoint as [1]: expected each one once",
            },
        ),
        (
            ["file:///mnt//a/", "file:///mnt/./a", "file:///mnt/A/", "file:///mnt/b/"],
            {1: "the same endpoint as [0]: expected each one once"},
        ),
        (
            ["file:///a[1-2]/", "s3://h[1-2]:9000/bucket/", "file:///b/", "direct:///a3/"],
            {
                1: "s3:// in a set of file:// endpoints: expected one scheme for all",
                3: "direct:// in a set of file:// endpoints: expected one scheme for all",
            },
        ),
    ],
)
def test_endpoints_that_do_not_fit_together_are_named(
    tmp_path: Path, endpoints: list[str], problems: dict[int, str]
) -> None:
    text = f"{GET}multi_endpoint:\n  endpoints:\n" + "".join(f"    - {uri}\n" for uri in endpoints)
    assert problems_of(tmp_path, text) == [
        f"error s.yaml:{4 + index}: multi_endpoint.endpoints[{index}]: {problem}"
        for index, problem in problems.items()
    ]


OPERATIONS = [
    ("just text", "workload[0]: expected a mapping, found 'just text'"),
    ("~", "workload[0]: expected a mapping, found nothing"),
    ("{weight: 1}", "workload[0]: 'op' is missing: expected one of get, put, list, stat, delete"),
    ("{op: , weight: 1}", "workload[0]: 'op' is missing: expected one of get, put, list, stat, delete"),
    (
        "{op: GET, weight: 1}",
        "workload[0].op: unknown operation 'GET': expected one of get, put, list, stat, delete",
    ),
    (
        "{op: delet, weight: 1}",
        "workload[0].op: unknown operation 'delet', did you mean 'delete'? expected one of get, put, list, stat, delete",
    ),
    (
        "{op: [get], weight: 1}",
        "workload[0].op: unknown operation a list: expected one of get, put, list, stat, delete",
    ),
    (
        "{op: mkdir, path: d/, weight: 1}",
        "workload[0].op: the operation 'mkdir' is not supported by this version: expected get, put, list, stat, delete",
    ),
    (
        "{op: rmdir, path: d/, weight: 1}",
        "workload[0].op: the operation 'rmdir' is not supported by this version: expected get, put, list, stat, delete",
    ),
    (
        "{op: get, path: d/}",
        "workload[0]: 'weight' is missing: expected a whole number, the share of this operation",
    ),
    (
        "{op: get, weight: 1}",
        "workload[0]: 'path' is missing: expected an object, a folder that ends with '/', or a pattern such as data/*",
    ),
    ("{op: list, weight: 1}", "workload[0]: 'path' is missing: expected a prefix such as data/"),
    (
        "{op: stat, path: d/, weight: -1}",
        "workload[0].weight: -1 is not a count: expected a whole number such as 16 or 64,000",
    ),
    (
        "{op: stat, path: 12, weight: 1}",
        "workload[0].path: 12 is not text: expected an object, a folder that ends with '/', or a pattern such as data/*; quotes make a text of it",
    ),
    (
        "{op: get, path: 'az://x/y', weight: 1}",
        "workload[0].path: az:// is not supported by this version: expected file://, direct://, s3:// or s3+https://",
    ),
    (
        "{op: get, path: d/, weight: 1, concurrency: 0}",
        "workload[0].concurrency: 'concurrency: 0' is not supported by this version, and without it the run measures something else: remove it to accept that",
    ),
    ("{op: put, weight: 1}", "workload[0]: a put needs a size: expected 'object_size' or 'size_spec'"),
    (
        "{op: put, weight: 1, object_size: }",
        "workload[0]: a put needs a size: expected 'object_size' or 'size_spec'",
    ),
    (
        "{op: put, weight: 1, object_size: 1 MB/s}",
        "workload[0].object_size: '1 MB/s' is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB",
    ),
    (
        "{op: put, weight: 1, size_spec: {type: fixed}}",
        "workload[0].size_spec: 'size' is missing: expected a size such as 1MiB",
    ),
    (
        "{op: get, path: d/, weight: 0}",
        "workload: all weights are 0: expected at least one operation with a weight above 0",
    ),
]


@pytest.mark.parametrize(("text", "problem"), OPERATIONS, ids=[text for text, _ in OPERATIONS])
def test_a_wrong_operation_is_explained(tmp_path: Path, text: str, problem: str) -> None:
    assert problems_of(tmp_path, f"workload: [{text}]\n") == [f"error s.yaml:1: {problem}"]


@pytest.mark.parametrize("text", ["name: x\n", "name: x\nworkload:\n", "name: x\nworkload: []\n"])
def test_a_suite_needs_a_workload(tmp_path: Path, text: str) -> None:
    line = text.count("\n")
    assert problems_of(tmp_path, text) == [
        f"error s.yaml:{line}: workload: the workload is missing or empty: expected a list of operations"
    ]


ODDITIES = [
    ("concurency: 4", "concurency: unknown key 'concurency', did you mean 'concurrency'?"),
    (
        "perf_log: {intervall: 1s}",
        "perf_log.intervall: unknown key 'intervall', did you mean 'interval'?",
    ),
    ("perf_logs: {}", "perf_logs: unknown key 'perf_logs', did you mean 'perf_log'?"),
    (
        "prepare: {zzz: }",
        "prepare.zzz: unknown key 'zzz': expected one of ensure_objects, cleanup, cleanup_mode, skip_verification, force_overwrite, post_prepare_delay, fsync, atomic",
    ),
    (
        "distributed: {agents: [{address: a, traget_override: x}]}",
        "distributed.agents[0].traget_override: unknown key 'traget_override', did you mean 'target_override'?",
    ),
    (
        "target: file:///a/\nmulti_endpoint: {endpoints: [file:///b/]}",
        "target: 'target' is only the base of relative paths beside an enabled multi_endpoint: expected one of the two",
    ),
    (
        "multi_endpoint: {endpoints: [file:///b/]}\nendpoint_uris: [file:///c/]",
        "endpoint_uris: 'endpoint_uris' has no effect beside 'multi_endpoint', which counts: expected one of them",
    ),
    (
        "multi_endpoint: {endpoints: [file:///b/]}\ndataset: {load_balance_strategy: round_robin}",
        "dataset.load_balance_strategy: 'load_balance_strategy' has no effect beside 'multi_endpoint', which counts: expected one of them",
    ),
    (
        "endpoint_uris: [file:///b/]\ndataset: {endpoint_uris: [file:///c/]}",
        "dataset.endpoint_uris: 'endpoint_uris' has no effect beside the one at the top, which counts: expected one of them",
    ),
    (
        "dataset: {data_folder: x}",
        "dataset.data_folder: unknown key 'data_folder': expected one of endpoint_uris, load_balance_strategy",
    ),
    (
        "target: data/\nendpoint_uris: [file:///b/]",
        "target: 'target' is only the base of relative paths beside endpoint_uris: expected one of the two",
    ),
    (
        "target: data/\ndistributed: {agents: [{address: a, multi_endpoint: {endpoints: [file:///b/]}}]}",
        "target: 'target' is only the base of relative paths beside an enabled multi_endpoint: expected one of the two",
    ),
    (
        "distributed: {agents: [{address: a, target_override: file:///a/, multi_endpoint: {endpoints: [file:///b/]}}]}",
        "distributed.agents[0].target_override: 'target_override' is only the base of relative paths beside an enabled multi_endpoint: expected one of the two",
    ),
]


@pytest.mark.parametrize(("text", "problem"), ODDITIES, ids=[text[:50] for text, _ in ODDITIES])
@pytest.mark.parametrize(("strict", "severity"), [(False, "warning"), (True, "error")])
def test_an_oddity_is_a_warning_and_in_strict_mode_an_error(
    tmp_path: Path, text: str, problem: str, severity: str, *, strict: bool
) -> None:
    line = 2 + ("\n" in text and not problem.startswith("target:"))
    assert problems_of(tmp_path, f"{GET}{text}\n", strict=strict) == [f"{severity} s.yaml:{line}: {problem}"]


def test_each_block_that_lacks_endpoints_is_named(tmp_path: Path) -> None:
    text = f"""\
{GET}multi_endpoint: {{strategy: round_robin}}
distributed:
  agents:
    - {{address: a, multi_endpoint: {{strategy: least_connections}}}}
    - {{address: b, multi_endpoint: {{endpoints: [file:///b/]}}}}
    - {{address: c, target_override: "file:///c/"}}
    - {{address: d}}
"""
    missing = "error s.yaml:2: multi_endpoint.endpoints: no endpoints: expected 1 to 256 URIs"
    missing_for_a = "error s.yaml:5: distributed.agents[0].multi_endpoint.endpoints: no endpoints here, nor for all agents: expected 1 to 256 URIs"
    assert problems_of(tmp_path, text) == [missing, missing_for_a]
    assert problems_of(tmp_path, text.replace("    - {address: d}\n", "")) == [missing_for_a]


def test_a_strategy_without_endpoints_is_a_warning(tmp_path: Path) -> None:
    text = f"{GET}target: file:///a/\nload_balance_strategy: least_connections\n"
    assert problems_of(tmp_path, text) == [
        "warning s.yaml:3: load_balance_strategy: 'load_balance_strategy' has no effect without 'endpoint_uris'"
    ]
    agents = "distributed: {agents: [{address: a, multi_endpoint: {endpoints: [file:///b/]}}]}\n"
    assert problems_of(tmp_path, text.replace("target: file:///a/\n", agents)) == []


def test_keys_of_dl_driver_beside_a_block_that_is_switched_off_count(tmp_path: Path) -> None:
    text = f"{GET}multi_endpoint: {{enabled: false}}\nendpoint_uris: [file:///a/]\n"
    assert problems_of(tmp_path, text, strict=True) == []


def test_a_target_that_one_agent_needs_is_no_oddity(tmp_path: Path) -> None:
    text = f"""\
{GET}target: file:///a/
distributed:
  agents:
    - {{address: a, multi_endpoint: {{endpoints: [file:///b/]}}}}
    - {{address: b}}
"""
    assert problems_of(tmp_path, text, strict=True) == []
    assert problems_of(tmp_path, text.replace("file:///a/", "a/")) == [
        "error s.yaml:2: target: 'a/' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/"
    ]


def test_a_disabled_set_leaves_the_target_alone(tmp_path: Path) -> None:
    text = f"{GET}target: file:///a/\nmulti_endpoint: {{enabled: false}}\n"
    assert problems_of(tmp_path, text, strict=True) == []


def test_a_strategy_has_no_effect_where_objects_have_their_place(tmp_path: Path) -> None:
    text = f"""\
{GET}namespace: Independent
multi_endpoint: {{strategy: random, endpoints: [file:///a/]}}
distributed:
  agents:
    - {{address: a}}
    - {{address: b, multi_endpoint: {{strategy: sticky}}}}
"""
    warning = "'strategy' has no effect with 'namespace: independent': an operation goes where its object is"
    assert problems_of(tmp_path, text) == [
        f"warning s.yaml:3: multi_endpoint.strategy: {warning}",
        f"warning s.yaml:7: distributed.agents[1].multi_endpoint.strategy: {warning}",
    ]
    assert problems_of(tmp_path, text.replace("Independent", "replicated")) == []


def test_copies_are_not_deleted(tmp_path: Path) -> None:
    text = "namespace: replicated\ntarget: file:///a/\nworkload: [{op: delete, path: d/*, weight: %d}, {op: stat, path: d/*, weight: 1}]\n"
    wrong = "'op: delete' would leave the copies on the other endpoints: expected no deletes with 'namespace: replicated'"
    assert problems_of(tmp_path, text % 1) == [f"error s.yaml:3: workload[0].op: {wrong}"]
    assert problems_of(tmp_path, text % 0) == []


def test_keys_for_anchors_are_free(tmp_path: Path) -> None:
    text = "x-small: &small {type: uniform, max: 8KiB}\nworkload: [{op: put, weight: 1, size_spec: *small}]\n"
    assert problems_of(tmp_path, text, strict=True) == []


def test_sizes_given_twice_are_a_warning(tmp_path: Path) -> None:
    text = """\
workload:
  - {op: put, weight: 1, object_size: 1, size_spec: 2}
prepare:
  ensure_objects:
    - {count: 1, size_spec: 2, max_size: 3}
"""
    assert problems_of(tmp_path, text) == [
        "warning s.yaml:2: workload[0].object_size: 'object_size' has no effect beside 'size_spec': expected one of them",
        "warning s.yaml:5: prepare.ensure_objects[0].max_size: 'max_size' has no effect beside 'size_spec': expected one of them",
    ]


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///d/", []),
        (
            "direct:///d/",
            [
                (
                    "error s.yaml:2: page_cache_mode: 'page_cache_mode: random' cannot be had with direct://, which goes "
                    "past the page cache: expected file://, or no page_cache_mode"
                )
            ],
        ),
        (
            "s3://h:1/bucket/",
            ["warning s.yaml:2: page_cache_mode: 'page_cache_mode' has no effect without file://"],
        ),
    ],
)
def test_hints_about_the_page_cache_are_for_files_that_go_through_it(
    tmp_path: Path, uri: str, told: list[str]
) -> None:
    assert problems_of(tmp_path, f"{GET}page_cache_mode: Random\ntarget: {uri}\n") == told


def test_options_of_files_have_no_effect_on_objects(tmp_path: Path) -> None:
    text = """\
target: s3://h:1/bucket/
workload:
  - {op: put, weight: 1, object_size: 1, atomic: true}
prepare: {fsync: true, atomic: false}
"""
    assert problems_of(tmp_path, text) == [
        "warning s.yaml:3: workload[0].atomic: 'atomic' has no effect on s3://",
        "warning s.yaml:4: prepare.fsync: 'fsync' has no effect on s3://",
    ]
    for scheme in ("file", "direct"):
        assert problems_of(tmp_path, text.replace("s3://h:1", f"{scheme}://")) == []


def test_a_range_engine_says_whether_it_is_enabled(tmp_path: Path) -> None:
    text = f"{GET}target: s3://h:1/bucket/\nrange_engine: {{chunk_size: 1MiB}}\n"
    assert problems_of(tmp_path, text) == [
        "warning s.yaml:3: range_engine: 'range_engine' has no effect without 'enabled': expected true or false"
    ]


def test_uploads_have_no_parts_that_s3_refuses(tmp_path: Path) -> None:
    text = """\
target: s3://h:1/bucket/
multipart: {part_size: 5MiB}
prepare:
  ensure_objects:
    - {count: 1, size_spec: 52428800000}
    - {count: 1, size_spec: 52428800001}
workload:
  - {op: put, weight: 1, object_size: 1MiB, multipart: {part_size: 1MiB, threshold: 1}}
  - {op: put, weight: 1, size_spec: {type: uniform, min: 1, max: 1TiB}, multipart: {part_size: 64MiB}}
  - {op: put, weight: 1, size_spec: {type: lognormal, mean: 1GiB, std_dev: 1GiB}}
  - {op: put, weight: 1, size_spec: {type: lognormal, mean: 1GiB, std_dev: 1GiB, max: 60GiB}}
"""
    assert problems_of(tmp_path, text) == [
        (
            "error s.yaml:6: prepare.ensure_objects[1]: objects of 48.8 GiB have 10,001 parts of 5 MiB, "
            "S3 takes 10,000: expected a part_size of 6MiB or more"
        ),
        (
            "warning s.yaml:8: workload[0].multipart.part_size: 'part_size' is 1 MiB, S3 takes no parts below "
            "5 MiB but the last: expected at least 5MiB"
        ),
        (
            "error s.yaml:9: workload[1]: objects of 1 TiB have 16,384 parts of 64 MiB, "
            "S3 takes 10,000: expected a part_size of 105MiB or more"
        ),
        (
            "error s.yaml:11: workload[3]: objects of 60 GiB have 12,288 parts of 5 MiB, "
            "S3 takes 10,000: expected a part_size of 7MiB or more"
        ),
    ]


def test_parts_of_an_upload_do_not_go_to_copies_of_the_storage(tmp_path: Path) -> None:
    text = """\
multi_endpoint: {endpoints: ["s3://h:1/bucket/", "s3://h:2/bucket/"]}
namespace: replicated
multipart: {}
workload:
  - {op: put, weight: 1, object_size: 1GiB}
  - {op: put, weight: 1, object_size: 1GiB, multipart: {threshold: 2GiB}}
  - {op: put, weight: 0, object_size: 1GiB}
"""
    assert problems_of(tmp_path, text) == [
        (
            "error s.yaml:5: workload[0].multipart: 'multipart' cannot be had for puts with 'namespace: replicated': "
            "parts would go to endpoints that do not know the upload: expected a threshold above 1 GiB"
        )
    ]
    assert problems_of(tmp_path, text.replace("replicated", "independent")) == []


def test_files_are_not_moved_in_parts(tmp_path: Path) -> None:
    text = """\
target: file:///d/
workload:
  - {op: get, path: "*", weight: 1, range: {size: 1MiB}}
  - {op: put, weight: 1, object_size: 1MiB, multipart: {}}
range_engine: {enabled: true}
multipart: {}
"""
    assert problems_of(tmp_path, text) == [
        "warning s.yaml:3: workload[0].range: 'range' has no effect on file://",
        "warning s.yaml:4: workload[1].multipart: 'multipart' has no effect on file://",
        "warning s.yaml:5: range_engine: 'range_engine' has no effect on file://",
        "warning s.yaml:6: multipart: 'multipart' has no effect on file://",
    ]
    assert len(problems_of(tmp_path, text.replace("true", "false"))) == 3
    assert problems_of(tmp_path, text.replace("file:///d/", "s3://h:1/bucket/")) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "verify: true\nworkload: [{op: get, path: d/*, weight: 1}]\n",
            [
                (
                    "error s.yaml:1: verify: 'verify: true' needs objects whose content is known: "
                    "expected them in prepare.ensure_objects"
                )
            ],
        ),
        (
            "workload:\n  - {op: get, path: d/*, weight: 1}\n  - {op: get, path: d/*, weight: 1, verify: true}\n",
            [
                (
                    "error s.yaml:3: workload[1].verify: 'verify: true' needs objects whose content is known: "
                    "expected them in prepare.ensure_objects"
                )
            ],
        ),
        ("verify: true\nworkload: [{op: get, path: d/*, weight: 1, verify: false}]\n", []),
        (
            "verify: true\nworkload: [{op: get, path: d/*, weight: 1}]\nprepare: {ensure_objects: [{count: 1}]}\n",
            [],
        ),
        (
            "workload: [{op: put, weight: 1, object_size: 1, compress_factor: 257}]\n",
            ["error s.yaml:1: workload[0].compress_factor: too large: expected at most 256"],
        ),
        (
            "workload: [{op: put, weight: 1, object_size: 1, fill: ones}]\n",
            ["error s.yaml:1: workload[0].fill: unknown fill 'ones': expected one of zero, random"],
        ),
    ],
)
def test_what_is_wanted_of_data_must_be_possible(tmp_path: Path, text: str, told: list[str]) -> None:
    assert problems_of(tmp_path, f"{text}target: file:///d/\n") == told


def test_embedded_addresses_need_the_server(tmp_path: Path) -> None:
    text = """\
target: s3://embedded-1/bucket/
workload: [{op: get, path: 'file://embedded-2/d/*', weight: 1}]
"""
    assert problems_of(tmp_path, text) == [
        "error s.yaml:1: target: 's3://embedded-1/bucket/' needs the embedded server: expected a block 'embedded_server: {endpoints: 1}'",
        "error s.yaml:2: workload[0].path: 'file://embedded-2/d/*' needs the embedded server: expected a block 'embedded_server: {mounts: 2}'",
    ]


def test_embedded_addresses_are_within_their_number(tmp_path: Path) -> None:
    text = f"""\
embedded_server: {{endpoints: 2}}
{GET}multi_endpoint:
  endpoints: [s3://embedded-1/bucket/, s3://embedded-3/bucket/]
distributed:
  agents:
    - address: a
      target_override: s3://embedded-2/bucket/
    - address: b
      multi_endpoint:
        endpoints: [file://embedded-1/d/]
prepare:
  ensure_objects:
    - {{base_uri: 's3://embedded-4/bucket/', count: 1}}
"""
    assert problems_of(tmp_path, text) == [
        "error s.yaml:4: multi_endpoint.endpoints[1]: 's3://embedded-3/bucket/' is beyond the 2 endpoints of embedded_server: expected endpoints: 3",
        "error s.yaml:11: distributed.agents[1].multi_endpoint.endpoints[0]: 'file://embedded-1/d/' is beyond the 0 mounts of embedded_server: expected mounts: 1",
        "error s.yaml:14: prepare.ensure_objects[0].base_uri: 's3://embedded-4/bucket/' is beyond the 2 endpoints of embedded_server: expected endpoints: 4",
    ]


def test_everything_that_is_wrong_is_said_at_once_and_in_order(tmp_path: Path) -> None:
    text = """\
name: a b
duration: 10
warmup: 1m
target: ${TARGET}
multi_endpoint:
  endpoints: [s3://embedded-1/bucket/]
workload:
  - {op: get, paht: data/*, weight: 1}
  - {op: put, wieght: 1, weight: 1}
  - {op: put, weight: 1, object_size: 1, size_spec: 1, object_size: 2}
processing_mode: multi_runtime
"""
    assert problems_of(tmp_path, text) == [
        "error s.yaml:1: name: 'a b' cannot be a name: expected letters, digits, '_', '.', '=' and '-'",
        "error s.yaml:4: target: variable TARGET is not set: set it, or give a default with ${TARGET:-default}",
        "error s.yaml:6: multi_endpoint.endpoints[0]: 's3://embedded-1/bucket/' needs the embedded server: expected a block 'embedded_server: {endpoints: 1}'",
        "error s.yaml:8: workload[0]: 'path' is missing: expected an object, a folder that ends with '/', or a pattern such as data/*",
        "warning s.yaml:8: workload[0].paht: unknown key 'paht', did you mean 'path'?",
        "error s.yaml:9: workload[1]: a put needs a size: expected 'object_size' or 'size_spec'",
        "warning s.yaml:9: workload[1].wieght: unknown key 'wieght', did you mean 'weight'?",
        "error s.yaml:10: workload[2].object_size: the key 'object_size' is given twice, first in line 10",
        "warning s.yaml:11: processing_mode: 'processing_mode' has no effect in this version, though it belongs to the dialect",
    ]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    cases: list[tuple[bytes | None, str]] = [
        (None, "s.yaml:1: cannot be read: No such file or directory"),
        (b"name: x\nb: \xe4\n", "s.yaml:2: the byte 0xe4 is not UTF-8: expected a file saved as UTF-8"),
        (b"#" * (4 * 2**20 + 1), "s.yaml:1: larger than 4 MiB: expected a suite, not data"),
        (b"a: *b\n", "s.yaml:1: the alias has no anchor: expected an &name of this name above it"),
    ]
    for content, message in cases:
        path = tmp_path / "s.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SuiteError) as caught:
            load(path, env={}, shown="s.yaml")
        assert str(caught.value) == message


WORDS = st.sampled_from(
    [
        *("name", "target", "duration", "warmup", "concurrency", "multi_endpoint", "distributed", "workload"),
        *("prepare", "thresholds", "embedded_server", "markers", "error_handling", "strategy", "endpoints"),
        *(
            "enabled",
            "agents",
            "address",
            "id",
            "ensure_objects",
            "count",
            "size_spec",
            "type",
            "fixed",
            "uniform",
        ),
        *(
            "lognormal",
            "min",
            "max",
            "mean",
            "op",
            "get",
            "put",
            "path",
            "weight",
            "object_size",
            "rule",
            "cleanup",
        ),
        *("stages", "file:///a/", "s3://embedded-1/b/", "data/*", "1MiB", "10s", "true", "3"),
    ]
)
DOCUMENTS = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab:/$ \u00e4", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


@given(
    st.dictionaries(WORDS, DOCUMENTS, max_size=6),
    st.fixed_dictionaries(
        {"workload": st.lists(st.dictionaries(WORDS, DOCUMENTS, max_size=4) | DOCUMENTS, max_size=3)}
    ),
    st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_accepted_or_explained_in_our_own_words(
    tmp_path: Path,
    document: dict[str, Any],
    workload: dict[str, Any],
    strict: bool,  # noqa: FBT001
) -> None:
    text = yaml.safe_dump(document | workload, allow_unicode=True)
    for problem in problems_of(tmp_path, text, strict=strict):
        severity, _, rest = problem.partition(" ")
        assert severity in {"error", "warning"}
        assert rest.startswith("s.yaml:")
        assert any(
            words in rest
            for words in ("expected", "did you mean", "has no effect", "remove it", "set it", "given twice")
        )
        # The words of pydantic, its names for types, and ours.
        assert not any(
            word in rest
            for word in (
                "Input should",
                "valid",
                "Field",
                "Extra",
                "tuple",
                "dict",
                "None",
                "Section",
                "Error",
                "discriminator",
            )
        )
