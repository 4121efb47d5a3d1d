from __future__ import annotations

from dataclasses import replace

from pytest_sai3bench.results.checks import check_phase, check_run, find_saturation
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    Check,
    PhaseResult,
    RunResult,
    SeriesKey,
    Tally,
    TickSum,
)
from pytest_sai3bench.results.outages import Outage

A, B = "file:///a/", "file:///b/"
KEY = SeriesKey("a1", A, "get", 1)
OTHER = SeriesKey("a1", B, "get", 1)
MS = 1_000_000


def report(agent: str = "a1", *, cpu_s: float = 0.5, workers: int = 1) -> AgentReport:
    return AgentReport(
        agent=agent,
        host="host1",
        python="3.12.1",
        outcome="completed",
        reason="",
        lanes=2,
        window_s=1.0,
        wall_s=2.0,
        start_skew_s=0.0,
        clock_offset_s=0.0,
        clock_error_s=0.0,
        cpu_s=cpu_s,
        max_rss_bytes=0,
        retries=0,
        read_sink="copy",
        workers=workers,
    )


def gets(*samples_ms: int) -> Tally:
    latency = Latency.of([sample * MS for sample in samples_ms])
    return Tally(ops=len(samples_ms), bytes=10 * len(samples_ms), latency=latency)


GOOD = PhaseResult(
    phase="workload",
    endpoints=(A, B),
    agents=(report(),),
    series={KEY: gets(100, 300), OTHER: gets(600)},
    warmup={KEY: gets(200)},
    ticked=TickSum(4, 40),
)


def named(phase: PhaseResult, name: str) -> Check:
    return next(check for check in check_phase(phase) if check.name == name)


def test_a_sound_phase_passes_every_check_in_order() -> None:
    assert check_phase(GOOD) == (
        Check("reconcile-endpoints", True, "3 ops, 30 bytes, 0 errors", "3 ops, 30 bytes, 0 errors"),
        Check("reconcile-agents", True, "3 ops, 30 bytes, 0 errors", "3 ops, 30 bytes, 0 errors"),
        Check("reconcile-parts", True, "0 bytes in parts of operations", "0 bytes"),
        Check("reconcile-ticks", True, "4 ops, 40 bytes, 0 errors", "4 ops, 40 bytes, 0 errors"),
        Check("reconcile-counts", True, "3 latencies", "3 latencies"),
        Check("littles-law", True, "30.0% of lane time in operations", "at most 105%"),
        Check("generator-cpu", True, "25.0% of a core per worker (a1)", "at most 95%"),
        Check("generator-lag", True, "no rate", "at most 10 ms"),
        Check("rate-kept", True, "no rate", "at most 1% missed"),
        Check("endpoints-used", True, "2", "2"),
    )


def test_a_series_at_an_unplanned_endpoint_fails() -> None:
    assert named(replace(GOOD, endpoints=(A,)), "reconcile-endpoints") == Check(
        "reconcile-endpoints", False, "2 ops, 20 bytes, 0 errors", "3 ops, 30 bytes, 0 errors"
    )


def test_a_series_of_an_unknown_agent_fails() -> None:
    assert named(replace(GOOD, agents=(report("a2"),)), "reconcile-agents") == Check(
        "reconcile-agents", False, "0 ops, 0 bytes, 0 errors", "3 ops, 30 bytes, 0 errors"
    )


def test_a_missing_tick_fails_and_names_the_series() -> None:
    differing = ("get of a1 at file:///a/ in 1B-8KiB", "get of a1 at file:///b/ in 1B-8KiB")

    assert named(replace(GOOD, ticked=TickSum(2, 20, 0, differing)), "reconcile-ticks") == Check(
        "reconcile-ticks",
        False,
        "2 ops, 20 bytes, 0 errors; 2 series differ, the first is get of a1 at file:///a/ in 1B-8KiB",
        "4 ops, 40 bytes, 0 errors",
    )


def test_a_tick_that_differs_fails_although_the_sums_agree() -> None:
    differing = ("get of a1 at file:///a/ in 1B-8KiB",)

    check = named(replace(GOOD, ticked=TickSum(4, 40, 0, differing)), "reconcile-ticks")

    assert (check.passed, check.value) == (
        False,
        "4 ops, 40 bytes, 0 errors; 1 series differ, the first is get of a1 at file:///a/ in 1B-8KiB",
    )


def test_without_any_tick_there_is_nothing_to_rely_on() -> None:
    check = named(replace(GOOD, ticked=TickSum()), "reconcile-ticks")

    assert (check.passed, check.value) == (False, "0 ops, 0 bytes, 0 errors")


def test_an_operation_without_latency_fails() -> None:
    series = {KEY: gets(100, 300), OTHER: replace(gets(600), ops=2)}

    assert named(replace(GOOD, series=series), "reconcile-counts") == Check(
        "reconcile-counts",
        False,
        "3 latencies; 1 series differ, the first is get of a1 at file:///b/ in 1B-8KiB",
        "4 latencies",
    )


def test_more_lane_time_than_there_is_fails() -> None:
    assert named(replace(GOOD, series={KEY: gets(4000, 300)}), "littles-law") == Check(
        "littles-law", False, "112.5% of lane time in operations", "at most 105%"
    )


def test_operations_that_wait_at_a_silent_endpoint_hold_no_lane() -> None:
    silent = Outage("a1", 0, A, "silent", "no answer for 1.0 s", 0.1, 0.0, 1.0, ended=True, tries=0)
    series = {KEY: gets(4000, 300), OTHER: gets(600)}
    phase = replace(GOOD, series=series, outages=(silent,))

    assert named(phase, "littles-law") == Check(
        "littles-law",
        True,
        "15.0% of lane time in operations at endpoints that never fell silent",
        "at most 105%",
    )
    assert not named(replace(phase, series={**series, OTHER: gets(4300)}), "littles-law").passed
    # A pause after errors waits for nothing: all its lanes are held.
    assert not named(replace(phase, outages=(replace(silent, kind="paused"),)), "littles-law").passed


def test_the_busiest_agent_is_named_and_its_workers_share_the_load() -> None:
    agents = (report("a1", cpu_s=3.0, workers=2), report("a2", cpu_s=1.96))

    assert named(replace(GOOD, agents=agents), "generator-cpu") == Check(
        "generator-cpu",
        False,
        "98.0% of a core per worker (a2), the generator may have been the limit",
        "at most 95%",
    )


def test_one_busy_worker_is_not_hidden_by_idle_ones() -> None:
    agents = (replace(report("a1", cpu_s=2.4, workers=4), worker_cpu=(0.96, 0.08, 0.08, 0.08)),)

    check = named(replace(GOOD, agents=agents), "generator-cpu")

    assert (check.passed, check.value) == (
        False,
        "96.0% of a core per worker (a1), the generator may have been the limit",
    )


def test_workers_of_threads_share_the_cores_of_their_host() -> None:
    agents = (replace(report("a1", cpu_s=7.2, workers=2), cpu_cores=4, worker_cpu=(2.6, 1.0)),)

    assert named(replace(GOOD, agents=agents), "generator-cpu") == Check(
        "generator-cpu", True, "90.0% of its 4 cores (a1)", "at most 95%"
    )


def test_operations_that_were_due_and_never_begun_are_counted() -> None:
    agents = (
        replace(report("a1"), due_starts=500, missed_starts=8, start_lag_s=0.0125),
        replace(report("a2"), due_starts=500, missed_starts=3, start_lag_s=0.001),
    )

    assert named(replace(GOOD, agents=agents), "rate-kept") == Check(
        "rate-kept", False, "11 of 1000 starts missed, the latest 12.5 ms late", "at most 1% missed"
    )


def test_lanes_that_wait_and_begin_late_fail() -> None:
    agents = (
        replace(report("a1"), due_starts=500, start_lag_p99_s=0.009),
        replace(report("a2"), due_starts=500, start_lag_p99_s=0.0125),
    )

    assert named(replace(GOOD, agents=agents), "generator-lag") == Check(
        "generator-lag", False, "p99 of 12.50 ms from instant to begin (a2)", "at most 10 ms"
    )


def test_between_rare_operations_more_lag_is_allowed() -> None:
    # Two workers begin four operations in the one second of the window: each every 500 ms.
    agents = (replace(report("a1", workers=2), due_starts=4, start_lag_p99_s=0.049),)

    assert named(replace(GOOD, agents=agents), "generator-lag") == Check(
        "generator-lag", True, "p99 of 49.00 ms from instant to begin (a1)", "at most 50 ms"
    )


def test_threads_that_use_all_cores_are_no_sign_of_saturation() -> None:
    busy = report("a1", cpu_s=1.96)

    assert find_saturation(GOOD) == ""
    assert find_saturation(replace(GOOD, agents=(replace(busy, cpu_cores=2, cpu_s=3.92),))) == ""
    assert find_saturation(replace(GOOD, agents=(report(), busy))) == (
        "generator-cpu is 98.0% of a core per worker (a1), the generator may have been the limit, expected at most 95%"
    )


def test_a_latency_without_its_response_or_first_byte_fails() -> None:
    for odd in (
        replace(gets(100, 300), response=Latency.of([100])),
        replace(gets(100, 300), ttfb=Latency.of([100])),
    ):
        assert named(replace(GOOD, series={KEY: odd, OTHER: gets(600)}), "reconcile-counts") == Check(
            "reconcile-counts",
            False,
            "3 latencies; 1 series differ, the first is get of a1 at file:///a/ in 1B-8KiB",
            "3 latencies",
        )


def test_an_idle_endpoint_is_counted() -> None:
    assert named(replace(GOOD, endpoints=(A, B, "file:///c/")), "endpoints-used") == Check(
        "endpoints-used", False, "2", "3"
    )


def test_an_empty_phase_has_nothing_to_complain_about() -> None:
    assert [check.name for check in check_phase(PhaseResult("cleanup", (), (), {})) if not check.passed] == []


def test_a_run_is_judged_by_its_workload() -> None:
    run = RunResult("s.yaml", "mixed", "r1", "completed", "", 0.0, (replace(GOOD, phase="prepare"), GOOD))

    assert check_run(run) == check_phase(GOOD)
    assert check_run(replace(run, phases=run.phases[:1])) == ()
