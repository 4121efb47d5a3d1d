"""Where requests name the bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """\
target: {target}
addressing: {addressing}
workload: [{{op: put, weight: 1, object_size: 1}}]
"""


@pytest.mark.parametrize(
    ("addressing", "target", "virtual"),
    [
        ("auto", "s3://store:9000/bucket/", False),
        ("auto", "s3://10.0.0.1:9000/bucket/", False),
        ("auto", "s3+https://s3.eu-central-1.amazonaws.com/bucket/", True),
        ("auto", "s3+https://S3.cn-north-1.amazonaws.com.cn/bucket/", True),
        ("auto", "s3+https://s3.eu-central-1.amazonaws.com/my.bucket/", False),
        ("auto", "s3://s3.eu-central-1.amazonaws.com:80/my.bucket/", True),
        ("auto", "s3+https://s3.us-east-1.amazonaws.com/Old_Bucket/", False),
        ("auto", "s3+https://amazonaws.com.example.org/bucket/", False),
        ("path", "s3+https://s3.eu-central-1.amazonaws.com/bucket/", False),
        ("virtual", "s3://store:9000/bucket/", True),
        ("virtual", "s3+https://store.lab/my.bucket/", True),
    ],
)
def test_the_bucket_stands_where_it_is_wanted(
    plan_of: Callable[..., RunPlan], addressing: str, target: str, *, virtual: bool
) -> None:
    (endpoint,) = plan_of(_SUITE.format(target=target, addressing=addressing)).endpoints

    assert (endpoint.virtual, endpoint.to_wire()["virtual"]) == (virtual, virtual)


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("s3://10.0.0.1:9000/bucket/", "10.0.0.1 has no name that a bucket could stand in front of"),
        ("s3://[::1]:9000/bucket/", "::1 has no name that a bucket could stand in front of"),
        ("s3://embedded-1/bucket/", "embedded-1 has no name that a bucket could stand in front of"),
        ("s3://store:9000/Old_Bucket/", "bucket 'Old_Bucket' cannot stand in front of the name of a host"),
    ],
)
def test_what_cannot_be_is_told(problems_of: Callable[..., list[str]], target: str, cause: str) -> None:
    text = _SUITE.format(target=target, addressing="virtual") + "embedded_server: {endpoints: 1}\n"

    assert problems_of(text) == [
        f"s.yaml:1: target: addressing: virtual is not possible, {cause}: expected addressing: path"
    ]
