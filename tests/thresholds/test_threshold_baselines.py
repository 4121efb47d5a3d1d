"""A run beside an earlier one: what passes, what fails, and what cannot be told."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import Location
from pytest_sai3bench.reports.baseline_files import BaselineFiles, read_baseline
from pytest_sai3bench.results.batches import MOST, Batches
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import AgentReport, PhaseResult, RunResult, SeriesKey, Tally
from pytest_sai3bench.results.windows import Window, join
from pytest_sai3bench.thresholds.baselines import Baseline, compare_with, describe_difference
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_sai3bench.thresholds.verdicts import Verdict

URI = "s3://127.0.0.1:8333/b/"
SETUP = {"stages[1].duration_s": "60", "machine": "m"}
MS = 1_000_000


def piece(number: int, ops: int, latencies_ms: Sequence[float] = (), *, bucket: int = 1) -> Window:
    """Return a second with so many gets, each of 1 KiB."""
    latency = Latency.of(int(ms * MS) for ms in latencies_ms or [1.0] * ops)
    tally = Tally(ops, ops * 1024, latency=latency)
    series = {SeriesKey("a", URI, "get", bucket): tally} if ops else {}
    return Window("workload", (URI,), (), series, start_s=number, end_s=number + 1.0, agent_names=("a",))


def steady(level: int, spread: float = 0.0, seed: int = 1, count: int = 20) -> tuple[Window, ...]:
    random = Random(seed)
    return tuple(piece(number, round(random.gauss(level, spread * level))) for number in range(count))


def slow(scale: float, seed: int) -> tuple[Window, ...]:
    random = Random(seed)
    return tuple(
        piece(number, 200, [scale * random.expovariate(1.0) for _ in range(200)]) for number in range(20)
    )


def judge(
    text: str,
    new: tuple[Window, ...],
    baseline: Baseline,
    setup: dict[str, str] | None = None,
) -> Verdict:
    (rule, *_), problems = compile_rules(
        [RuleText(text, Location("s.yaml", 7), "thresholds[0]")],
        operations=("get",),
        endpoints=(URI,),
        agents=("a",),
    )
    assert problems == ()
    whole = join(new)
    agent = AgentReport(
        "a", "h", "3.11.7", "completed", "", 4, whole.window_s, whole.window_s, 0, 0, 0, 1, 1, 0, "discard"
    )
    phase = PhaseResult("workload", (URI,), (agent,), whole.series)
    run = RunResult("s.yaml", "mixed", "id", "completed", "", 0.0, (phase,))
    return evaluate(rule, run, None, compare_with(rule.rule, (new,), baseline, setup or SETUP))


def saved(*rounds: tuple[Window, ...]) -> Baseline:
    return Baseline("main", "2026-11-25T04:00:00Z", SETUP, rounds)


def test_a_run_like_its_baseline_passes() -> None:
    verdict = judge("get.ops >= 95% of baseline", steady(99), saved(steady(100)))
    assert (verdict.outcome, verdict.measured_text, verdict.id) == (
        "passed",
        "99/s, 99% of baseline (100/s)",
        "get.ops[baseline]",
    )
    assert verdict.margin == pytest.approx(0.99 / 0.95 - 1)


def test_a_slowdown_fails_with_the_ratio_and_its_interval() -> None:
    verdict = judge(
        "get.throughput >= 95% of baseline(main)", steady(90, 0.01, 1), saved(steady(100, 0.01, 2))
    )
    assert verdict.outcome == "failed"
    assert verdict.reason == (
        "get.throughput was 89.9 KiB/s, 90% of baseline(main) (99.6 KiB/s), the limit is >= 95% of baseline(main) "
        "(5% under, 1,798 requests, 89.7% to 90.9% with 95% confidence)"
    )


def test_a_difference_that_may_be_chance_is_inconclusive() -> None:
    verdict = judge("get.ops >= 95% of baseline", steady(90, 0.4, 5), saved(steady(100, 0.4, 9)))
    assert verdict.outcome == "inconclusive"
    assert "which may be chance: " in verdict.reason
    assert verdict.reason.endswith("% with 95% confidence; the limit is >= 95% of baseline")


@pytest.mark.parametrize(
    ("rule", "level", "outcome"),
    [
        ("get.ops within 10% of baseline", 105, "passed"),
        ("get.ops within 10% of baseline", 120, "failed"),
        ("get.ops within 10% of baseline", 80, "failed"),
        # More than before is demanded: as much as before is not enough.
        ("get.ops >= 120% of baseline", 100, "failed"),
        ("get.ops >= 120% of baseline", 125, "passed"),
        ("get.count >= 95% of baseline", 100, "passed"),
    ],
)
def test_rates_beside_a_baseline(rule: str, level: int, outcome: str) -> None:
    assert judge(rule, steady(level), saved(steady(100))).outcome == outcome


@pytest.mark.parametrize("metric", ["p50", "p95", "mean"])
def test_latencies_beside_a_baseline(metric: str) -> None:
    baseline = saved(slow(1.0, 1))
    assert judge(f"get.{metric} <= 110% of baseline", slow(1.0, 2), baseline).outcome == "passed"
    assert judge(f"get.{metric} <= 110% of baseline", slow(1.5, 2), baseline).outcome == "failed"


def test_a_baseline_of_rounds_is_their_median() -> None:
    baseline = saved(steady(100), steady(30), steady(102))
    verdict = judge("get.ops >= 95% of baseline", steady(99), baseline)
    assert verdict.measured_text == "99/s, 99% of baseline (100/s)"


def test_another_setup_is_refused_with_the_difference() -> None:
    verdict = judge(
        "get.ops >= 95% of baseline",
        steady(100),
        saved(steady(100)),
        {**SETUP, "machine": "other", "new": "1"},
    )
    assert (verdict.outcome, verdict.reason) == (
        "inconclusive",
        "baseline main is of another setup: machine: m → other and new: nothing → 1",
    )


def test_long_differences_are_cut() -> None:
    old, new = ({str(number): value for number in range(5)} for value in "ab")
    assert describe_difference(old, new) == "0: a → b, 1: a → b, 2: a → b and 2 more"
    assert describe_difference(old, old) == ""


def test_a_missing_baseline_is_inconclusive() -> None:
    missing = Baseline("main", problem="there is no baseline main yet", is_missing=True)
    verdict = judge("get.ops >= 95% of baseline", steady(100), missing)
    assert (verdict.outcome, verdict.reason) == ("inconclusive", "there is no baseline main yet")


def test_too_few_intervals_are_inconclusive() -> None:
    verdict = judge("get.ops >= 95% of baseline", steady(100, count=3), saved(steady(100)))
    assert verdict.reason == (
        "get.ops cannot be compared: 3 intervals say too little about how it varies, 4 are needed; the run may "
        "last longer, or perf_log.interval be shorter"
    )


def test_a_baseline_without_the_operation_is_inconclusive() -> None:
    empty = tuple(piece(number, 0) for number in range(20))
    verdict = judge("get.ops >= 95% of baseline", steady(100), saved(empty))
    assert verdict.reason == "baseline main has no get.ops"


def test_a_baseline_comes_back_from_its_file(tmp_path: Path) -> None:
    files = BaselineFiles(tmp_path)
    baseline = saved(slow(1.0, 1), steady(100))
    files.save("suites/four.sai3.yaml::mixed[size=4KiB]", baseline)
    assert files.find("main", "suites/four.sai3.yaml::mixed[size=4KiB]") == baseline
    (path,) = tmp_path.glob("main/*")
    assert path.name == "suites-four.sai3.yaml-mixed[size=4KiB].json"
    assert read_baseline(path, "main") == baseline
    assert read_baseline(tmp_path / "main", "main", "suites/four.sai3.yaml::mixed[size=4KiB]") == baseline


def test_the_latest_is_the_one_that_was_saved_last(tmp_path: Path) -> None:
    files = BaselineFiles(tmp_path)
    for name, saved_at in (("a", "2026-01-02"), ("b", "2026-01-03"), ("c", "2026-01-01")):
        files.save("s.yaml::mixed", Baseline(name, saved_at, SETUP, (steady(100),)))
    assert files.find("latest", "s.yaml::mixed").name == "b"
    other = files.find("latest", "s.yaml::other")
    assert (other.is_missing, other.problem) == (
        True,
        f"no baseline of s.yaml::other was saved in {tmp_path}",
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "there is no baseline main yet: {path} does not exist"),
        ("{", "baseline main cannot be read: {path} is no baseline"),
        ("[]", "baseline main cannot be read: {path} is no baseline"),
        ('{"format": 1}', "baseline main cannot be read: {path} is no baseline"),
        (json.dumps({"format": 9}), "baseline main has format 9, this version reads 1: {path}"),
    ],
)
def test_files_that_are_of_no_use(tmp_path: Path, text: str | None, problem: str) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    assert read_baseline(path, "main").problem == problem.format(path=path)


def test_batches_stay_few_and_lose_nothing() -> None:
    batches = Batches()
    for number in range(300):
        batches.add(piece(number, number % 7, bucket=number % 3))
    batches.add(
        Window(
            "workload",
            (URI,),
            (),
            {SeriesKey("a", URI, "get", 2): Tally(tail_ops=4)},
            end_s=300.0,
            start_s=300.0,
        )
    )
    windows = batches.windows
    assert MOST / 2 <= len(windows) < MOST
    assert {window.window_s for window in windows[:-1]} == {16.0}
    assert (windows[0].start_s, windows[-1].end_s) == (0.0, 300.0)
    whole = join(windows).tally()
    assert (whole.ops, whole.tail_ops) == (sum(number % 7 for number in range(300)), 4)
