"""Values and operations that are wrong by themselves, each with its whole message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

GET = "workload: [{op: get, path: data/*, weight: 1}]\n"


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
def test_a_wrong_value_is_explained(problems_of: Callable[..., list[str]], text: str, problem: str) -> None:
    line = 2 + (text.count("\n") if not problem.startswith("target:") else 0)
    assert problems_of(f"{GET}{text}\n") == [f"error s.yaml:{line}: {problem}"]


OPERATIONS = [
    ("just text", "workload[0]: expected a mapping, found 'just text'"),
    ("~", "workload[0]: expected a mapping, found nothing"),
    (
        "{weight: 1}",
        "workload[0]: 'op' is missing: expected one of get, put, list, stat, delete, mkdir, rmdir",
    ),
    (
        "{op: , weight: 1}",
        "workload[0]: 'op' is missing: expected one of get, put, list, stat, delete, mkdir, rmdir",
    ),
    (
        "{op: GET, weight: 1}",
        "workload[0].op: unknown operation 'GET': expected one of get, put, list, stat, delete, mkdir, rmdir",
    ),
    (
        "{op: delet, weight: 1}",
        "workload[0].op: unknown operation 'delet', did you mean 'delete'? expected one of get, put, list, stat, delete, mkdir, rmdir",
    ),
    (
        "{op: [get], weight: 1}",
        "workload[0].op: unknown operation a list: expected one of get, put, list, stat, delete, mkdir, rmdir",
    ),
    (
        "{op: mkdir, weight: 1}",
        "workload[0].op: 'mkdir' needs directories: expected prepare.directory_structure",
    ),
    (
        "{op: rmdir, path: d/, recursive: 1, weight: 1}",
        "workload[0].recursive: 1 is not a boolean: expected true or false",
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
        "workload[0].concurrency: too small: expected at least 1",
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
def test_a_wrong_operation_is_explained(
    problems_of: Callable[..., list[str]], text: str, problem: str
) -> None:
    assert problems_of(f"workload: [{text}]\n") == [f"error s.yaml:1: {problem}"]
