from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """\
target: {target}
workload:
  - {{op: get, path: data/prepared-*, weight: {weight}, verify: {verify}}}
  - {{op: put, path: new/, weight: 1, object_size: 1}}
prepare: {{ensure_objects: [{{base_uri: data/, count: 1, min_size: 1, max_size: 1}}]}}
read_sink: {sink}
"""


def suite(sink: str, target: str = "s3://h:9000/bucket/", *, weight: int = 1, verify: str = "false") -> str:
    return _SUITE.format(sink=sink, target=target, weight=weight, verify=verify)


@pytest.mark.parametrize(
    ("target", "verify", "reasons"),
    [
        ("s3+https://h:9000/bucket/", "false", ["over TLS, which the program has to decrypt"]),
        ("s3://h:9000/bucket/", "true", ["with 'verify: true', which looks at the data"]),
        ("file:///d/", "false", ["with file://, where all data are read"]),
        ("direct:///d/", "false", ["with direct://, where all data are read"]),
        (
            "s3+https://h:9000/bucket/",
            "true",
            ["over TLS, which the program has to decrypt", "with 'verify: true', which looks at the data"],
        ),
    ],
)
def test_what_cannot_be_dropped_is_told_and_copied_without_a_word(
    plan_of: Callable[..., RunPlan],
    problems_of: Callable[..., list[str]],
    target: str,
    verify: str,
    reasons: list[str],
) -> None:
    assert problems_of(suite("discard", target, verify=verify)) == [
        f"s.yaml:6: read_sink: 'read_sink: discard' cannot be had {reason}: expected auto or copy"
        for reason in reasons
    ]
    for sink in ("auto", "copy"):
        [worker] = plan_of(suite(sink, target, verify=verify)).workers
        assert worker.to_wire()["read_sink"] == sink


def test_what_can_be_dropped(plan_of: Callable[..., RunPlan]) -> None:
    for text in (suite("discard"), suite("discard", weight=0, verify="true")):
        [worker] = plan_of(text).workers
        assert worker.to_wire()["read_sink"] == "discard"


def test_the_reference_engine(plan_of: Callable[..., RunPlan], problems_of: Callable[..., list[str]]) -> None:
    plan = plan_of(suite("auto") + "engine: boto3\n")

    assert plan.workers[0].to_wire()["engine"] == "boto3"
    assert plan.notes == (
        "engine: boto3 is the reference for what a storage answers: how fast it goes is up to the client",
    )
    assert [plan.times_first_byte, plan_of(suite("auto")).times_first_byte] == [False, True]
    assert problems_of(suite("discard") + "engine: boto3\n") == [
        (
            "s.yaml:6: read_sink: 'read_sink: discard' cannot be had with 'engine: boto3', which copies all data: "
            "expected auto or copy"
        )
    ]
    for scheme in ("file", "direct"):
        assert problems_of(suite("auto", f"{scheme}:///d/") + "engine: boto3\n") == [
            f"s.yaml:7: engine: 'engine: boto3' cannot be had with {scheme}://: expected s3:// endpoints, or engine: default"
        ]


def test_addresses_are_not_for_the_reference_engine(problems_of: Callable[..., list[str]]) -> None:
    suite = """
        engine: boto3
        multi_endpoint: {resolve: all, endpoints: ["s3://storage.test:9000/bucket/"]}
        workload: [{op: get, path: data/*, weight: 1}]
    """
    assert problems_of(suite) == [
        (
            "s.yaml:1: engine: 'engine: boto3' cannot be had with 'resolve: all': it looks names up by itself: "
            "expected resolve: first, or engine: default"
        )
    ]
