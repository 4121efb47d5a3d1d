"""Oddities of a plan that its reader is told about, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan


def _suite(*agents: str, more: str = "") -> str:
    listed = "".join(f"\n    - {agent}" for agent in agents)
    return f"{more}distributed:\n  agents:{listed}\nworkload: [{{op: put, weight: 1, object_size: 1}}]\n"


def _agent(*names: str, lanes: int = 6) -> str:
    uris = ", ".join(f'"file:///{name}/"' for name in names)
    return f"{{address: localhost, concurrency_override: {lanes}, multi_endpoint: {{endpoints: [{uris}]}}}}"


def test_fewer_lanes_than_endpoints_are_noted(plan_of: Callable[..., RunPlan]) -> None:
    assert plan_of(_suite(_agent("a", "b", "c", lanes=2), _agent("a", "b", "c", lanes=3))).notes == (
        "agent-1 keeps 2 operations going, fewer than its 3 endpoints: some are always idle; raise concurrency",
    )
    assert plan_of(_suite(_agent("a", "b", lanes=1))).notes == (
        "agent-1 keeps 1 operation going, fewer than its 2 endpoints: some are always idle; raise concurrency",
    )


@pytest.mark.parametrize(
    ("agents", "notes"),
    [
        ((_agent("a", "b"), _agent("c", "d")), ()),
        # All agents drive the same endpoints: evenly, whatever their numbers.
        ((_agent("a"), _agent("a"), _agent("a")), ()),
        ((_agent("a", "b", "c"), _agent("a", "b", "c")), ()),
        ((_agent("a", "b", lanes=6), _agent("c", "d", "e", lanes=9)), ()),
        (
            (_agent("a", "b", "c"), _agent("d", "e")),
            (
                (
                    "5 endpoints do not divide evenly over 2 agents: 3 operations at a time on file:///d/, "
                    "2 on file:///a/"
                ),
            ),
        ),
        (
            (_agent("a", "b"), _agent("c", "d", lanes=3)),
            ("the load is uneven: 3 operations at a time on file:///a/, 1.5 on file:///c/",),
        ),
        (
            (_agent("a", "b"), _agent("b", "c"), _agent("c", "d")),
            ("the load is uneven: 6 operations at a time on file:///b/, 3 on file:///a/",),
        ),
    ],
)
def test_uneven_load_is_noted(
    plan_of: Callable[..., RunPlan], agents: tuple[str, ...], notes: tuple[str, ...]
) -> None:
    assert plan_of(_suite(*agents)).notes == notes


def test_load_that_is_uneven_by_weights_is_meant_so(plan_of: Callable[..., RunPlan]) -> None:
    weighted = _agent("a", "b", "c").replace(
        "{endpoints", "{strategy: weighted, weights: [1, 2, 3], endpoints"
    )

    assert plan_of(_suite(weighted, _agent("d", "e"))).notes == ()


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "'[::1]'"])
def test_addresses_of_this_host_need_no_note(plan_of: Callable[..., RunPlan], address: str) -> None:
    text = _suite(f"{{address: '{address.strip(chr(39))}'}}", more="target: file:///mnt/\n")

    assert plan_of(text).notes == ()


@pytest.mark.parametrize("address", ["localhost:7761", "127.0.0.1:7761", "[::1]:7761"])
def test_the_port_of_another_tool_is_noted(plan_of: Callable[..., RunPlan], address: str) -> None:
    plan = plan_of(_suite(f"{{address: '{address}', id: a}}", more="target: file:///mnt/\n"))

    assert plan.notes == (f"port 7761 of {address} is not used: a needs no open port",)
    assert plan.workers[0].address == address


def test_the_embedded_server_beside_another_is_refused(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of(
        """
        embedded_server: {endpoints: 1}
        multi_endpoint: {endpoints: ["s3://embedded-1/bucket/", "s3://127.0.0.1:9000/bucket/"]}
        workload: [{op: put, weight: 1, object_size: 1}]
        """
    ) == [
        (
            "s.yaml:1: embedded_server: endpoints of the embedded server beside others: expected one kind, they have "
            "different keys"
        )
    ]


@pytest.mark.parametrize(
    ("uris", "more", "note"),
    [
        (
            "s3://h1:9000/bucket/, s3://h2:9000/bucket/",
            "concurrency: 18\n",
            (
                "local may open 8 connections for 18 operations at a time in each worker: "
                "the others wait; raise connections_per_endpoint"
            ),
        ),
        ("s3://h1:9000/bucket/, s3://h2:9000/bucket/", "concurrency: 8\n", ""),
        (
            "file:///a/, file:///b/",
            "",
            "connections_per_endpoint has no effect on local: it is for S3 and the default engine",
        ),
    ],
)
def test_bounds_on_connections_that_slow_or_do_nothing_are_noted(
    plan_of: Callable[..., RunPlan], uris: str, more: str, note: str
) -> None:
    block = f"multi_endpoint: {{connections_per_endpoint: 4, endpoints: [{uris}]}}\n"
    plan = plan_of(f"{more}{block}workload: [{{op: put, weight: 1, object_size: 1}}]\n")
    assert plan.notes == ((note,) if note else ())
    assert plan.workers[0].to_wire()["connections"] == 4
    # How many endpoints there will be is not known before the run.
    uncertain = block.replace("{c", "{resolve: all, c") + more
    if "s3" in uris:
        assert plan_of(f"{uncertain}workload: [{{op: put, weight: 1, object_size: 1}}]\n").notes == ()


@pytest.mark.parametrize(
    ("uri", "noted"),
    [
        (
            "s3://minio1/bench/",
            "s3://minio1/bench/ is the bucket minio1; sai3-bench takes it for a server, written s3://minio1:80/bench/ here",
        ),
        ("s3://ceph-data/", None),
        ("s3://data/minio/", None),
        ("s3://minio1:9000/ceph/bench/", None),
    ],
)
def test_a_bucket_that_sai3_bench_takes_for_a_server_is_noted(
    plan_of: Callable[..., RunPlan], uri: str, noted: str | None
) -> None:
    text = f"target: {uri}\nworkload: [{{op: put, weight: 1, object_size: 1}}]\n"
    assert plan_of(text).notes == ((noted,) if noted else ())
