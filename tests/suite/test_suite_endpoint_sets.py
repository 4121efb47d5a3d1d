"""Endpoints that do not fit together, or not to the rest of the suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

GET = "workload: [{op: get, path: data/*, weight: 1}]\n"


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
    problems_of: Callable[..., list[str]], endpoints: list[str], problems: dict[int, str]
) -> None:
    text = f"{GET}multi_endpoint:\n  endpoints:\n" + "".join(f"    - {uri}\n" for uri in endpoints)
    assert problems_of(text) == [
        f"error s.yaml:{4 + index}: multi_endpoint.endpoints[{index}]: {problem}"
        for index, problem in problems.items()
    ]


def test_each_block_that_lacks_endpoints_is_named(problems_of: Callable[..., list[str]]) -> None:
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
    assert problems_of(text) == [missing, missing_for_a]
    assert problems_of(text.replace("    - {address: d}\n", "")) == [missing_for_a]


def test_a_strategy_without_endpoints_is_a_warning(problems_of: Callable[..., list[str]]) -> None:
    text = f"{GET}target: file:///a/\nload_balance_strategy: least_connections\n"
    assert problems_of(text) == [
        "warning s.yaml:3: load_balance_strategy: 'load_balance_strategy' has no effect without 'endpoint_uris'"
    ]
    agents = "distributed: {agents: [{address: a, multi_endpoint: {endpoints: [file:///b/]}}]}\n"
    assert problems_of(text.replace("target: file:///a/\n", agents)) == []


def test_keys_of_dl_driver_beside_a_block_that_is_switched_off_count(
    problems_of: Callable[..., list[str]],
) -> None:
    text = f"{GET}multi_endpoint: {{enabled: false}}\nendpoint_uris: [file:///a/]\n"
    assert problems_of(text, strict=True) == []


def test_a_target_that_one_agent_needs_is_no_oddity(problems_of: Callable[..., list[str]]) -> None:
    text = f"""\
{GET}target: file:///a/
distributed:
  agents:
    - {{address: a, multi_endpoint: {{endpoints: [file:///b/]}}}}
    - {{address: b}}
"""
    assert problems_of(text, strict=True) == []
    assert problems_of(text.replace("file:///a/", "a/")) == [
        "error s.yaml:2: target: 'a/' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/"
    ]


def test_a_disabled_set_leaves_the_target_alone(problems_of: Callable[..., list[str]]) -> None:
    text = f"{GET}target: file:///a/\nmulti_endpoint: {{enabled: false}}\n"
    assert problems_of(text, strict=True) == []


def test_a_strategy_has_no_effect_where_objects_have_their_place(
    problems_of: Callable[..., list[str]],
) -> None:
    text = f"""\
{GET}namespace: Independent
multi_endpoint: {{strategy: random, endpoints: [file:///a/]}}
distributed:
  agents:
    - {{address: a}}
    - {{address: b, multi_endpoint: {{strategy: sticky}}}}
"""
    warning = "'strategy' has no effect with 'namespace: independent': an operation goes where its object is"
    assert problems_of(text) == [
        f"warning s.yaml:3: multi_endpoint.strategy: {warning}",
        f"warning s.yaml:7: distributed.agents[1].multi_endpoint.strategy: {warning}",
    ]
    assert problems_of(text.replace("Independent", "replicated")) == []


def test_copies_are_not_deleted(problems_of: Callable[..., list[str]]) -> None:
    text = "namespace: replicated\ntarget: file:///a/\nworkload: [{op: delete, path: d/*, weight: %d}, {op: stat, path: d/*, weight: 1}]\n"
    wrong = "'op: delete' would leave the copies on the other endpoints: expected no deletes with 'namespace: replicated'"
    assert problems_of(text % 1) == [f"error s.yaml:3: workload[0].op: {wrong}"]
    assert problems_of(text % 0) == []


def test_parts_of_an_upload_do_not_go_to_copies_of_the_storage(problems_of: Callable[..., list[str]]) -> None:
    text = """\
multi_endpoint: {endpoints: ["s3://h:1/bucket/", "s3://h:2/bucket/"]}
namespace: replicated
multipart: {}
workload:
  - {op: put, weight: 1, object_size: 1GiB}
  - {op: put, weight: 1, object_size: 1GiB, multipart: {threshold: 2GiB}}
  - {op: put, weight: 0, object_size: 1GiB}
"""
    assert problems_of(text) == [
        (
            "error s.yaml:5: workload[0].multipart: 'multipart' cannot be had for puts with 'namespace: replicated': "
            "parts would go to endpoints that do not know the upload: expected a threshold above 1 GiB"
        )
    ]
    assert problems_of(text.replace("replicated", "independent")) == []


def test_embedded_addresses_need_the_server(problems_of: Callable[..., list[str]]) -> None:
    text = """\
target: s3://embedded-1/bucket/
workload: [{op: get, path: 'file://embedded-2/d/*', weight: 1}]
"""
    assert problems_of(text) == [
        "error s.yaml:1: target: 's3://embedded-1/bucket/' needs the embedded server: expected a block 'embedded_server: {endpoints: 1}'",
        "error s.yaml:2: workload[0].path: 'file://embedded-2/d/*' needs the embedded server: expected a block 'embedded_server: {mounts: 2}'",
    ]


def test_embedded_addresses_are_within_their_number(problems_of: Callable[..., list[str]]) -> None:
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
    - address: c
prepare:
  ensure_objects:
    - {{base_uri: 's3://embedded-4/bucket/', count: 1}}
"""
    assert problems_of(text) == [
        "error s.yaml:4: multi_endpoint.endpoints[1]: 's3://embedded-3/bucket/' is beyond the 2 endpoints of embedded_server: expected endpoints: 3",
        "error s.yaml:11: distributed.agents[1].multi_endpoint.endpoints[0]: 'file://embedded-1/d/' is beyond the 0 mounts of embedded_server: expected mounts: 1",
        "error s.yaml:15: prepare.ensure_objects[0].base_uri: 's3://embedded-4/bucket/' is beyond the 2 endpoints of embedded_server: expected endpoints: 4",
    ]


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        (
            "[{address: a, multi_endpoint: {endpoints: [file:///c/]}}, {address: b, target_override: file:///d/}]",
            True,
        ),
        ("[{address: a, multi_endpoint: {endpoints: [file:///c/]}}, {address: b}]", False),
        ("[{address: a, multi_endpoint: {strategy: random}}]", False),
        ("[{address: a, multi_endpoint: {enabled: false, endpoints: [file:///c/]}}]", False),
        ("[]", False),
    ],
)
@pytest.mark.parametrize(
    ("shared", "place"),
    [
        (
            "multi_endpoint: {strategy: random, endpoints: [file:///a/, file:///b/]}",
            "multi_endpoint.endpoints",
        ),
        ("endpoint_uris: [file:///a/, file:///b/]", "endpoint_uris"),
    ],
)
def test_endpoints_that_no_agent_drives_are_doubted(
    problems_of: Callable[..., list[str]], agents: str, shared: str, place: str, *, told: bool
) -> None:
    key = place.rpartition(".")[2]
    text = f"warning s.yaml:2: {place}: '{key}' has no effect: every agent has endpoints of its own"
    assert problems_of(f"{GET}{shared}\ndistributed: {{agents: {agents}}}\n") == ([text] if told else [])
