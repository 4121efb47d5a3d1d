"""Which endpoints win, and where the plan says that they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_ALL_LEVELS = """
    target: file:///target/
    multi_endpoint:
      strategy: least_connections
      endpoints: [file:///global-1/, file:///global-2]
    distributed:
      agents:
        - address: localhost
          target_override: file:///override-1/
          multi_endpoint:
            endpoints:
              - file:///own-1/
              - file:///own-2/
        - address: localhost
          target_override: file:///override-2/
        - address: localhost
    workload:
      - {op: get, path: data/*, weight: 1}
"""


def _chosen(plan: RunPlan) -> dict[str, tuple[str, list[tuple[str, str]]]]:
    return {
        worker.agent: (worker.strategy, [(each.uri, str(each.origin)) for each in worker.endpoints])
        for worker in plan.workers
    }


def test_each_agent_takes_the_nearest_answer(plan_of: Callable[..., RunPlan]) -> None:
    assert _chosen(plan_of(_ALL_LEVELS)) == {
        "agent-1": (
            "least_connections",
            [
                ("file:///own-1/", "s.yaml:11 (distributed.agents[0].multi_endpoint.endpoints[0])"),
                ("file:///own-2/", "s.yaml:12 (distributed.agents[0].multi_endpoint.endpoints[1])"),
            ],
        ),
        "agent-2": (
            "round_robin",
            [("file:///override-2/", "s.yaml:14 (distributed.agents[1].target_override)")],
        ),
        "agent-3": (
            "least_connections",
            [
                ("file:///global-1/", "s.yaml:4 (multi_endpoint.endpoints[0])"),
                ("file:///global-2/", "s.yaml:4 (multi_endpoint.endpoints[1])"),
            ],
        ),
    }


_HYBRID = """
    multi_endpoint:
      strategy: least_connections
      endpoints: [file:///a/, file:///b/]
    distributed:
      agents:
        - {address: localhost, multi_endpoint: {endpoints: [file:///c/]}}
        - {address: localhost, multi_endpoint: {strategy: round_robin}}
        - {address: localhost, multi_endpoint: {strategy: round_robin, endpoints: [file:///d/, file:///e/]}}
        - {address: localhost, multi_endpoint: {}}
        - {address: localhost, multi_endpoint: {enabled: false, strategy: round_robin}}
        - {address: localhost, target_override: "file:///f/"}
    workload: [{op: get, path: data/*, weight: 1}]
"""


def _origins(plan: RunPlan) -> list[tuple[str, str, list[str]]]:
    """Return for each worker its strategy, the place of that, and the places of its endpoints."""
    return [
        (
            worker.strategy,
            worker.strategy_origin.path if worker.strategy_origin else "",
            [endpoint.origin.path for endpoint in worker.endpoints],
        )
        for worker in plan.workers
    ]


def test_an_agent_takes_what_its_block_leaves_out_from_the_block_of_all(
    plan_of: Callable[..., RunPlan],
) -> None:
    of_all = ["multi_endpoint.endpoints[0]", "multi_endpoint.endpoints[1]"]
    agent = "distributed.agents[{}].multi_endpoint.{}".format

    assert _origins(plan_of(_HYBRID)) == [
        ("least_connections", "multi_endpoint.strategy", [agent(0, "endpoints[0]")]),
        ("round_robin", agent(1, "strategy"), of_all),
        ("round_robin", agent(2, "strategy"), [agent(2, "endpoints[0]"), agent(2, "endpoints[1]")]),
        ("least_connections", "multi_endpoint.strategy", of_all),
        ("least_connections", "multi_endpoint.strategy", of_all),
        ("round_robin", "", ["distributed.agents[5].target_override"]),
    ]


def test_a_block_that_is_switched_off_gives_nothing_to_agents(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        multi_endpoint: {enabled: false, strategy: least_connections, endpoints: [file:///a/]}
        distributed: {agents: [{address: localhost, multi_endpoint: {endpoints: [file:///c/]}}]}
        workload: [{op: get, path: data/*, weight: 1}]
        """
    )

    assert _origins(plan) == [("round_robin", "", ["distributed.agents[0].multi_endpoint.endpoints[0]"])]


def test_the_block_of_all_may_give_the_strategy_alone(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        multi_endpoint: {strategy: least_connections}
        distributed:
          agents:
            - {address: localhost, multi_endpoint: {endpoints: [file:///c/]}}
            - {address: localhost, target_override: "file:///d/"}
        workload: [{op: get, path: data/*, weight: 1}]
        """
    )

    assert _origins(plan) == [
        (
            "least_connections",
            "multi_endpoint.strategy",
            ["distributed.agents[0].multi_endpoint.endpoints[0]"],
        ),
        ("round_robin", "", ["distributed.agents[1].target_override"]),
    ]


def test_an_agent_with_a_strategy_alone_keeps_it_over_its_target(plan_of: Callable[..., RunPlan]) -> None:
    """Its block is enabled, so it wins, with the endpoints of all."""
    plan = plan_of(
        """
        multi_endpoint: {endpoints: [file:///a/]}
        distributed:
          agents:
            - {address: localhost, target_override: "file:///d/", multi_endpoint: {strategy: least_connections}}
        workload: [{op: get, path: data/*, weight: 1}]
        """
    )

    strategy = "distributed.agents[0].multi_endpoint.strategy"
    assert _origins(plan) == [("least_connections", strategy, ["multi_endpoint.endpoints[0]"])]


def test_a_range_is_several_endpoints_of_one_place(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        multi_endpoint:
          endpoints:
            - s3://10.0.0.[9-10]:9000/bench
            - s3://[::1]:9000/bench/
        distributed:
          agents:
            - {address: localhost}
            - {address: localhost, multi_endpoint: {endpoints: ["s3://node{01...02}:9000/bench/"]}}
        workload: [{op: get, path: data/*, weight: 1}]
        """
    )

    assert _chosen(plan) == {
        "agent-1": (
            "round_robin",
            [
                ("s3://10.0.0.9:9000/bench/", "s.yaml:3 (multi_endpoint.endpoints[0])"),
                ("s3://10.0.0.10:9000/bench/", "s.yaml:3 (multi_endpoint.endpoints[0])"),
                ("s3://[::1]:9000/bench/", "s.yaml:4 (multi_endpoint.endpoints[1])"),
            ],
        ),
        "agent-2": (
            "round_robin",
            [
                ("s3://node01:9000/bench/", "s.yaml:8 (distributed.agents[1].multi_endpoint.endpoints[0])"),
                ("s3://node02:9000/bench/", "s.yaml:8 (distributed.agents[1].multi_endpoint.endpoints[0])"),
            ],
        ),
    }


@pytest.mark.parametrize(
    ("keys", "strategy", "places"),
    [
        (
            "endpoint_uris: [file:///a/, file:///b/]\nload_balance_strategy: least_connections\n",
            ("least_connections", "load_balance_strategy"),
            ["endpoint_uris[0]", "endpoint_uris[1]"],
        ),
        (
            "endpoint_uris: ['file:///a[1-2]/']\n",
            ("round_robin", ""),
            ["endpoint_uris[0]", "endpoint_uris[0]"],
        ),
        (
            "dataset: {endpoint_uris: [file:///a/], load_balance_strategy: leastconnections}\n",
            ("least_connections", "dataset.load_balance_strategy"),
            ["dataset.endpoint_uris[0]"],
        ),
        # Of two for the same key the one at the top counts; the other key of the two stays.
        (
            (
                "endpoint_uris: [file:///a/]\n"
                "dataset: {endpoint_uris: [file:///b/], load_balance_strategy: least_connections}\n"
            ),
            ("least_connections", "dataset.load_balance_strategy"),
            ["endpoint_uris[0]"],
        ),
        (
            (
                "multi_endpoint: {endpoints: [file:///a/]}\n"
                "endpoint_uris: [file:///b/]\nload_balance_strategy: least_connections\n"
            ),
            ("round_robin", ""),
            ["multi_endpoint.endpoints[0]"],
        ),
        (
            "multi_endpoint: {enabled: false, endpoints: [file:///a/]}\nendpoint_uris: [file:///b/]\n",
            ("round_robin", ""),
            ["endpoint_uris[0]"],
        ),
        ("endpoint_uris: [file:///a/]\ntarget: file:///a/x/\n", ("round_robin", ""), ["endpoint_uris[0]"]),
        ("load_balance_strategy: least_connections\ntarget: file:///a/\n", ("round_robin", ""), ["target"]),
        (
            (
                "load_balance_strategy: least_connections\n"
                "distributed: {agents: [{address: localhost, multi_endpoint: {endpoints: [file:///a/]}}]}\n"
            ),
            ("least_connections", "load_balance_strategy"),
            ["distributed.agents[0].multi_endpoint.endpoints[0]"],
        ),
    ],
)
def test_the_keys_of_dl_driver_stand_for_the_block_of_all(
    plan_of: Callable[..., RunPlan], keys: str, strategy: tuple[str, str], places: list[str]
) -> None:
    plan = plan_of(keys + "workload: [{op: get, path: data/*, weight: 1}]\n")

    assert _origins(plan) == [(*strategy, places)]


def test_blocks_that_are_switched_off_are_passed_over(plan_of: Callable[..., RunPlan]) -> None:
    text = _ALL_LEVELS.replace("multi_endpoint:\n", "multi_endpoint:\n{indent}enabled: false\n")
    head, first, tail = text.split("{indent}")
    plan = plan_of(head + 6 * " " + first + 12 * " " + tail)

    assert _chosen(plan) == {
        "agent-1": (
            "round_robin",
            [("file:///override-1/", "s.yaml:9 (distributed.agents[0].target_override)")],
        ),
        "agent-2": (
            "round_robin",
            [("file:///override-2/", "s.yaml:16 (distributed.agents[1].target_override)")],
        ),
        "agent-3": ("round_robin", [("file:///target/", "s.yaml:1 (target)")]),
    }


def test_without_agents_the_run_has_one_local_worker(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: file:///target
        workload:
          - {op: get, path: x, weight: 1}
        """
    )

    assert _chosen(plan) == {"local": ("round_robin", [("file:///target/", "s.yaml:1 (target)")])}
    assert plan.workers[0].address == "localhost"


@pytest.mark.parametrize(
    ("paths", "root", "relative"),
    [
        (("file:///mnt/a/*", "file:///mnt/b/"), "file:///mnt/", ["a/*", "b/"]),
        (("file:///mnt/a/x", "new/"), "file:///mnt/a/", ["x", "new/"]),
        (("file:///a/x", "file:///b/y"), "file:///", ["a/x", "b/y"]),
        (("direct:///mnt/a/*", "direct:///mnt/b/"), "direct:///mnt/", ["a/*", "b/"]),
        (("s3://h:9000/bucket/a/*", "s3://h:9000/bucket/b/"), "s3://h:9000/bucket/", ["a/*", "b/"]),
    ],
)
def test_last_the_paths_say_where_the_store_is(
    plan_of: Callable[..., RunPlan], paths: tuple[str, str], root: str, relative: list[str]
) -> None:
    plan = plan_of(
        f"""
        workload:
          - {{op: get, path: "{paths[0]}", weight: 1}}
          - {{op: stat, path: "{paths[1]}", weight: 1}}
        """
    )

    assert _chosen(plan) == {"local": ("round_robin", [(root, "s.yaml:2 (workload[0].path)")])}
    assert [operation.path for operation in plan.workers[0].stages[0].operations] == relative


def test_the_paths_of_prepare_count_as_well(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        prepare:
          ensure_objects:
            - {base_uri: "file:///mnt/data/", count: 1, size_spec: 1}
        workload:
          - {op: get, path: "prepared-*", weight: 1}
        """
    )

    assert _chosen(plan) == {
        "local": (
            "round_robin",
            [("file:///mnt/data/", "s.yaml:3 (prepare.ensure_objects[0].base_uri)")],
        )
    }


def test_paths_without_a_common_store_are_refused(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of(
        """
        workload:
          - {op: get, path: "file:///mnt/a", weight: 1}
          - {op: stat, path: "file:///mnt/b", weight: 1}
          - {op: get, path: "s3://h:1/bucket/b", weight: 1}
        """
    ) == [
        (
            "s.yaml:2: workload[0].path: file:///mnt/a and s3://h:1/bucket/b have no store in common: expected one for "
            "all paths, or 'multi_endpoint'"
        )
    ]


def test_a_suite_that_names_no_storage_is_refused(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of("workload:\n  - {op: get, path: data/*, weight: 1}\n") == [
        (
            "s.yaml:1: nothing says where the storage is: expected 'target', 'multi_endpoint' or paths that are URIs, or "
            "S3_ENDPOINT_URIS in the environment"
        )
    ]


def test_endpoints_are_taken_apart(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        embedded_server: {endpoints: 1, mounts: 1}
        distributed:
          agents:
            - {address: localhost, target_override: "s3://embedded-1/bucket/pre"}
            - {address: localhost, target_override: "file://embedded-1/folder"}
            - {address: localhost, target_override: "file:///"}
        workload:
          - {op: get, path: x, weight: 1}
        """
    )

    assert [
        (e.uri, e.scheme, e.host, e.port, e.bucket, e.prefix, e.root, e.embedded) for e in plan.endpoints
    ] == [
        ("s3://embedded-1/bucket/pre/", "s3", "embedded-1", 0, "bucket", "pre/", "", True),
        ("file://embedded-1/folder/", "file", "", 0, "", "", "embedded-1/folder/", True),
        ("file:///", "file", "", 0, "", "", "/", False),
    ]


def test_an_address_of_two_agents_is_one_endpoint(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        distributed:
          agents:
            - {address: localhost, multi_endpoint: {endpoints: ["s3://b:1/bucket/", "s3://a:1/bucket/"]}}
            - {address: localhost, multi_endpoint: {endpoints: ["s3://a:1/bucket", "s3://c:1/bucket/"]}}
        workload:
          - {op: get, path: x, weight: 1}
        """
    )

    assert [endpoint.uri for endpoint in plan.endpoints] == [
        "s3://b:1/bucket/",
        "s3://a:1/bucket/",
        "s3://c:1/bucket/",
    ]


def test_a_target_that_nothing_lies_below_gives_way_to_the_paths(plan_of: Callable[..., RunPlan]) -> None:
    text = """
        target: file:///here/
        prepare: {ensure_objects: [{base_uri: "file:///there/data/", count: 1}]}
        workload:
          - {op: get, path: "file:///there/data/*", weight: 1}
          - {op: put, path: "file:///there/new/", weight: 1, object_size: 1}
    """
    plan = plan_of(text)

    assert [(each.uri, str(each.origin)) for each in plan.endpoints] == [
        ("file:///there/", "s.yaml:4 (workload[0].path)")
    ]
    assert plan.notes == ("target file:///here/ has no effect: it lies below none of the endpoints",)
