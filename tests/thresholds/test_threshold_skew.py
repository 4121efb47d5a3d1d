"""Rules that compare endpoints, or agents, with the median of all of them; and ids of eight endpoints."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.errors import Location
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import AgentReport, PhaseResult, RunResult, SeriesKey, Tally
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate
from pytest_sai3bench.thresholds.verdicts import Row, Verdict

_MIB = 1024 * 1024
_MS = 1_000_000
_AGENT = AgentReport(
    "a", "host", "3.12", "completed", "", 4, 10.0, 10.0, 0.0, 0.0, 0.0, 1.0, 1, 0, "discard", cpu_cores=1
)


def _uri(number: int) -> str:
    return f"s3://10.0.0.{number}:9000/b/"


def _served(mib: int, ms: float = 2, count: int = 200) -> Tally:
    return Tally(count, mib * _MIB, latency=Latency.of([int(ms * _MS)] * count))


def _run(*tallies: Tally | None) -> RunResult:
    """Return a run of 10 s in which each endpoint, and the agent of the same number, did that."""
    agents = tuple(replace(_AGENT, agent=f"host-{number}") for number in range(1, len(tallies) + 1))
    series = {
        SeriesKey(f"host-{number}", _uri(number), "get", 1): tally
        for number, tally in enumerate(tallies, 1)
        if tally is not None
    }
    endpoints = tuple(_uri(number) for number in range(1, len(tallies) + 1))
    phase = PhaseResult("workload", endpoints, agents, series)
    return RunResult("s.yaml", "mixed", "id", "completed", "", 0.0, (phase,))


def _judge(text: str, result: RunResult) -> list[Verdict]:
    (phase,) = result.phases
    compiled, problems = compile_rules(
        [RuleText(text, Location("s.yaml", 7), "thresholds[0]")],
        operations=("get",),
        endpoints=phase.endpoints,
        agents=[report.agent for report in phase.agents],
    )
    assert problems == ()
    return [evaluate(one, result) for one in compiled if not one.implicit]


def test_one_of_eight_that_gets_less_fails_alone() -> None:
    result = _run(*(_served(mib) for mib in (600, 610, 590, 600, 400, 605, 595, 600)))
    verdicts = _judge("each(endpoint).get.throughput >= 85% of median", result)
    assert [verdict.id for verdict in verdicts] == [f"get.throughput[endpoint={n}]" for n in range(1, 9)]
    assert [verdict.outcome for verdict in verdicts] == [*["passed"] * 4, "failed", *["passed"] * 3]
    failed = verdicts[4]
    assert failed.reason == (
        f"endpoint[{_uri(5)}].get.throughput was 40 MiB/s, 67% of median, the limit is >= 85% of median "
        "(22% under, 200 requests)"
    )
    assert (failed.measured, failed.measured_text) == (40 * _MIB, "40 MiB/s, 67% of median")
    assert failed.limit_text == ">= 85% of median"
    assert failed.margin == pytest.approx(-0.2157, abs=0.0001)
    assert failed.rows[3:6] == (
        Row(_uri(4), "60 MiB/s"),
        Row(_uri(5), "40 MiB/s", worst=True),
        Row(_uri(6), "60.5 MiB/s"),
    )


def test_one_that_is_slower_fails_by_latency() -> None:
    result = _run(*(_served(100, ms) for ms in (2, 2, 9, 2)))
    verdicts = _judge("each(endpoint).get.p99 <= 150% of median", result)
    assert [verdict.outcome for verdict in verdicts] == ["passed", "passed", "failed", "passed"]
    assert verdicts[2].reason == (
        f"endpoint[{_uri(3)}].get.p99 was 9 ms, 450% of median, the limit is <= 150% of median "
        "(200% over, 200 samples)"
    )
    within = _judge("each(endpoint).get.p99 within 10% of median", result)
    assert [verdict.outcome for verdict in within] == ["passed", "passed", "failed", "passed"]
    assert within[2].limit_text == "within 10% of median"


def test_agents_are_compared_with_agents() -> None:
    result = _run(_served(600), _served(600), _served(300))
    verdicts = _judge("each(agent).throughput >= 90% of median", result)
    assert [verdict.id for verdict in verdicts] == [f"total.throughput[agent=host-{n}]" for n in (1, 2, 3)]
    assert [verdict.outcome for verdict in verdicts] == ["passed", "passed", "failed"]
    assert verdicts[2].rows == (
        Row("host-1", "60 MiB/s"),
        Row("host-2", "60 MiB/s"),
        Row("host-3", "30 MiB/s", worst=True),
    )


def test_what_lies_on_the_border_holds() -> None:
    result = _run(_served(85), _served(100), _served(100))
    assert [verdict.outcome for verdict in _judge("each(endpoint).throughput >= 85% of median", result)] == [
        *["passed"] * 3
    ]
    assert [verdict.outcome for verdict in _judge("each(endpoint).throughput > 85% of median", result)] == [
        "failed",
        "passed",
        "passed",
    ]


@given(st.lists(st.integers(1, 10**12), min_size=2, max_size=9), st.integers(1, 10**6))
def test_values_without_an_end_of_decimals_are_compared_and_shown(sums: list[int], count: int) -> None:
    """The mean of one of them may be the median itself, whatever decimals it has."""
    tallies = [Tally(count, latency=Latency({1: count}, total, 1, total)) for total in sums]
    verdicts = _judge("each(endpoint).mean <= 100% of median", _run(*tallies))
    assert [verdict.outcome == "passed" for verdict in verdicts] == [total <= median(sums) for total in sums]
    assert all(verdict.measured_text.endswith("% of median") for verdict in verdicts)


@pytest.mark.parametrize(
    ("tallies", "text", "reasons"),
    [
        (
            (_served(600), None),
            "each(endpoint).get.p99 <= 150% of median",
            [
                f"endpoint[{_uri(1)}].get.p99 has nothing to be compared with: no other endpoint was measured",
                f"endpoint[{_uri(2)}].get.p99 was not measured: nothing completed",
            ],
        ),
        (
            (_served(600), _served(600, count=99)),
            "each(endpoint).get.p99 <= 150% of median",
            [
                f"endpoint[{_uri(1)}].get.p99 has nothing to be compared with: no other endpoint was measured",
                f"endpoint[{_uri(2)}].get.p99 needs 100 samples, there are 99",
            ],
        ),
        (
            (_served(600), None, None),
            "each(agent).throughput >= 85% of median",
            [
                f"agent[host-{n}].throughput has nothing to be compared with: the median of all agents is 0"
                for n in (1, 2, 3)
            ],
        ),
    ],
)
def test_what_has_no_median_is_inconclusive(
    tallies: tuple[Tally | None, ...], text: str, reasons: list[str]
) -> None:
    verdicts = _judge(text, _run(*tallies))
    assert [verdict.outcome for verdict in verdicts] == ["inconclusive"] * len(tallies)
    assert [verdict.reason for verdict in verdicts] == reasons


def test_a_median_of_one_is_refused() -> None:
    entry = RuleText("each(endpoint).ops >= 85% of median", Location("s.yaml", 7), "thresholds[0]")
    _, (problem,) = compile_rules([entry], operations=["get"], endpoints=[_uri(1)], agents=["a", "b"])
    assert problem.message == "col 1: there is only one endpoint: nothing to compare it with"
    entry = replace(entry, text="each(agent).ops >= 85% of median")
    _, problems = compile_rules([entry], operations=["get"], endpoints=[_uri(1)], agents=["a", "b"])
    assert problems == ()


@pytest.mark.parametrize(
    ("tallies", "outcome", "measured"),
    [
        # One that fails at everything was asked, and so is not idle.
        ((_served(600), Tally(errors=5), _served(600)), "passed", "0"),
        ((_served(600), None, Tally(errors=5)), "failed", "1"),
        ((None, None, _served(600)), "failed", "2"),
    ],
)
def test_idle_is_who_was_never_asked(tallies: tuple[Tally | None, ...], outcome: str, measured: str) -> None:
    (verdict,) = _judge("endpoints.idle == 0", _run(*tallies))
    assert (verdict.outcome, verdict.measured_text) == (outcome, measured)
    worst = [row.name for row in verdict.rows if row.worst]
    assert worst == [_uri(n) for n, tally in enumerate(tallies, 1) if tally is None]
