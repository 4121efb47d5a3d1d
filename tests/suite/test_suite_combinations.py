"""Values that are each right, but doubtful or impossible together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

GET = "workload: [{op: get, path: data/*, weight: 1}]\n"


ODDITIES = [
    ("concurency: 4", "concurency: unknown key 'concurency', did you mean 'concurrency'?"),
    (
        "perf_log: {intervall: 1s}",
        "perf_log.intervall: unknown key 'intervall', did you mean 'interval'?",
    ),
    ("perf_logs: {}", "perf_logs: unknown key 'perf_logs', did you mean 'perf_log'?"),
    (
        "prepare: {zzz: }",
        "prepare.zzz: unknown key 'zzz': expected one of ensure_objects, directory_structure, cleanup, cleanup_only, cleanup_mode, prepare_strategy, skip_verification, force_overwrite, key_prefix_shards, post_prepare_delay, fsync, atomic",
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
    problems_of: Callable[..., list[str]], text: str, problem: str, severity: str, *, strict: bool
) -> None:
    line = 2 + ("\n" in text and not problem.startswith("target:"))
    assert problems_of(f"{GET}{text}\n", strict=strict) == [f"{severity} s.yaml:{line}: {problem}"]


def test_sizes_given_twice_are_a_warning(problems_of: Callable[..., list[str]]) -> None:
    text = """\
workload:
  - {op: put, weight: 1, object_size: 1, size_spec: 2}
prepare:
  ensure_objects:
    - {count: 1, size_spec: 2, max_size: 3}
"""
    assert problems_of(text) == [
        "warning s.yaml:2: workload[0].object_size: 'object_size' has no effect beside 'size_spec': expected one of them",
        "warning s.yaml:5: prepare.ensure_objects[0].max_size: 'max_size' has no effect beside 'size_spec': expected one of them",
    ]


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///d/", []),
        (
            "direct:///d/",
            ["warning s.yaml:2: page_cache_mode: 'page_cache_mode' has no effect without file://"],
        ),
        (
            "s3://h:1/bucket/",
            ["warning s.yaml:2: page_cache_mode: 'page_cache_mode' has no effect without file://"],
        ),
    ],
)
def test_hints_about_the_page_cache_are_for_files_that_go_through_it(
    problems_of: Callable[..., list[str]], uri: str, told: list[str]
) -> None:
    assert problems_of(f"{GET}page_cache_mode: Random\ntarget: {uri}\n") == told


def test_options_of_files_have_no_effect_on_objects(problems_of: Callable[..., list[str]]) -> None:
    text = """\
target: s3://h:1/bucket/
workload:
  - {op: put, weight: 1, object_size: 1, atomic: true}
prepare: {fsync: true, atomic: false}
"""
    assert problems_of(text) == [
        "warning s.yaml:3: workload[0].atomic: 'atomic' has no effect on s3://",
        "warning s.yaml:4: prepare.fsync: 'fsync' has no effect on s3://",
    ]
    for scheme in ("file", "direct"):
        assert problems_of(text.replace("s3://h:1", f"{scheme}://")) == []


def test_of_two_blocks_about_ranges_one_counts(problems_of: Callable[..., list[str]]) -> None:
    text = f"{GET}target: s3://h:1/bucket/\nrange_engine: {{enabled: true}}\n"
    both = f"{text}s3dlio_optimization: {{enable_range_downloads: true}}\n"

    assert problems_of(both) == [
        (
            "warning s.yaml:4: s3dlio_optimization.enable_range_downloads: 'enable_range_downloads' has no effect beside "
            "'range_engine', which counts: expected one of them"
        )
    ]
    assert problems_of(
        both.replace("s3://h:1/bucket", "file:///d").replace("enabled: true", "enabled: false")
    ) == [
        (
            "warning s.yaml:4: s3dlio_optimization.enable_range_downloads: 'enable_range_downloads' has no effect on "
            "file://"
        )
    ]


def test_months_of_load_are_doubted(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of(f"{GET}target: file:///d/\nduration: 5M\n") == [
        "warning s.yaml:3: duration: the run takes 152 days: 'm' is a minute, 'M' a month"
    ]
    assert problems_of(f"{GET}target: file:///d/\nduration: 27d\n") == []


def test_a_range_engine_says_whether_it_is_enabled(problems_of: Callable[..., list[str]]) -> None:
    text = f"{GET}target: s3://h:1/bucket/\nrange_engine: {{chunk_size: 1MiB}}\n"
    assert problems_of(text) == [
        "warning s.yaml:3: range_engine: 'range_engine' has no effect without 'enabled': expected true or false"
    ]


def test_uploads_have_no_parts_that_s3_refuses(problems_of: Callable[..., list[str]]) -> None:
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
    assert problems_of(text) == [
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


def test_files_are_not_moved_in_parts(problems_of: Callable[..., list[str]]) -> None:
    text = """\
target: file:///d/
workload:
  - {op: get, path: "*", weight: 1, range: {size: 1MiB}}
  - {op: put, weight: 1, object_size: 1MiB, multipart: {}}
range_engine: {enabled: true}
multipart: {}
"""
    assert problems_of(text) == [
        "warning s.yaml:3: workload[0].range: 'range' has no effect on file://",
        "warning s.yaml:4: workload[1].multipart: 'multipart' has no effect on file://",
        "warning s.yaml:5: range_engine: 'range_engine' has no effect on file://",
        "warning s.yaml:6: multipart: 'multipart' has no effect on file://",
    ]
    assert len(problems_of(text.replace("true", "false"))) == 3
    assert problems_of(text.replace("file:///d/", "s3://h:1/bucket/")) == []


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
def test_what_is_wanted_of_data_must_be_possible(
    problems_of: Callable[..., list[str]], text: str, told: list[str]
) -> None:
    assert problems_of(f"{text}target: file:///d/\n") == told
