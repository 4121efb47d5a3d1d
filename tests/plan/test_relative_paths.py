"""Paths of operations become relative to the endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_sai3bench.plan.paths import below, common_root, relative_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_parts = st.text("abc.-_*", min_size=1, max_size=4).filter(lambda part: part != "..")
_plain = st.text("abc-_", min_size=1, max_size=4)
_stores = st.sampled_from(
    ["file:///", "file:///mnt/", "file://embedded-1/", "s3://h:9000/bucket/", "s3://bucket/"]
)


def _paths(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda parts, slash: "/".join(parts) + ("/" if parts and slash else ""),
        st.lists(parts, max_size=3),
        st.booleans(),
    )


@given(store=_stores, others=st.lists(_stores), path=_paths(_parts))
def test_what_lies_below_an_endpoint_is_found_again(store: str, others: list[str], path: str) -> None:
    endpoints = [store, *others]
    relative = relative_path(store + path, endpoints, base="not-used/")

    assert any(endpoint + relative == store + path for endpoint in endpoints)
    assert not any(
        (store + path).startswith(endpoint) and len(endpoint) > len(store + path) - len(relative)
        for endpoint in endpoints
    )


@given(base=_paths(_parts).filter(lambda base: not base or base.endswith("/")), path=_paths(_parts))
def test_any_other_path_begins_at_the_base(base: str, path: str) -> None:
    assert relative_path(path, ["file:///mnt/"], base) == base + path


@given(store=_stores, paths=st.lists(_paths(_parts), min_size=1, max_size=5))
@example(store="file:///", paths=["./a/b"])
def test_the_root_holds_all_paths(store: str, paths: list[str]) -> None:
    uris = [store + path for path in paths]
    root = common_root(uris)

    assert root is not None
    assert root.endswith("/")
    assert root.startswith(store)
    assert [root + relative_path(uri, [root], "") for uri in uris] == uris


@given(folder=_plain, paths=st.lists(_paths(_plain).filter(bool), min_size=1, max_size=5))
def test_the_root_of_files_is_the_deepest_folder(folder: str, paths: list[str]) -> None:
    root = common_root([f"file:///{folder}/{path}" for path in paths])

    assert root is not None
    folders = {
        f"file:///{folder}/{path}".removeprefix(root).rpartition("/")[0].partition("/")[0] for path in paths
    }
    # Something lies in the folder itself, or its subfolders differ.
    assert "" in folders or len(folders) > 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("file:///a/x", "s3://bucket/x"),
        ("file:///a/x", "file://embedded-1/a/x"),
        ("s3://bucket/x", "s3://bucket2/x"),
        ("s3://h:1/bucket/x", "s3://h:2/bucket/x"),
        ("s3://embedded-1/bucket/x", "s3://embedded-2/bucket/x"),
    ],
)
def test_different_stores_have_no_root(one: str, other: str) -> None:
    assert common_root([one, other]) is None


@pytest.mark.parametrize("path", ["s3://h:1/bucket", "s3://h:1/bucket/"])
def test_the_endpoint_itself_is_the_empty_path(path: str) -> None:
    assert relative_path(path, ["s3://h:1/bucket/"], "base/") == ""


def test_a_name_that_begins_alike_is_not_below() -> None:
    with pytest.raises(ValueError, match="lies below none of the endpoints"):
        relative_path("s3://h:1/bucket2/x", ["s3://h:1/bucket/"], "")


def test_problems_of_paths_are_all_told(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of(
        """
        target: file:///mnt/
        prepare:
          ensure_objects:
            - {base_uri: "file:///srv/data/", count: 1, size_spec: 1}
        workload:
          - {op: get, path: "file:///other/*", weight: 1}
          - {op: stat, path: "a/../../etc/passwd", weight: 1}
          - {op: delete, path: "file:///mnt/../x", weight: 1}
        """
    ) == [
        (
            "s.yaml:4: prepare.ensure_objects[0].base_uri: file:///srv/data/ lies below none of the endpoints: expected a "
            "path relative to them"
        ),
        (
            "s.yaml:6: workload[0].path: file:///other/* lies below none of the endpoints: expected a path relative to "
            "them"
        ),
        "s.yaml:7: workload[1].path: 'a/../../etc/passwd' leaves its endpoint: expected a path without '..'",
        "s.yaml:8: workload[2].path: 'file:///mnt/../x' leaves its endpoint: expected a path without '..'",
    ]


def test_agents_that_share_a_block_tell_its_problems_once(problems_of: Callable[..., list[str]]) -> None:
    assert problems_of(
        """
        target: file:///mnt/
        distributed: {agents: [{address: localhost}, {address: localhost}]}
        workload:
          - {op: get, path: "../x", weight: 1}
        """
    ) == ["s.yaml:4: workload[0].path: '../x' leaves its endpoint: expected a path without '..'"]


def test_target_beside_endpoints_is_the_base_of_relative_paths(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: s3://a:1/bucket/sub
        multi_endpoint: {endpoints: ["s3://a:1/bucket/", "s3://b:1/bucket/"]}
        prepare:
          ensure_objects:
            - {base_uri: data/, count: 1, size_spec: 1}
        workload:
          - {op: get, path: "data/*", weight: 1}
          - {op: stat, path: "s3://b:1/bucket/other/*", weight: 1}
        """
    )

    prepare, workload = plan.workers[0].stages
    assert [objects.folder for objects in prepare.objects] == ["sub/data/"]
    assert [operation.path for operation in workload.operations] == ["sub/data/*", "other/*"]


def test_a_target_elsewhere_is_no_base(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: file:///srv/
        multi_endpoint: {endpoints: ["file:///mnt/"]}
        workload:
          - {op: get, path: "data/*", weight: 1}
        """
    )

    assert plan.workers[0].stages[0].operations[0].path == "data/*"
    assert plan.notes == ("target file:///srv/ has no effect: it lies below none of the endpoints",)


def test_a_relative_target_is_a_base_below_every_endpoint(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: sub/folder
        multi_endpoint: {endpoints: ["s3://a:1/bucket/", "s3://b:1/bucket/pre/"]}
        workload:
          - {op: get, path: "data/*", weight: 1}
          - {op: get, path: "s3://a:1/bucket/data/*", weight: 1}
        """
    )

    assert [each.path for each in plan.workers[0].stages[0].operations] == ["sub/folder/data/*", "data/*"]
    assert plan.notes == ()


def test_the_base_is_the_same_for_agents_with_other_endpoints(plan_of: Callable[..., RunPlan]) -> None:
    """All endpoints show the same objects, so a target below one of them is below all."""
    plan = plan_of(
        """
        target: s3://a:1/bucket/sub/
        distributed:
          agents:
            - {address: localhost, multi_endpoint: {endpoints: ["s3://a:1/bucket/"]}}
            - {address: localhost, multi_endpoint: {endpoints: ["s3://b:1/bucket/"]}}
            - address: localhost
              target_override: s3://c:1/bucket/other/
              multi_endpoint: {endpoints: ["s3://c:1/bucket/"]}
        workload:
          - {op: get, path: "data/*", weight: 1}
        """
    )

    assert [worker.stages[0].operations[0].path for worker in plan.workers] == [
        "sub/data/*",
        "sub/data/*",
        "other/data/*",
    ]


def test_a_bucket_without_a_server_is_that_of_the_endpoints(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(
        """
        target: s3://bucket/sub/
        multi_endpoint: {endpoints: ["s3+https://a:1/bucket/", "s3+https://b:1/bucket/"]}
        prepare:
          ensure_objects:
            - {base_uri: "s3://bucket/elsewhere/", count: 1, size_spec: 1}
        workload:
          - {op: get, path: "data/*", weight: 1}
        """
    )

    prepare, workload = plan.workers[0].stages
    assert [objects.folder for objects in prepare.objects] == ["elsewhere/"]
    assert [operation.path for operation in workload.operations] == ["sub/data/*"]


@pytest.mark.parametrize(
    ("uri", "endpoint", "left"),
    [
        ("s3://bucket/a/x", "s3://h:1/bucket/a/", "x"),
        ("s3://bucket", "s3://h:1/bucket/", ""),
        ("s3://bucket2/x", "s3://h:1/bucket/", None),
        ("s3://bucket/x", "s3://h:1/bucket/a/", None),
        ("s3://i:1/bucket/x", "s3://h:1/bucket/", None),
        ("s3://bucket/x", "s3://embedded-1/bucket/", None),
    ],
)
def test_what_lies_below_an_endpoint(uri: str, endpoint: str, left: str | None) -> None:
    assert below(uri, [endpoint]) == left


def test_each_agent_of_a_hybrid_has_its_own_base(plan_of: Callable[..., RunPlan]) -> None:
    """All three agents mean the folder /mnt/sub/data, and the objects of the absolute path."""
    plan = plan_of(
        """
        target: file:///mnt/sub/
        distributed:
          agents:
            - {address: localhost, multi_endpoint: {endpoints: ["file:///mnt/"]}}
            - {address: localhost}
            - {address: localhost, target_override: "file:///elsewhere/"}
        workload:
          - {op: get, path: "data/*", weight: 1}
          - {op: stat, path: "file:///mnt/sub/more/*", weight: 1}
        """
    )

    assert [[each.path for each in worker.stages[0].operations] for worker in plan.workers] == [
        ["sub/data/*", "sub/more/*"],
        ["data/*", "more/*"],
        ["data/*", "more/*"],
    ]
