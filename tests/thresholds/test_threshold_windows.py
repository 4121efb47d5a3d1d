"""Rules on parts of the measured time, and rules that end a run, fed second by second."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.errors import Location
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import PhaseResult, RunResult, RunStatus, SeriesKey, Tally
from pytest_sai3bench.results.timeline import Interval
from pytest_sai3bench.results.windows import cut
from pytest_sai3bench.thresholds.collection import Compiled, RuleText, Times, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate
from pytest_sai3bench.thresholds.verdicts import Row
from pytest_sai3bench.thresholds.watching import Watched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_sai3bench.thresholds.verdicts import Verdict

ONE, TWO = ENDPOINTS = ("s3://127.0.0.1:8333/b/", "s3://127.0.0.2:8333/b/")
MS = 1_000_000


def compiled(text: str, duration_s: float = 60, interval_s: str = "1") -> tuple[Compiled | None, str]:
    """Return the rule and the problem; one of them is there."""
    rules, problems = compile_rules(
        [RuleText(text, Location("s.yaml", 7), "thresholds[0]")],
        operations=("get",),
        endpoints=ENDPOINTS,
        agents=("a",),
        times=Times(Fraction(duration_s), Fraction(interval_s)),
    )
    return (None, problems[0].message) if problems else (rules[0], "")


def gets(count: int, latency_ms: float = 1, errors: int = 0, endpoint: str = ONE) -> dict[SeriesKey, Tally]:
    latency = Latency.of([int(latency_ms * MS)] * count)
    return {SeriesKey("a", endpoint, "get", 1): Tally(count, 1024 * count, errors=errors, latency=latency)}


def tail(latency_ms: float) -> dict[SeriesKey, Tally]:
    latency = Latency.of([int(latency_ms * MS)])
    return {SeriesKey("a", ONE, "get", 1): Tally(tail_ops=1, tail_bytes=1024, latency=latency)}


def watch(
    text: str,
    seconds: Iterable[Mapping[SeriesKey, Tally]],
    *,
    warmup_s: float = 0,
    after: Mapping[SeriesKey, Tally] | None = None,
) -> tuple[Watched, Compiled]:
    """Show a rule its intervals, one for each of ``seconds``; ``after`` completed when they were over."""
    known = list(seconds)
    duration_s = len(known) - warmup_s
    rule, problem = compiled(text)
    assert rule, problem
    watched = Watched(rule, 1)
    intervals = [
        Interval(second, second + 1, {"measured": series} if second + 1 > warmup_s else {"warmup": series})
        for second, series in enumerate(known)
    ]
    if after:
        intervals.append(Interval(len(known), len(known) + 0.5, {"tail": after}))
    for interval in intervals:
        piece = cut(interval, warmup_s=warmup_s, duration_s=duration_s, endpoints=ENDPOINTS, agents=("a",))
        if piece:
            watched.add(piece)
    watched.finish()
    return watched, rule


def judge(
    text: str,
    seconds: Sequence[Mapping[SeriesKey, Tally]],
    *,
    warmup_s: float = 0,
    after: Mapping[SeriesKey, Tally] | None = None,
    status: RunStatus = "completed",
) -> Verdict:
    watched, rule = watch(text, seconds, warmup_s=warmup_s, after=after)
    phase = PhaseResult("workload", ENDPOINTS, (), {})
    run = RunResult(
        "s.yaml", "mixed", "id", status, "other rule" if status == "aborted" else "", 0.0, (phase,)
    )
    return evaluate(rule, run, watched.seen)


def test_the_worst_window_counts() -> None:
    seconds = [gets(100)] * 4 + [gets(50)] * 2 + [gets(100)] * 6
    verdict = judge("get.ops >= 90 /s @each(2s)", seconds)
    assert (verdict.outcome, verdict.measured, verdict.window) == ("failed", 50.0, "4 s to 6 s")
    assert verdict.reason == (
        "get.ops was 50 /s from 4 s to 6 s, the limit is >= 90 /s (44% under, 100 requests, the worst of 6 windows)"
    )
    assert verdict.id == "get.ops[each=2s]"


def test_a_rule_that_holds_in_all_windows_shows_the_worst() -> None:
    verdict = judge("get.ops >= 30 /s @each(2s)", [gets(100)] * 4 + [gets(50)] * 2)
    assert (verdict.outcome, verdict.measured_text, verdict.window) == ("passed", "50 /s", "4 s to 6 s")


@pytest.mark.parametrize(
    ("comparison", "window"),
    [
        ("< 1k /s", "2 s to 3 s"),
        ("> 1 /s", "1 s to 2 s"),
        ("between 1 /s and 1k /s", "1 s to 2 s"),
        ("between 1 /s and 310 /s", "2 s to 3 s"),
        ("within 90% of 100 /s", "2 s to 3 s"),
    ],
)
def test_which_window_is_the_worst(comparison: str, window: str) -> None:
    assert judge(f"get.ops {comparison} @each(1s)", [gets(100), gets(20), gets(300)]).window == window


def test_windows_begin_after_the_warm_up_and_rates_know_how_long_they_are() -> None:
    # The first interval of the measured time is half a one.
    verdict = judge("get.ops >= 90 /s @each(1s)", [gets(7), gets(30), gets(100), gets(80)], warmup_s=1.5)
    assert (verdict.measured, verdict.window) == (60.0, "0 s to 500 ms")


def test_a_rest_is_judged_with_what_comes_before_it() -> None:
    verdict = judge("get.ops >= 90 /s @each(2s)", [gets(100)] * 4 + [gets(60)])
    assert (verdict.measured, verdict.window) == (80.0, "3 s to 5 s")


def test_the_last_window() -> None:
    verdict = judge("get.ops >= 90 /s @last(2s)", [gets(10)] * 3 + [gets(100)] * 2)
    assert (verdict.outcome, verdict.measured, verdict.window) == ("passed", 100.0, "3 s to 5 s")


@pytest.mark.parametrize("window", ["@each(2s)", "@last(2s)", "@each(3s)"])
def test_what_hung_at_the_end_is_in_the_latency_of_the_last_window_only(window: str) -> None:
    verdict = judge(f"get.max < 100 ms {window}", [gets(10)] * 4, after=tail(900))
    assert (verdict.measured, verdict.window[-3:]) == (0.9, "4 s")
    assert judge(f"get.ops < 100 /s {window}", [gets(10)] * 4, after=tail(900)).measured == 10


def test_a_window_with_too_few_samples_is_no_proof() -> None:
    seconds = [gets(200)] * 2 + [gets(3)] + [gets(200)] * 2
    verdict = judge("get.p99 < 20 ms @each(1s)", seconds)
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "get.p99 needs 100 samples, there are 3 from 2 s to 3 s",
    )
    # What is proven stays proven.
    assert judge("get.p99 < 0.1 ms @each(1s)", seconds).outcome == "failed"


def test_a_window_in_which_nothing_completed_is_no_proof() -> None:
    verdict = judge("get.max < 20 ms @each(1s)", [gets(5), {}, gets(5)])
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "get.max was not measured: nothing completed from 1 s to 2 s",
    )


def test_a_run_that_ended_before_the_first_window_was_over() -> None:
    verdict = judge("get.ops > 1 /s @each(10s)", [gets(5)] * 9)
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "get.ops has no window @each(10 s): the run was too short",
    )


def test_endpoints_of_a_window_are_compared() -> None:
    seconds = [{**gets(100), **gets(90, endpoint=TWO)}, {**gets(100), **gets(50, endpoint=TWO)}]
    verdict = judge("get.ops >= 1000 /s @each(1s)", seconds)
    assert verdict.rows == (Row(ONE, "100 /s"), Row(TWO, "50 /s", worst=True))
    share = judge("each(endpoint).get.ops >= 95% of median @each(1s)", seconds)
    assert (share.measured_text, share.window) == ("100/s, 105% of median", "0 s to 1 s")


def test_a_rule_that_is_not_met_objects_after_its_time() -> None:
    seconds = [gets(90, errors=10)] * 5
    watched, rule = watch("error_rate <= 1% abort after 3s", seconds)
    assert watched.objection == (
        "error_rate <= 1% abort after 3s: total.error_rate was 10% from 0 s to 3 s, the limit is <= 1% "
        f"(10 times the limit, 300 requests), only at {ONE}"
    )
    assert watch("error_rate <= 10% abort after 3s", seconds)[0].objection == ""
    assert rule.id == "total.error_rate"


@pytest.mark.parametrize(
    ("rule", "end"),
    [
        # Two errors in 600 requests come late.
        ("error_rate <= 0.2% abort after 1s", "0 s to 6 s"),
        ("errors == 0 @each(2s) abort after 1s", "4 s to 6 s"),
        ("errors <= 1 @each(2s) abort after 1s", ""),
        ("errors == 0 @last(3s) abort after 1s", "3 s to 6 s"),
        ("errors == 0 @last(3s) abort after 8s", "5 s to 8 s"),
        ("errors == 0 abort after 9s", "0 s to 9 s"),
    ],
)
def test_when_a_run_is_ended(rule: str, end: str) -> None:
    seconds = [gets(100)] * 5 + [gets(98, errors=2)] + [gets(100)] * 6
    if "<= 1" in rule:
        seconds[5] = gets(99, errors=1)
    found = watch(rule, seconds)[0].seen.objection
    assert ("" if found is None else str(found)) == end


def test_too_few_samples_end_no_run() -> None:
    assert watch("get.p99 < 1 ms abort after 1s", [gets(9, 5)] * 3)[0].objection == ""


def test_the_rule_that_ended_a_run_has_failed_and_the_others_cannot_tell() -> None:
    seconds = [gets(90, errors=10)] * 5
    verdict = judge("error_rate <= 1% abort after 3s", seconds, status="aborted")
    assert (verdict.outcome, verdict.window) == ("failed", "0 s to 3 s")
    other = judge("get.ops >= 1 /s @each(1s)", seconds, status="aborted")
    assert (other.outcome, other.reason) == ("inconclusive", "the run was ended by another rule: other rule")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("get.p99 < 20 ms @each(2m)", "col 17: @each(2 m) is more than the 1m of the workload"),
        (
            "get.p99 < 20 ms @last(1500ms)",
            "col 17: @last(1500 ms) is no multiple of the 1 s of an interval: set perf_log.interval",
        ),
    ],
)
def test_windows_that_do_not_fit(rule: str, message: str) -> None:
    assert compiled(rule) == (None, message)
    assert compiled(rule, duration_s=600, interval_s="0.5")[1] == ""


@given(st.lists(st.integers(0, 50), min_size=1, max_size=200), st.integers(1, 90))
def test_the_worst_window_is_that_of_all_windows(counts: list[int], length: int) -> None:
    if length > min(len(counts), 60):
        length = 1
    verdict = judge(f"get.ops >= 10 /s @each({length}s)", [gets(count) for count in counts])
    whole = [sum(counts[at : at + length]) for at in range(0, len(counts) - length + 1, length)]
    rest = [sum(counts[-length:])] if len(counts) % length else []
    assert verdict.measured == pytest.approx(min(whole + rest) / length)
