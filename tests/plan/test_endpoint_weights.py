from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_TWO = "endpoints: [file:///a/, file:///b]"


def _suite(block: str, agents: str = "") -> str:
    return f"multi_endpoint: {{{block}}}\n{agents}workload:\n  - {{op: get, path: data/*, weight: 1}}\n"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("[3, 0.5]", (3.0, 0.5)),
        ("{file:///b/: 2, file:///a: 1}", (1.0, 2.0)),
        ("{file:///a/: 1, file:///b/: 2, file:///elsewhere/: 9}", (1.0, 2.0)),
        ("{'file:///[1-3]/': 9, file:///a/: 1, file:///b/: 2}", (1.0, 2.0)),
    ],
)
def test_weights_come_by_order_or_by_uri(
    plan_of: Callable[..., RunPlan], weights: str, expected: tuple[float, ...]
) -> None:
    worker = plan_of(_suite(f"strategy: weighted, weights: {weights}, {_TWO}")).workers[0]
    assert (worker.strategy, worker.weights) == ("weighted", expected)
    assert worker.to_wire()["weights"] == list(expected)


def test_other_strategies_have_no_weights(plan_of: Callable[..., RunPlan]) -> None:
    assert plan_of(_suite(f"weights: [1, 2], {_TWO}")).workers[0].weights == ()


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "",
            "multi_endpoint.strategy: 'strategy: weighted' needs weights: expected 'weights' with a number for each endpoint",
        ),
        (
            ", weights: [1]",
            "multi_endpoint.weights: 1 weights for 2 endpoints: expected one for each, in their order",
        ),
        (
            ", weights: {file:///a/: 1}",
            "multi_endpoint.weights: there is no weight for file:///b/: expected one for each endpoint",
        ),
    ],
)
def test_every_endpoint_has_a_weight(problems_of: Callable[..., list[str]], more: str, problem: str) -> None:
    assert problems_of(_suite(f"strategy: weighted, {_TWO}{more}")) == [f"s.yaml:1: {problem}"]


def test_agents_share_weights_by_uri_and_give_their_own_by_order(plan_of: Callable[..., RunPlan]) -> None:
    agents = """distributed:
  agents:
    - {address: localhost, multi_endpoint: {endpoints: [file:///b/, file:///c/]}}
    - {address: localhost, multi_endpoint: {endpoints: [file:///d/], weights: [4]}}
"""
    weights = "{file:///a/: 1, file:///b/: 2, file:///c/: 3}"
    plan = plan_of(_suite(f"strategy: weighted, weights: {weights}", agents))
    assert [worker.weights for worker in plan.workers] == [(2.0, 3.0), (4.0,)]


def test_weights_stand_for_ranges(plan_of: Callable[..., RunPlan]) -> None:
    endpoints = "endpoints: ['file:///[1-3]/', file:///b/]"
    for weights in ("{'file:///[1-3]/': 2, file:///b/: 1}", "[2, 2, 2, 1]"):
        plan = plan_of(_suite(f"strategy: weighted, weights: {weights}, {endpoints}"))
        assert plan.workers[0].weights == (2.0, 2.0, 2.0, 1.0)


def test_weights_that_do_not_fit_the_endpoints_of_an_agent_name_it(
    problems_of: Callable[..., list[str]],
) -> None:
    agents = """distributed:
  agents:
    - {address: localhost}
    - {address: localhost, multi_endpoint: {endpoints: [file:///d/]}}
"""
    assert problems_of(_suite(f"strategy: weighted, weights: [1, 2], {_TWO}", agents)) == [
        (
            "s.yaml:1: multi_endpoint.weights: 2 weights for 1 endpoints: expected one for each, in their order; the "
            "endpoints are those of distributed.agents[1].multi_endpoint"
        )
    ]


def test_endpoints_of_agents_that_run_as_one_keep_their_weights(tmp_path: Path) -> None:
    text = """\
distributed:
  agents:
    - {address: localhost, multi_endpoint: {strategy: weighted, weights: [4, 2], endpoints: [file:///a/, file:///b/]}}
    - {address: localhost, multi_endpoint: {endpoints: [file:///b/, file:///c/]}}
workload: [{op: get, path: data/*, weight: 1}]
"""
    (tmp_path / "s.yaml").write_text(text)
    (worker,) = build_plan(load(tmp_path / "s.yaml", env={}), env={}, hosts=()).workers
    assert [each.uri for each in worker.endpoints] == ["file:///a/", "file:///b/", "file:///c/"]
    assert (worker.strategy, worker.weights) == ("weighted", (4.0, 2.0, 1.0))
