from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import Location
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan
from pytest_sai3bench.reports.endpoints import endpoint_list, endpoint_table
from pytest_sai3bench.reports.failure import failure_block
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    ErrorSample,
    PhaseResult,
    RunResult,
    SeriesKey,
    Tally,
)
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.thresholds.verdicts import Verdict

_ORIGIN = Origin("s.yaml:1", "multi_endpoint.endpoints[0]")


def _uri(number: int) -> str:
    return f"s3://10.0.0.{number}:9000/bench/"


def _s3(number: int) -> Endpoint:
    return Endpoint(_uri(number), "s3", _ORIGIN, host=f"10.0.0.{number}", port=9000, bucket="bench")


def _worker(agent: str, *endpoints: Endpoint, strategy: str = "round_robin") -> WorkerPlan:
    return WorkerPlan(agent, "localhost", 0, 1, endpoints, strategy, 8, 0, (), ErrorPolicy())


def _plan(*workers: WorkerPlan) -> RunPlan:
    return RunPlan("s.yaml", "mixed", workers)


def _phase(tallies: dict[int, Tally], count: int) -> PhaseResult:
    report = AgentReport(
        "local", "host", "3.12", "completed", "", 8, 10.0, 10.0, 0.0, 0.0, 0.0, 1.0, 1, 0, "discard"
    )
    series = {SeriesKey("local", _uri(number), "get", 1): tally for number, tally in tallies.items()}
    return PhaseResult("workload", tuple(map(_uri, range(1, count + 1))), (report,), series)


def _done(count: int, ms: float, errors: int = 0) -> Tally:
    return Tally(count, count * 65536, errors=errors, latency=Latency.of([int(ms * 1_000_000)] * count))


def test_eight_endpoints_of_four_agents() -> None:
    workers = [_worker(f"host-{n}", _s3(2 * n - 1), _s3(2 * n)) for n in range(1, 5)]
    assert endpoint_list(_plan(*workers), 80) == [
        "Endpoints: 8 (2 per agent, round_robin)",
        *(f"  {n}  s3://10.0.0.{n}:9000/bench/  host-{(n + 1) // 2}" for n in range(1, 9)),
    ]


def test_workers_of_one_agent_count_once() -> None:
    workers = [_worker("a", _s3(1), _s3(2)), _worker("a", _s3(1), _s3(2))]
    assert endpoint_list(_plan(*workers), 80) == [
        "Endpoints: 2 (round_robin)",
        "  1  s3://10.0.0.1:9000/bench/",
        "  2  s3://10.0.0.2:9000/bench/",
    ]


def test_no_strategy_is_named_where_none_decides() -> None:
    worker = replace(_worker("a", _s3(1), _s3(2)), namespace="independent")
    assert endpoint_list(_plan(worker), 100)[0] == "Endpoints: 2 (independent)"


def test_agents_may_differ_in_number_and_strategy_and_share_endpoints() -> None:
    workers = [
        _worker("a", _s3(1), _s3(2)),
        _worker("b", _s3(1), strategy="least_connections"),
        _worker("c", _s3(1), _s3(2)),
    ]
    assert endpoint_list(_plan(*workers), 80) == [
        "Endpoints: 2 (1 to 2 per agent, round_robin and least_connections)",
        "  1  s3://10.0.0.1:9000/bench/  all agents",
        "  2  s3://10.0.0.2:9000/bench/  a, c",
    ]


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        (
            Endpoint("s3://embedded-1/b/", "s3", _ORIGIN, host="127.0.0.1", port=10002, embedded=True),
            "  1  s3://embedded-1/b/  127.0.0.1:10002",
        ),
        (
            Endpoint("s3+https://[::1]:9000/b/", "s3", _ORIGIN, host="::1", port=9000),
            "  1  s3+https://[::1]:9000/b/",
        ),
        (
            Endpoint("s3://b/", "s3", _ORIGIN, host="storage.example", port=443),
            "  1  s3://b/  storage.example:443",
        ),
        (Endpoint("file:///mnt/a/", "file", _ORIGIN, root="/mnt/a/"), "  1  file:///mnt/a/"),
        (
            Endpoint("file://embedded-1/", "file", _ORIGIN, root="/tmp/x/mount-1/", embedded=True),
            "  1  file://embedded-1/  /tmp/x/mount-1/",
        ),
    ],
)
def test_an_address_that_the_uri_does_not_say_is_shown(endpoint: Endpoint, line: str) -> None:
    assert endpoint_list(_plan(_worker("local", endpoint)), 80) == ["Endpoints: 1", line]


def test_a_long_list_is_cut_and_everything_shows_all() -> None:
    plan = _plan(_worker("local", *map(_s3, range(1, 21))))
    shown = endpoint_list(plan, 80)
    assert shown[:2] == ["Endpoints: 20 (round_robin)", "   1  s3://10.0.0.1:9000/bench/"]
    assert shown[16:] == [
        "  16  s3://10.0.0.16:9000/bench/",
        "  and 4 more, -v shows all",
    ]
    assert endpoint_list(plan, 80, everything=True)[17:] == [
        f"  {n}  s3://10.0.0.{n}:9000/bench/" for n in range(17, 21)
    ]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_list_fits(width: int) -> None:
    workers = [_worker(f"host-{n}", _s3(2 * n - 1), _s3(2 * n)) for n in range(1, 5)]
    assert max(map(len, endpoint_list(_plan(*workers), width))) <= width


def test_a_table_of_eight_marks_those_that_stand_out(check_gold: Callable[[str, str], None]) -> None:
    tallies = {n: _done(1000, 2 + n / 10) for n in range(1, 9)}
    tallies[3] = _done(200, 9.5, errors=4)
    tallies[5] = Tally(errors=120)
    del tallies[6]
    lines = endpoint_table(_phase(tallies, 8), 100)
    check_gold("endpoints_8.txt", "\n".join(lines) + "\n")
    assert max(map(len, endpoint_table(_phase(tallies, 8), 72))) <= 72


def test_beyond_sixteen_the_worst_come_first_and_the_rest_is_counted() -> None:
    tallies = {n: _done(1000, 2 + n / 100) for n in range(1, 21)}
    tallies[9] = _done(1000, 9)
    tallies[12] = Tally(errors=5)
    tallies[15] = replace(tallies[15], errors=3)
    del tallies[4]
    phase = _phase(tallies, 20)
    shown = endpoint_table(phase, 100)
    numbers = [int(line.split()[0]) for line in shown[1:17]]
    # Failing, idle, slow, with errors, then by p99.
    assert numbers == [12, 4, 9, 15, 20, 19, 18, 17, 16, 14, 13, 11, 10, 8, 7, 6]
    assert shown[17:] == ["and 4 more, -v shows all"]
    whole = endpoint_table(phase, 100, everything=True)
    assert whole[:17] == shown[:17]
    assert [int(line.split()[0]) for line in whole[17:]] == [5, 3, 2, 1]


def test_a_single_endpoint_is_a_table_only_when_everything_is_wanted() -> None:
    phase = _phase({1: _done(1000, 2)}, 1)
    assert endpoint_table(phase, 80) == []
    assert endpoint_table(phase, 80, everything=True) == [
        "   endpoint                    share  ops/s  MiB/s   p50   p99  errors",
        "1  s3://10.0.0.1:9000/bench/  100.0%    100   6.25  2 ms  2 ms       0",
    ]


def _judged(text: str, phase: PhaseResult) -> Verdict:
    entry = RuleText(text, Location("suites/eight.yaml", 20, 5), "thresholds[0]")
    compiled, problems = compile_rules(
        [entry], operations=["get"], endpoints=phase.endpoints, agents=["local"]
    )
    assert problems == ()
    result = RunResult("suites/eight.yaml", "mixed", "id", "completed", "", 0.0, (phase,))
    return next(verdict for one in compiled if (verdict := evaluate(one, result)).outcome == "failed")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("latency", "get.p99 < 25 ms"),
        ("each", "each(endpoint).get.p99 < 25 ms"),
        ("median", "each(endpoint).get.throughput >= 85% of median"),
        ("imbalance", "endpoints.imbalance <= 5%"),
        ("errors", "total.errors == 0"),
        ("throughput", "get.throughput >= 100 MiB/s"),
    ],
)
def test_a_failure_names_the_one_of_eight_that_stands_out(
    check_gold: Callable[[str, str], None], name: str, text: str
) -> None:
    tallies = {n: _done(1000, 2 + n / 10) for n in range(1, 9)}
    tallies[3] = _done(200, 33, errors=4)
    phase = replace(
        _phase(tallies, 8),
        errors=(ErrorSample("local", _uri(3), "get", "timeout", 4, "no answer within 120 s"),),
    )
    lines = failure_block(_judged(text, phase), phase, 100).splitlines()
    check_gold(f"failure_8_{name}.txt", "\n".join(lines) + "\n")
    assert max(map(len, lines)) <= 100


def test_a_failure_of_many_endpoints_shows_the_worst_of_them() -> None:
    tallies = {n: _done(1000, 2 + n / 100) for n in range(1, 41)}
    tallies[7] = _done(1000, 9)
    tallies[12] = Tally(errors=5)
    del tallies[4]
    phase = _phase(tallies, 40)
    lines = failure_block(_judged("endpoint[30].get.p99 < 1 ms", phase), phase, 120).splitlines()
    assert lines[2:4] == [
        f"what stands out: endpoint[12] {_uri(12)} is failing; endpoint[4] {_uri(4)} is idle;",
        f"  endpoint[7] {_uri(7)} is slow: get 4.1x",
    ]
    # The one that the rule is about comes first.
    assert [int(line.split()[0]) for line in lines[6:22]] == [30, 12, 4, 7, *range(40, 30, -1), 29, 28]
    assert lines[22:] == ["and 24 more, in the results"]


def test_where_many_stand_out_none_does() -> None:
    tallies = {n: _done(1000, 2) for n in range(1, 5)}
    phase = _phase(tallies, 8)
    lines = failure_block(_judged("endpoints.idle == 0", phase), phase, 120).splitlines()
    assert not any(line.startswith("what stands out") for line in lines)
    assert sum(line.endswith("  < idle") for line in lines) == 4
