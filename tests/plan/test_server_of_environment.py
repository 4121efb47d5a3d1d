"""Buckets without a server in their URI are looked for where AWS tools look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
    multi_endpoint:
      endpoints:
        - s3://bucket-1/
        - s3://bucket-2/pre/
    workload: [{op: put, weight: 1, object_size: 1}]
"""
_SHAPE = "expected http://host:port or https://host:port, or s3://host:9000/"


@pytest.mark.parametrize(
    ("env", "server"),
    [
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}, ("127.0.0.1", 9000)),
        ({"AWS_ENDPOINT_URL": "http://[::1]:9000/"}, ("::1", 9000)),
        ({"AWS_ENDPOINT_URL": "http://store"}, ("store", 80)),
        ({"AWS_ENDPOINT_URL": "https://store"}, ("store", 443)),
        ({"AWS_ENDPOINT_URL": "https://store:9000"}, ("store", 9000)),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://b:2"}, ("b", 2)),
        ({"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": ""}, ("a", 1)),
    ],
)
def test_the_server_comes_from_the_environment(
    plan_of: Callable[..., RunPlan], env: dict[str, str], server: tuple[str, int]
) -> None:
    tls = env["AWS_ENDPOINT_URL"].startswith("https:")
    assert [(e.host, e.port, e.bucket, e.prefix, e.tls) for e in plan_of(_SUITE, env).endpoints] == [
        (*server, "bucket-1", "", tls),
        (*server, "bucket-2", "pre/", tls),
    ]


def test_a_server_in_the_uri_wins(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(_SUITE.replace("s3://", "s3://here:1/"), {"AWS_ENDPOINT_URL": "http://there:2"})

    assert {(endpoint.host, endpoint.port) for endpoint in plan.endpoints} == {("here", 1)}


@pytest.mark.parametrize(
    ("env", "host"),
    [
        ({}, "s3.us-east-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, "s3.eu-west-3.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-west-3", "AWS_REGION": "ap-south-2"}, "s3.ap-south-2.amazonaws.com"),
        ({"AWS_REGION": "cn-north-1"}, "s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_without_any_server_it_is_aws(
    plan_of: Callable[..., RunPlan], env: dict[str, str], host: str
) -> None:
    assert [(e.host, e.port, e.bucket, e.tls, e.virtual) for e in plan_of(_SUITE, env).endpoints] == [
        (host, 443, "bucket-1", True, True),
        (host, 443, "bucket-2", True, True),
    ]


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        ("AWS_ENDPOINT_URL", "ftp://store:9000", "'ftp://store:9000'"),
        ("AWS_ENDPOINT_URL_S3", "store:9000", "'store:9000'"),
        ("AWS_ENDPOINT_URL", "http://", "'http://'"),
        ("AWS_ENDPOINT_URL", "http://store:port", "'http://store:port'"),
        ("AWS_ENDPOINT_URL", "http://[store", "'http://[store'"),
        ("AWS_ENDPOINT_URL", "http://store:9000/s3/", "'http://store:9000/s3/'"),
        ("AWS_ENDPOINT_URL", "http://key:canary@store:9000", "not usable"),
    ],
)
def test_a_url_that_cannot_be_used_is_told(
    problems_of: Callable[..., list[str]], name: str, url: str, shown: str
) -> None:
    assert problems_of(_SUITE.replace("        - s3://bucket-2/pre/\n", ""), {name: url}) == [
        f"s.yaml:3: multi_endpoint.endpoints[0]: {name} is {shown}: {_SHAPE}bucket-1/"
    ]
