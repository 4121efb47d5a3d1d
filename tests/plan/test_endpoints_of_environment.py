"""Endpoints that the environment lists, for suites that say nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SILENT = "workload: [{op: get, path: data/*, weight: 1}]\n"
_LISTED = {"S3_ENDPOINT_URIS": "s3://10.0.0.1:9000/bench/, s3://10.0.0.[2,4]:9000/bench,"}


def _chosen(plan: RunPlan) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [
        (worker.agent, worker.strategy, [(each.uri, str(each.origin)) for each in worker.endpoints])
        for worker in plan.workers
    ]


def test_a_suite_that_names_no_storage_takes_those_of_the_environment(
    plan_of: Callable[..., RunPlan],
) -> None:
    endpoints = [
        ("s3://10.0.0.1:9000/bench/", "S3_ENDPOINT_URIS"),
        ("s3://10.0.0.2:9000/bench/", "S3_ENDPOINT_URIS"),
        ("s3://10.0.0.4:9000/bench/", "S3_ENDPOINT_URIS"),
    ]
    assert _chosen(plan_of(_SILENT, _LISTED)) == [("local", "round_robin", endpoints)]

    agents = """
        distributed:
          agents:
            - {address: localhost}
            - {address: localhost, target_override: "s3://10.0.0.9:9000/bench/"}
    """
    plan = plan_of(agents + "\n        " + _SILENT, _LISTED)
    assert _chosen(plan) == [
        ("agent-1", "round_robin", endpoints),
        (
            "agent-2",
            "round_robin",
            [("s3://10.0.0.9:9000/bench/", "s.yaml:4 (distributed.agents[1].target_override)")],
        ),
    ]


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (f"target: file:///a/\n{_SILENT}", "file:///a/"),
        (f"multi_endpoint: {{endpoints: [file:///a/]}}\n{_SILENT}", "file:///a/"),
        (f"endpoint_uris: [file:///a/]\n{_SILENT}", "file:///a/"),
        (_SILENT.replace("data/*", "file:///a/data/*"), "file:///a/data/"),
    ],
)
def test_whatever_the_suite_says_counts(plan_of: Callable[..., RunPlan], text: str, uri: str) -> None:
    assert [endpoint.uri for endpoint in plan_of(text, _LISTED).endpoints] == [uri]


@pytest.mark.parametrize(
    ("value", "problems"),
    [
        (
            "s3://10.0.0.1:9000/bench/,10.0.0.2,az://a/d/",
            [
                (
                    "S3_ENDPOINT_URIS[1]: '10.0.0.2' has no scheme: expected a URI such as file:///mnt/data/ or "
                    "s3://host:9000/bucket/"
                ),
                (
                    "S3_ENDPOINT_URIS[2]: az:// is not supported by this version: expected file://, direct://, s3:// or "
                    "s3+https://"
                ),
            ],
        ),
        (
            "s3://10.0.0.1:9000/bench/,s3://10.0.0.[1-2]:9000/bench/,file:///a/",
            [
                (
                    "S3_ENDPOINT_URIS[1]: s3://10.0.0.1:9000/bench/ is the same endpoint as [0]: expected each one "
                    "once"
                ),
                "S3_ENDPOINT_URIS[2]: file:// in a set of s3:// endpoints: expected one scheme for all",
            ],
        ),
        (
            "s3://h[1-200]:9000/bench/,s3://h[201-257]:9000/bench/",
            ["S3_ENDPOINT_URIS: 257 endpoints: expected at most 256"],
        ),
        (
            "s3://user:secret@10.0.0.[4-1]:9000/bench/",
            [
                (
                    "S3_ENDPOINT_URIS[0]: credentials do not belong in a URI: expected them in the environment or a "
                    "profile of AWS"
                )
            ],
        ),
        (
            "s3://bench/",
            [
                (
                    "S3_ENDPOINT_URIS: AWS_ENDPOINT_URL is 'ftp://x': expected http://host:port or https://host:port, or "
                    "s3://host:9000/bench/"
                )
            ],
        ),
        (
            " , ",
            [
                (
                    "nothing says where the storage is: expected 'target', 'multi_endpoint' or paths that are URIs, or "
                    "S3_ENDPOINT_URIS in the environment"
                )
            ],
        ),
    ],
)
def test_what_is_wrong_with_the_list_is_told(
    problems_of: Callable[..., list[str]], value: str, problems: list[str]
) -> None:
    env = {"S3_ENDPOINT_URIS": value, "AWS_ENDPOINT_URL": "ftp://x"}
    assert problems_of(_SILENT, env) == [f"s.yaml:1: {text}" for text in problems]
