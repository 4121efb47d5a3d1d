"""Trees of the plan: which worker makes which directories, and takes which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.advice import give_advice
from pytest_sai3bench.plan.placement import objects_per_endpoint
from pytest_sai3bench.plan.trees import TreePlan

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """\
namespace: {namespace}
multi_endpoint: {endpoints: ["file:///mnt/a/", "file:///mnt/b/"]}
processes: 2
concurrency: 4
distributed:
  agents: [{address: localhost}, {address: localhost}, {address: localhost}]
  tree_creation_mode: {mode}
  path_selection: weighted
  partition_overlap: 0.25
prepare:
  directory_structure: {width: 4, depth: 2, files_per_dir: 6, distribution: all, dir_mask: "%d-%d"}
  ensure_objects: [{base_uri: data/, count: 120, size_spec: 1KiB}, {base_uri: more/, count: 0}]
workload:
  - {op: get, path: "s3://elsewhere/*", weight: 1}
  - {op: delete, path: "../*", weight: 1}
  - {op: list, path: data/, weight: 1}
  - {op: rmdir, path: "", weight: 1, recursive: true}
"""
_TREE = TreePlan(4, 2, 6, everywhere=True, mask="%d-%d")


def _suite(mode: str, namespace: str = "shared") -> str:
    return _SUITE.replace("{mode}", mode).replace("{namespace}", namespace)


@pytest.mark.parametrize(
    ("mode", "made", "taken"),
    [
        ("concurrent", [(0, 6), (3, 6), (1, 6), (4, 6), (2, 6), (5, 6)], None),
        ("coordinator", [(0, 2), (1, 2), (0, 0), (0, 0), (0, 0), (0, 0)], "concurrent"),
        ("isolated", [(0, 2), (1, 2)] * 3, None),
    ],
)
def test_every_worker_has_its_share(
    plan_of: Callable[..., RunPlan], mode: str, made: list[tuple[int, int]], taken: str | None
) -> None:
    plan = plan_of(_suite(mode))
    sets = [worker.stages[0].objects for worker in plan.workers]
    assert [(each.share, each.shares) for each, _ in sets] == made
    assert [(each.stem, each.count, each.tree) for pair in sets for each in pair] == [
        ("file", 120, _TREE)
    ] * 12
    prefixes = ["agent-1/", "agent-1/", "agent-2/", "agent-2/", "agent-3/", "agent-3/"]
    assert [[each.folder for each in pair] for pair in sets] == [
        [f"data/{prefix}", f"more/{prefix}"] for prefix in (prefixes if mode == "isolated" else [""] * 6)
    ]
    # One tree is made once, three are made three times.
    whole = 3 if mode == "isolated" else 1
    assert sum(each.own_count for each, _ in sets) == 120 * whole
    assert sum(_TREE.own_directories(each.share, each.shares) for each, _ in sets) == 20 * whole

    expected = made if taken is None else [(0, 6), (3, 6), (1, 6), (4, 6), (2, 6), (5, 6)]
    for worker, share in zip(plan.workers, expected, strict=True):
        get, delete, listing, rmdir = worker.stages[1].operations
        assert [each.pool for each in (get, delete)] == ["prepared", "deletable"]
        for operation in (get, delete, rmdir):
            assert operation.path == ""
            tree = operation.tree
            assert tree is not None
            assert tree.sets == worker.stages[0].objects
            assert (tree.kind, tree.overlap, tree.share, tree.shares) == ("weighted", 0.25, *share)
        assert (listing.path, listing.tree) == ("data/", None)
        assert (rmdir.recursive, get.recursive) == (True, False)


def test_a_tree_is_spread_over_endpoints(plan_of: Callable[..., RunPlan]) -> None:
    one = (
        _suite("concurrent", "independent")
        .replace(", {address: localhost}" * 2, "")
        .replace("processes: 2", "")
    )
    assert [objects_per_endpoint(worker) for worker in plan_of(one).workers] == [[120.0, 120.0]]
    plan = plan_of(_suite("concurrent"))
    assert [sum(objects_per_endpoint(worker)) for worker in plan.workers] == [
        48.0,
        36.0,
        48.0,
        36.0,
        36.0,
        36.0,
    ]
    copies = _suite("concurrent", "replicated").replace("op: delete", "op: stat")
    copies = copies.replace('rmdir, path: "", weight: 1, recursive: true', "list, path: data/, weight: 1")
    per_worker = [objects_per_endpoint(worker) for worker in plan_of(copies).workers]
    assert [sum(counts) for counts in zip(*per_worker, strict=True)] == [240.0, 240.0]


@pytest.mark.parametrize(
    ("mode", "namespace", "change", "problem"),
    [
        (
            "isolated",
            "replicated",
            ('rmdir, path: "", weight: 1, recursive: true', "list, path: data/, weight: 1"),
            "s.yaml:7: distributed.tree_creation_mode: 'isolated' cannot be had with namespace: replicated, where agents make the copies on their endpoints: expected concurrent",
        ),
        (
            "concurrent",
            "independent",
            (
                "agents: [{address: localhost}",
                'agents: [{address: localhost, target_override: "file:///mnt/c/"}',
            ),
            "s.yaml:7: distributed.tree_creation_mode: 'concurrent' cannot be had with namespace: independent and agents with different endpoints, which cannot reach each other's files: expected isolated",
        ),
        (
            "concurrent",
            "replicated",
            ("", ""),
            "s.yaml:17: workload[3].op: 'rmdir' changes one endpoint only: expected another namespace than replicated",
        ),
    ],
)
def test_what_trees_cannot_be_had_with(
    plan_of: Callable[..., RunPlan], mode: str, namespace: str, change: tuple[str, str], problem: str
) -> None:
    text = _suite(mode, namespace).replace("op: delete", "op: stat").replace(*change)
    with pytest.raises(SuiteError) as caught:
        plan_of(text)
    assert [str(each) for each in caught.value.problems] == [problem]


def test_directories_need_a_file_system(plan_of: Callable[..., RunPlan]) -> None:
    text = "\n".join(line for line in _suite("concurrent").splitlines() if "multi_endpoint" not in line)
    with pytest.raises(SuiteError) as caught:
        plan_of(text, env={"S3_ENDPOINT_URIS": "s3://127.0.0.1:9000/bucket/"})
    assert [str(each) for each in caught.value.problems] == [
        "s.yaml:16: workload[3].op: 'rmdir' needs directories, which object stores do not have: expected file:// or direct://"
    ]


def test_a_dry_run_warns_of_what_goes_away(plan_of: Callable[..., RunPlan]) -> None:
    assert list(give_advice(plan_of(_suite("concurrent")))) == [
        (
            "s.yaml:15: delete (any file of the tree) has 120 objects, each once: at 1,000 operations/s they last 480 ms "
            "of 1m, then the others share its weight"
        ),
        "s.yaml:17: rmdir takes directories away under get, put, stat or delete, which then fail",
    ]
