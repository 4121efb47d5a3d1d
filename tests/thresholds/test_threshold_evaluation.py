from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import Location
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    Check,
    PhaseResult,
    RunResult,
    RunStatus,
    SeriesKey,
    Tally,
)
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate
from pytest_sai3bench.thresholds.verdicts import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ONE, TWO = ENDPOINTS = ("s3://127.0.0.1:8333/b/", "s3://127.0.0.2:8333/b/")
MS = 1_000_000


def agent(name: str = "a", **changes: object) -> AgentReport:
    report = AgentReport(
        agent=name,
        host="localhost",
        python="3.11.7",
        outcome="completed",
        reason="",
        lanes=4,
        window_s=10.0,
        wall_s=10.0,
        start_skew_s=0.001,
        clock_offset_s=0.0,
        clock_error_s=0.0001,
        cpu_s=5.0,
        max_rss_bytes=1,
        retries=0,
        read_sink="discard",
    )
    return replace(report, **changes)  # type: ignore[arg-type]


def run(
    series: Mapping[SeriesKey, Tally],
    *,
    agents: Iterable[AgentReport] = (),
    endpoints: tuple[str, ...] = ENDPOINTS,
    status: RunStatus = "completed",
    reason: str = "",
    checks: tuple[Check, ...] = (),
) -> RunResult:
    phase = PhaseResult("workload", endpoints, tuple(agents) or (agent(),), series)
    return RunResult("s.yaml", "mixed", "id", status, reason, 0.0, (phase,), checks)


def gets(*latencies_ms: float, ops: int = 0, size: int = 0, errors: int = 0) -> Tally:
    """Return operations with the given latencies; ``ops`` when their number matters more than their latencies."""
    count = ops or len(latencies_ms)
    return Tally(count, count * size, errors=errors, latency=Latency.of(int(ms * MS) for ms in latencies_ms))


def one_series(tally: Tally, op: str = "get") -> RunResult:
    return run({SeriesKey("a", ONE, op, 1): tally}, endpoints=(ONE,))


def judge(text: str, result: RunResult) -> Verdict:
    phase = result.phases[0]
    (compiled, *_), problems = compile_rules(
        [RuleText(text, Location("s.yaml", 7), "thresholds[0]")],
        operations=("get", "put", "list"),
        endpoints=phase.endpoints,
        agents=[report.agent for report in phase.agents],
        has_rate=True,
        has_ttfb=True,
    )
    assert problems == ()
    return evaluate(compiled, result)


def test_a_rule_that_holds() -> None:
    assert judge("get.mean < 20 ms", one_series(gets(10, 20))) == Verdict(
        id="get.mean",
        text="get.mean < 20 ms",
        location=Location("s.yaml", 7),
        severity="fail",
        xfail=None,
        outcome="passed",
        limit_text="< 20 ms",
        measured=0.015,
        measured_text="15 ms",
        margin=-0.25,
        samples=2,
    )


def test_a_rule_that_does_not_hold() -> None:
    result = one_series(gets(*[23.4] * 12_345))
    assert judge("get.mean < 20 ms", result) == Verdict(
        id="get.mean",
        text="get.mean < 20 ms",
        location=Location("s.yaml", 7),
        severity="fail",
        xfail=None,
        outcome="failed",
        limit_text="< 20 ms",
        measured=0.0234,
        measured_text="23.4 ms",
        margin=0.17,
        samples=12_345,
        reason="get.mean was 23.4 ms, the limit is < 20 ms (17% over, 12,345 samples)",
    )


def test_severity_and_expected_failure_reach_the_verdict() -> None:
    text = RuleText("errors == 0", Location("s.yaml", 7), "thresholds[0]", "warn", "firmware 4.2")
    (compiled,), _ = compile_rules([text], operations=("get",), endpoints=ENDPOINTS, agents=("a",))
    verdict = evaluate(compiled, one_series(gets(1)))
    assert (verdict.severity, verdict.xfail) == ("warn", "firmware 4.2")


@pytest.mark.parametrize(
    ("comparison", "outcome"),
    [
        ("< 20 ms", "failed"),
        ("<= 20 ms", "passed"),
        ("> 20 ms", "failed"),
        (">= 20 ms", "passed"),
        ("< 20.000001 ms", "passed"),
        ("> 19.999999 ms", "passed"),
        ("<= 19.999999 ms", "failed"),
        ("between 20 ms and 30 ms", "passed"),
        ("between 10 ms and 20 ms", "passed"),
        ("between 20.000001 ms and 30 ms", "failed"),
        ("within 0% of 20 ms", "passed"),
        ("within 100% of 10 ms", "passed"),
        ("within 99.99999% of 10 ms", "failed"),
    ],
)
def test_border_of_a_time(comparison: str, outcome: str) -> None:
    assert judge(f"get.max {comparison}", one_series(gets(20))).outcome == outcome


@pytest.mark.parametrize(
    ("text", "outcome", "measured_text"),
    [
        ("get.throughput >= 1 MiB/s", "passed", "1 MiB/s"),
        ("get.throughput > 1 MiB/s", "failed", "1 MiB/s"),
        ("get.throughput > 1 MB/s", "passed", "1.05 MB/s"),
        ("get.throughput >= 1.048576 MB/s", "passed", "1.048576 MB/s"),
        ("get.throughput < 1.048577 MB/s", "passed", "1.048576 MB/s"),
        ("get.ops >= 1 /s", "passed", "1 /s"),
        ("get.ops < 1 ops/s", "failed", "1 ops/s"),
        ("get.count == 10", "passed", "10"),
        ("get.count > 10", "failed", "10"),
        ("get.errors == 0", "passed", "0"),
    ],
)
def test_border_of_rates_and_counts(text: str, outcome: str, measured_text: str) -> None:
    verdict = judge(text, one_series(gets(1, ops=10, size=1 << 20)))
    assert (verdict.outcome, verdict.measured_text) == (outcome, measured_text)


@pytest.mark.parametrize(
    ("text", "outcome"), [("error_rate <= 10%", "passed"), ("error_rate < 10%", "failed")]
)
def test_border_of_the_error_rate(text: str, outcome: str) -> None:
    # 9 / 90: its nearest float is above a tenth.
    assert judge(text, one_series(gets(1, ops=81, errors=9))).outcome == outcome


@pytest.mark.parametrize(
    ("text", "outcome"), [("endpoints.imbalance <= 10%", "passed"), ("endpoints.imbalance < 10%", "failed")]
)
def test_border_of_the_imbalance(text: str, outcome: str) -> None:
    series = {SeriesKey("a", ONE, "get", 1): gets(ops=105), SeriesKey("a", TWO, "put", 1): gets(ops=95)}
    assert judge(text, run(series)).outcome == outcome


def test_operations_of_the_tail_are_counted_but_make_no_rate() -> None:
    result = one_series(Tally(ops=10, bytes=100, tail_ops=2, tail_bytes=50))
    assert judge("get.count == 12", result).outcome == "passed"
    assert judge("get.ops within 0% of 1 /s", result).outcome == "passed"
    assert judge("get.throughput within 0% of 10 B/s", result).outcome == "passed"


def test_scopes_add_up_what_they_name() -> None:
    result = run(
        {
            SeriesKey("a", ONE, "get", 1): gets(ops=1),
            SeriesKey("a", TWO, "get", 2): gets(ops=2),
            SeriesKey("b", ONE, "put", 1): gets(ops=4),
            SeriesKey("b", ONE, "list", 0): gets(ops=8),
            SeriesKey("b", TWO, "stat", 0): gets(ops=16),
        },
        agents=(agent("a"), agent("b")),
    )
    found = {
        text: judge(f"{text}.count >= 0", result).measured
        for text in ("total", "get", "meta", "endpoint[1]", "endpoint[2].get", "agent[b]", "agent[b].list")
    }
    assert found == {
        "total": 31,
        "get": 3,
        "meta": 24,
        "endpoint[1]": 13,
        "endpoint[2].get": 2,
        "agent[b]": 28,
        "agent[b].list": 8,
    }


@pytest.mark.parametrize(
    ("metric", "samples", "outcome"),
    [
        ("p50", 1, "inconclusive"),
        ("p50", 2, "passed"),
        ("p90", 9, "inconclusive"),
        ("p90", 10, "passed"),
        ("p95", 19, "inconclusive"),
        ("p95", 20, "passed"),
        ("p99", 99, "inconclusive"),
        ("p99", 100, "passed"),
        ("p999", 999, "inconclusive"),
        ("p999", 1000, "passed"),
        ("max", 1, "passed"),
        ("mean", 1, "passed"),
    ],
)
def test_samples_that_a_percentile_needs(metric: str, samples: int, outcome: str) -> None:
    assert judge(f"get.{metric} < 20 ms", one_series(gets(*[10] * samples))).outcome == outcome


def test_too_few_samples_show_what_was_measured() -> None:
    verdict = judge("get.p99 < 20 ms", one_series(gets(*[30.0] * 99)))
    assert verdict.outcome == "inconclusive"
    assert verdict.reason == "get.p99 needs 100 samples, there are 99"
    assert (verdict.measured_text, verdict.samples, verdict.rows) == ("30 ms", 99, ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("put.p99 < 20 ms", "put.p99 was not measured: nothing completed"),
        ("put.errors == 0", "put.errors was not measured: nothing was requested"),
        ("put.error_rate < 1%", "put.error_rate was not measured: nothing was requested"),
    ],
)
def test_nothing_to_measure(text: str, reason: str) -> None:
    verdict = judge(text, one_series(gets(1)))
    assert (verdict.outcome, verdict.measured, verdict.reason) == ("inconclusive", None, reason)


def test_imbalance_of_nothing() -> None:
    verdict = judge("endpoints.imbalance < 5%", run({}))
    assert verdict.outcome == "inconclusive"
    assert verdict.reason == "endpoints.imbalance was not measured: nothing was requested"


def test_a_rate_of_nothing_is_zero() -> None:
    verdict = judge("put.throughput >= 1 MiB/s", one_series(gets(1)))
    assert (verdict.outcome, verdict.reason) == (
        "failed",
        "put.throughput was 0 MiB/s, the limit is >= 1 MiB/s (100% under, 0 requests)",
    )


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        ("interrupted", "Ctrl-C during the workload", "the run was interrupted: Ctrl-C during the workload"),
        ("failed", "agent a gave up", "the run failed: agent a gave up"),
        ("failed", "agent a gave up\nSwitch it on.", "the run failed: agent a gave up"),
    ],
)
def test_a_run_that_did_not_complete(status: RunStatus, reason: str, text: str) -> None:
    series = {SeriesKey("a", ONE, "get", 1): gets(1)}
    verdict = judge("get.max < 20 ms", run(series, status=status, reason=reason))
    assert (verdict.outcome, verdict.reason, verdict.measured_text) == ("inconclusive", text, "1 ms")


def test_a_run_without_workload() -> None:
    (compiled,), _ = compile_rules([], operations=("get",), endpoints=ENDPOINTS, agents=("a",))
    result = replace(run({}), phases=())
    assert evaluate(compiled, result).reason == "the run has no workload phase"
    failed = replace(result, status="failed", reason="no agent came up")
    assert evaluate(compiled, failed).reason == "the run failed: no agent came up"


def test_a_lost_agent() -> None:
    lost = agent("b", outcome="lost", reason="silent for 15 s")
    verdict = judge(
        "get.max < 20 ms", run({SeriesKey("a", ONE, "get", 1): gets(1)}, agents=(agent("a"), lost))
    )
    assert (verdict.outcome, verdict.reason) == ("inconclusive", "agent b was lost: silent for 15 s")


def test_totals_that_do_not_reconcile() -> None:
    series = {SeriesKey("a", ONE, "get", 1): gets(1)}
    advice = Check("generator-cpu", False, "99%", "at most 95%")
    wrong = Check("reconcile-agents", False, "3 ops", "4 ops")
    assert judge("get.max < 20 ms", run(series, checks=(advice,))).outcome == "passed"
    verdict = judge("get.max < 20 ms", run(series, checks=(advice, wrong)))
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "the totals do not reconcile: reconcile-agents is 3 ops, expected 4 ops",
    )


TWO_ENDPOINTS = run(
    {
        SeriesKey("a", ONE, "get", 1): gets(10, 12, size=1 << 20),
        SeriesKey("a", TWO, "get", 1): gets(30, 34, 38, 42, size=1 << 20, errors=2),
    }
)


@pytest.mark.parametrize(
    ("text", "reason", "rows"),
    [
        (
            "get.max < 20 ms",
            f"get.max was 42 ms, the limit is < 20 ms (110% over, 6 samples), only at {TWO}",
            (Row(ONE, "12 ms"), Row(TWO, "42 ms", worst=True)),
        ),
        (
            "endpoint[2].get.mean < 20 ms",
            f"endpoint[{TWO}].get.mean was 36 ms, the limit is < 20 ms (80% over, 4 samples)",
            (Row(ONE, "11 ms"), Row(TWO, "36 ms", worst=True)),
        ),
        (
            "get.throughput >= 1 MiB/s",
            "get.throughput was 0.6 MiB/s, the limit is >= 1 MiB/s (40% under, 8 requests)",
            (Row(ONE, "0.2 MiB/s", worst=True), Row(TWO, "0.4 MiB/s")),
        ),
        (
            "get.ops <= 0.5 /s",
            "get.ops was 0.6 /s, the limit is <= 0.5 /s (20% over, 8 requests)",
            (Row(ONE, "0.2 /s"), Row(TWO, "0.4 /s", worst=True)),
        ),
        (
            "errors == 0",
            f"total.errors was 2, the limit is == 0 (8 requests), only at {TWO}",
            (Row(ONE, "0"), Row(TWO, "2", worst=True)),
        ),
        (
            "endpoints.imbalance <= 50%",
            "endpoints.imbalance was 100%, the limit is <= 50% (100% over, 8 requests)",
            (Row(ONE, "2 requests", worst=True), Row(TWO, "6 requests")),
        ),
        (
            "get.max < 42 ms",
            f"get.max was 42 ms, the limit is < 42 ms (exactly the limit, 6 samples), only at {TWO}",
            (Row(ONE, "12 ms"), Row(TWO, "42 ms", worst=True)),
        ),
        (
            "get.max between 50 ms and 60 ms",
            "get.max was 42 ms, the limit is between 50 ms and 60 ms (16% under, 6 samples)",
            (Row(ONE, "12 ms", worst=True), Row(TWO, "42 ms")),
        ),
    ],
)
def test_a_failure_shows_every_endpoint(text: str, reason: str, rows: tuple[Row, ...]) -> None:
    verdict = judge(text, TWO_ENDPOINTS)
    assert (verdict.outcome, verdict.reason, verdict.rows) == ("failed", reason, rows)


def test_an_idle_endpoint() -> None:
    series = {SeriesKey("a", ONE, "get", 1): gets(10)}
    verdict = judge("endpoints.idle == 0", run(series))
    assert verdict.reason == "endpoints.idle was 1, the limit is == 0 (1 request)"
    assert verdict.rows == (Row(ONE, "1 request"), Row(TWO, "0 requests", worst=True))
    assert judge("get.max < 1 ms", run(series)).rows == (Row(ONE, "10 ms", worst=True), Row(TWO, "nothing"))


def test_agents_are_judged_by_the_worst() -> None:
    # The second began early, which is as wrong as late, and has two processes.
    agents = (agent("a"), agent("b", start_skew_s=-0.03, cpu_s=18.0, workers=2))
    result = run({SeriesKey("a", ONE, "get", 1): gets(10)}, agents=agents)
    skew = judge("agents.start_skew < 20 ms", result)
    assert skew.reason == "agents.start_skew was 30 ms, the limit is < 20 ms (50% over, 2 agents)"
    assert skew.rows == (Row("a", "1 ms"), Row("b", "30 ms", worst=True))
    cpu = judge("agents.cpu < 80%", result)
    assert cpu.reason == "agents.cpu was 90%, the limit is < 80% (12% over, 2 agents)"
    assert cpu.measured == 0.9
    assert judge("agent[a].cpu < 80%", result).measured_text == "50%"


def test_values_are_compared_before_they_are_rounded() -> None:
    verdict = judge("get.max <= 20 ms", one_series(gets(20.0001)))
    assert (verdict.outcome, verdict.reason) == (
        "failed",
        "get.max was 20.0001 ms, the limit is <= 20 ms (less than 0.01% over, 1 sample)",
    )


def test_a_rate_is_judged_by_what_completed_of_what_was_due() -> None:
    tally = replace(gets(10, 20, 30), tail_ops=1, response=Latency.of([50 * MS, 60 * MS, 400 * MS]))
    agents = (agent("a", due_starts=4), agent("b", due_starts=2))
    result = run({SeriesKey("a", ONE, "get", 1): tally}, agents=agents)

    assert judge("total.achieved_rate >= 60%", result).reason == (
        "total.achieved_rate was 50%, the limit is >= 60% (17% under, 6 starts)"
    )
    assert judge("total.achieved_rate >= 60%", result).rows == ()
    assert judge("agent[a].achieved_rate >= 75%", result).outcome == "passed"
    assert judge("agent[b].achieved_rate >= 75%", result).measured_text == "0%"


def test_latencies_from_the_schedule_stand_beside_those_from_the_send() -> None:
    result = one_series(replace(gets(10, 20, 30), response=Latency.of([50 * MS, 60 * MS, 400 * MS])))

    assert judge("get.max < 40 ms", result).outcome == "passed"
    assert judge("get.response.mean < 200 ms", result).measured == 0.17
    assert judge("get.response.max < 40 ms", result).reason == (
        "get.response.max was 400 ms, the limit is < 40 ms (10 times the limit, 3 samples)"
    )
    assert judge("get.response.p99 < 40 ms", result).reason == (
        "get.response.p99 needs 100 samples, there are 3"
    )


def test_times_to_first_byte_are_those_of_the_gets_in_scope() -> None:
    def timed(*latencies_ms: int) -> Tally:
        return replace(gets(*latencies_ms), ttfb=Latency.of(ms * MS // 2 for ms in latencies_ms))

    result = run(
        {
            SeriesKey("a", ONE, "get", 1): timed(10, 20),
            SeriesKey("a", TWO, "get", 4): timed(80),
            SeriesKey("a", TWO, "put", 4): gets(300),
        }
    )

    assert judge("get.ttfb.max < 40 ms", result).reason == (
        f"get.ttfb.max was 40 ms, the limit is < 40 ms (exactly the limit, 3 samples), only at {TWO}"
    )
    assert judge("get.ttfb.max < 40 ms", result).rows == (Row(ONE, "10 ms"), Row(TWO, "40 ms", worst=True))
    assert judge("ttfb.max <= 40 ms", result).measured == 0.04
    assert judge("endpoint[1].ttfb.mean <= 8 ms", result).measured == 0.0075
    assert judge("get.ttfb.p99 < 40 ms", result).reason == "get.ttfb.p99 needs 100 samples, there are 3"


def test_first_bytes_that_were_not_timed() -> None:
    assert judge("get.ttfb.max < 40 ms", one_series(gets(10))).reason == (
        "get.ttfb.max was not measured: nothing completed"
    )


@pytest.mark.parametrize("text", ["get.response.p99 < 40 ms", "total.achieved_rate >= 99%"])
def test_without_a_rate_nothing_can_be_said_about_it(text: str) -> None:
    entry = RuleText(text, Location("s.yaml", 3), "thresholds[0]")
    _, [problem] = compile_rules([entry], operations=["get"], endpoints=ENDPOINTS, agents=["a"])

    subject = text.partition(" ")[0].partition(".")[2]
    column = 1
    assert problem.message == f"col {column}: {subject} needs a rate: set io_rate, or remove the rule"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        (
            {"cpu_s": 9.8},
            "generator-cpu is 98.0% of a core per worker (a), the generator may have been the limit, expected at most 95%",
        ),
        (
            {"due_starts": 5000, "start_lag_p99_s": 0.0105},
            "generator-lag is p99 of 10.50 ms from instant to begin (a), expected at most 10 ms",
        ),
    ],
)
def test_a_saturated_generator_leaves_speed_undecided_and_errors_judged(
    changes: dict[str, float], cause: str
) -> None:
    series = {
        SeriesKey("a", ONE, "get", 1): replace(gets(*[10.0] * 200), response=Latency.of([10 * MS] * 200)),
        SeriesKey("a", ONE, "get", 0): Tally(errors=3),
    }
    result = run(series, agents=(agent("a", **changes),))

    for text in ("get.p99 < 1 s", "get.response.p99 < 1 s", "get.throughput > 1 B/s", "total.ops > 1 /s"):
        verdict = judge(text, result)
        assert (verdict.outcome, verdict.reason) == (
            "inconclusive",
            f"the load generator was the limit: {cause}",
        )
        # What was measured is shown all the same.
        assert verdict.measured is not None
    for text, expected in (
        ("total.errors == 0", "failed"),
        ("total.error_rate <= 50%", "passed"),
        ("get.count >= 200", "passed"),
        ("agents.cpu < 99%", "passed"),
        ("endpoints.idle == 1", "passed"),
    ):
        assert judge(text, result).outcome == expected
