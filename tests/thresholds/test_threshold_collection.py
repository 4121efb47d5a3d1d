from __future__ import annotations

import re

import pytest

from pytest_sai3bench.errors import Location, Problem
from pytest_sai3bench.thresholds.collection import Compiled, RuleText, compile_rules
from pytest_sai3bench.thresholds.rules import Part

ENDPOINTS = ("s3://127.0.0.1:8333/b/", "s3://127.0.0.2:8333/b/")
AGENTS = ("host-a", "host b")


def collect(
    *texts: str,
    operations: tuple[str, ...] = ("get", "list"),
    endpoints: tuple[str, ...] = ENDPOINTS,
    agents: tuple[str, ...] = AGENTS,
) -> tuple[tuple[Compiled, ...], tuple[Problem, ...]]:
    written = [
        RuleText(text, Location("a.yaml", 10 + index), f"thresholds[{index}]")
        for index, text in enumerate(texts)
    ]
    return compile_rules(written, operations=operations, endpoints=endpoints, agents=agents)


def ids_of(*texts: str) -> list[str]:
    compiled, problems = collect(*texts, "errors == 0")
    assert problems == ()
    return [one.id for one in compiled][:-1]


def problem_of(text: str, **workload: tuple[str, ...]) -> str:
    _, problems = collect(text, **workload)
    (problem,) = problems
    assert (problem.location, problem.path) == (Location("a.yaml", 10), "thresholds[0]")
    return problem.message


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("get.p99 < 20 ms", ["get.p99"]),
        ("throughput > 5 MB/s", ["total.throughput"]),
        ("get.p99.9 < 20 ms", ["get.p999"]),
        ("endpoints.imbalance < 5%", ["endpoints.imbalance"]),
        ("endpoint[2].get.p99 < 20 ms", ["get.p99[endpoint=2]"]),
        ("endpoint[s3://127.0.0.2:8333/b/].p99 < 20 ms", ["total.p99[endpoint=2]"]),
        ("each(endpoint).get.p99 < 20 ms", ["get.p99[endpoint=1]", "get.p99[endpoint=2]"]),
        ("each(agent).cpu < 80%", ["agents.cpu[agent=host-a]", "agents.cpu[agent=host-b]"]),
        ("agent[1].get.count > 0", ["get.count[agent=host-a]"]),
        ("agent[host b].get.count > 0", ["get.count[agent=host-b]"]),
    ],
)
def test_ids(text: str, ids: list[str]) -> None:
    assert ids_of(text) == ids
    assert all(re.fullmatch(r"[A-Za-z0-9_.=/\[\]-]+", one) for one in ids)


def test_ids_are_unique() -> None:
    assert ids_of(
        "get.p99 > 1 ms", "each(endpoint).get.p99 < 20 ms", "get.p99 < 20 ms", "endpoint[1].get.p99 > 1 ms"
    ) == [
        "get.p99",
        "get.p99[endpoint=1]",
        "get.p99[endpoint=2]",
        "get.p99-2",
        "get.p99[endpoint=1]-2",
    ]


def test_each_becomes_one_rule_per_endpoint() -> None:
    (first, second, _), problems = collect("each(endpoint).get.p99 < 20 ms")
    assert problems == ()
    assert first.text == second.text == "each(endpoint).get.p99 < 20 ms"
    assert first.location == second.location == Location("a.yaml", 10)
    assert [first.rule.part, second.rule.part] == [Part("endpoint", uri) for uri in ENDPOINTS]


@pytest.mark.parametrize("name", ["2", "s3://127.0.0.2:8333/b/", "s3://127.0.0.2:8333/b"])
def test_an_endpoint_is_named_by_number_or_uri(name: str) -> None:
    (compiled, _), _ = collect(f"endpoint[{name}].get.p99 < 20 ms")
    assert compiled.rule.part == Part("endpoint", ENDPOINTS[1])


def test_the_id_of_an_agent_comes_before_its_number() -> None:
    (compiled, _), _ = collect("agent[2].get.count > 0", agents=("2", "1"))
    assert compiled.rule.part == Part("agent", "2")


def test_errors_are_limited_unless_a_rule_does_so() -> None:
    compiled, _ = collect("get.p99 < 20 ms")
    assert [(one.id, one.text, one.location, one.implicit) for one in compiled] == [
        ("get.p99", "get.p99 < 20 ms", Location("a.yaml", 10), False),
        ("total.errors", "total.errors == 0", None, True),
    ]


@pytest.mark.parametrize("text", ["errors <= 3", "get.error_rate < 1%", "each(endpoint).errors == 0"])
def test_a_rule_on_errors_replaces_the_implicit_one(text: str) -> None:
    compiled, _ = collect(text)
    assert not any(one.implicit for one in compiled)


def test_severity_and_expected_failure_are_kept() -> None:
    text = RuleText("each(agent).errors == 0", Location("a.yaml", 3), "thresholds[0]", "warn", "firmware 4.2")
    compiled, _ = compile_rules([text], operations=["get"], endpoints=ENDPOINTS, agents=AGENTS)
    assert [(one.severity, one.xfail) for one in compiled] == [("warn", "firmware 4.2")] * 2


def test_all_problems_are_reported_and_sound_rules_kept() -> None:
    compiled, problems = collect("get.p98 < 20 ms", "errors == 0", "put.p99 < 20 ms")
    assert [one.id for one in compiled] == ["total.errors"]
    assert [str(problem) for problem in problems] == [
        "a.yaml:10: thresholds[0]: col 5: 'p98' is not a metric; did you mean 'p95' or 'p99'?",
        "a.yaml:12: thresholds[2]: col 1: the workload has no put; it has get and list",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("put.p99 < 20 ms", "col 1: the workload has no put; it has get and list"),
        ("endpoint[1].mkdir.p99 < 20 ms", "col 13: the workload has no mkdir; it has get and list"),
        (
            " endpoint[9].get.p99 < 20 ms",
            "col 2: there is no endpoint[9]; the 2 endpoints are endpoint[1] to endpoint[2]",
        ),
        ("agent[0].get.p99 < 20 ms", "col 1: there is no agent[0]; the 2 agents are agent[1] to agent[2]"),
        (
            "agent[hostb].get.p99 < 20 ms",
            "col 1: 'hostb' is not an agent of this workload; did you mean 'host b'?",
        ),
        ("agent[x].cpu < 80%", "col 1: 'x' is not an agent of this workload; it has host-a and host b"),
        (
            "endpoint[s3://127.0.0.3:8333/b/].p99 < 20 ms",
            "col 1: 's3://127.0.0.3:8333/b/' is not an endpoint of this workload; did you mean 's3://127.0.0.2:8333/b/'?",
        ),
    ],
)
def test_a_rule_that_can_never_be_evaluated(text: str, message: str) -> None:
    assert problem_of(text) == message


def test_meta_needs_one_of_its_operations() -> None:
    assert collect("meta.p99 < 20 ms", operations=("get", "stat"))[1] == ()
    assert (
        problem_of("meta.p99 < 20 ms", operations=("get", "put"))
        == "col 1: the workload has no meta; it has get and put"
    )


def test_throughput_needs_an_operation_that_moves_bytes() -> None:
    assert (
        problem_of("throughput > 5 MB/s", operations=("list", "stat"))
        == "col 1: the workload has no get and no put; it has list and stat"
    )


@pytest.mark.parametrize("text", ["get.ttfb.p99 < 5 ms", "ttfb.p99 < 5 ms"])
def test_a_time_to_first_byte_needs_gets_over_http(text: str) -> None:
    entry = RuleText(text, Location("a.yaml", 10), "thresholds[0]")

    def problems_of(operation: str, *, has_ttfb: bool) -> list[str]:
        _, problems = compile_rules(
            [entry], operations=[operation], endpoints=ENDPOINTS, agents=AGENTS, has_ttfb=has_ttfb
        )
        return [problem.message for problem in problems]

    assert problems_of("get", has_ttfb=True) == []
    assert problems_of("get", has_ttfb=False) == [
        "col 1: ttfb.p99 needs s3:// endpoints and the default engine: remove the rule"
    ]
    assert problems_of("put", has_ttfb=True) == ["col 1: the workload has no get; it has put"]


def test_the_only_endpoint() -> None:
    assert (
        problem_of("endpoint[2].p99 < 20 ms", endpoints=ENDPOINTS[:1])
        == "col 1: there is no endpoint[2]; the only endpoint is endpoint[1]"
    )


def test_a_long_list_of_legal_names_is_cut() -> None:
    agents = tuple(f"node-{index}" for index in range(1, 12))
    assert problem_of("agent[x].cpu < 80%", agents=agents) == (
        "col 1: 'x' is not an agent of this workload; "
        "it has node-1, node-2, node-3, node-4, node-5, node-6, node-7, node-8 and 3 more"
    )
