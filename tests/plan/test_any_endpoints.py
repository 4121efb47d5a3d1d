"""Whatever is written about endpoints becomes a plan, or is explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.reports.dry_run import dry_run
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pathlib import Path

_S3 = (
    "s3://h:9/bucket/",
    "s3://h[1-2]:9/bucket/",
    "s3://h{1...3}:9/bucket/p",
    "s3://[2001:db8::[1-2]]/bucket/",
)
_FILES = ("file:///a/", "file:///b", "file:///a[1-3]/", "file:///")
_PATHS = ("data/*", "data/", "", "file:///a/data/*", "s3://bucket/p/*", "s3://h:9/bucket/x", "*")
_STRATEGIES = st.sampled_from(("round_robin", "least_connections", "weighted", "sticky"))


def _keys(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


def _suites(uris: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(uris)
    some = st.lists(one, min_size=1, max_size=2, unique=True)
    block = _keys(endpoints=some, strategy=_STRATEGIES, enabled=st.booleans(), weights=st.just([1, 2]))
    agent = _keys(multi_endpoint=block, target_override=one).map(
        lambda keys: {"address": "localhost", **keys}
    )
    aliases = _keys(endpoint_uris=some, load_balance_strategy=_STRATEGIES)
    path = st.sampled_from(_PATHS)
    return st.fixed_dictionaries(
        {"workload": st.lists(path.map(lambda text: {"op": "get", "path": text, "weight": 1}), min_size=1)},
        optional={
            "target": one | st.just("data/"),
            "multi_endpoint": block,
            "dataset": aliases,
            "endpoint_uris": some,
            "distributed": st.lists(agent, min_size=1, max_size=3).map(lambda agents: {"agents": agents}),
            "namespace": st.sampled_from(("shared", "independent", "replicated")),
            "processes": st.integers(1, 2),
            "prepare": path.map(lambda text: {"ensure_objects": [{"count": 3, "base_uri": text}]}),
        },
    )


@given(
    _suites(_S3) | _suites(_FILES),
    st.sampled_from(
        ({}, {"S3_ENDPOINT_URIS": "s3://e[1-2]:9/bucket/"}, {"S3_ENDPOINT_URIS": "file:///e,s3://x"})
    ),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_endpoints_are_planned_or_explained(
    tmp_path: Path, document: dict[str, Any], env: dict[str, str]
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(document))
    try:
        plan = build_plan(load(path, env={}, shown="s.yaml"), env=env)
    except SuiteError as error:
        unexplained = [
            problem
            for problem in error.problems
            if problem.severity == "error" and "expected" not in problem.message
        ]
    else:
        unexplained = []
        shown = dry_run(plan).splitlines()
        for endpoint in plan.endpoints:
            where = f"  {endpoint.uri} "
            assert any(line.startswith(where) and str(endpoint.origin) in line for line in shown)
    assert unexplained == []
