from __future__ import annotations

import pickle
from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.buckets import bucket_of
from pytest_sai3bench.agent.messages import SECTIONS
from pytest_sai3bench.results.checks import check_phase
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.merge import WorkerOutcome, merge_phase
from pytest_sai3bench.results.model import (
    AgentReport,
    ErrorSample,
    PhaseResult,
    SeriesKey,
    Tally,
    TickSum,
    total,
)
from pytest_sai3bench.results.sums import Reporter
from pytest_sai3bench.results.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_sai3bench.agent.messages import ErrorWire, PacingWire, ResultWire, SeriesWire, TickWire

A, B = "file:///a/", "file:///b/"
S = 1_000_000_000

# (section, op, endpoint, size in bytes, latency in ns): what an agent sees of one operation.
Event = tuple[str, str, int, int, int]
events = st.lists(
    st.tuples(
        st.sampled_from(SECTIONS),
        st.sampled_from(["get", "put", "list"]),
        st.integers(min_value=0, max_value=1),
        st.sampled_from([0, 1, 4096, 10_000]),
        st.integers(min_value=1, max_value=50_000),
    ),
    max_size=12,
)


def series_wire(
    op: str, endpoint: int, bucket: int, sizes: Iterable[int], samples: Iterable[int]
) -> SeriesWire:
    latency = Latency.of(samples)
    return {
        "op": op,
        "role": "",
        "endpoint": endpoint,
        "bucket": bucket,
        "count": latency.count,
        "bytes": sum(sizes),
        "sum_ns": latency.sum_ns,
        "min_ns": latency.min_ns,
        "max_ns": latency.max_ns,
        "index": list(latency.counts),
        "counts": list(latency.counts.values()),
        "response": None,
        "ttfb": None,
    }


def sections_wire(seen: Iterable[Event]) -> dict[str, list[SeriesWire]]:
    groups: dict[tuple[str, str, int, int], list[Event]] = {}
    for event in seen:
        section, op, endpoint, size, _ = event
        groups.setdefault((section, op, endpoint, bucket_of(size)), []).append(event)
    sections: dict[str, list[SeriesWire]] = {}
    for (section, op, endpoint, bucket), group in groups.items():
        wire = series_wire(op, endpoint, bucket, [e[3] for e in group], [e[4] for e in group])
        sections.setdefault(section, []).append(wire)
    return sections


def error_wire(section: str, op: str, endpoint: int, count: int, sample: str = "refused") -> ErrorWire:
    return {
        "section": section,
        "op": op,
        "endpoint": endpoint,
        "kind": "refused",
        "count": count,
        "sample": sample,
    }


def tick_wire(tick: int, seen: Iterable[Event] = (), errors: Iterable[ErrorWire] = ()) -> TickWire:
    return {
        "type": "tick",
        "stage": 0,
        "tick": tick,
        "interval": tick,
        "sections": sections_wire(seen),
        "errors": list(errors),
    }


def result_wire(seen: Iterable[Event] = (), errors: Iterable[ErrorWire] = ()) -> ResultWire:
    return {
        "type": "result",
        "stage": 0,
        "outcome": "completed",
        "reason": "",
        "planned_start_ns": 10 * S,
        "started_ns": 10 * S,
        "ended_ns": 16 * S,
        "window_ns": [11 * S, 15 * S],
        "sections": sections_wire(seen),
        "errors": list(errors),
        "retries": 0,
        "outages": [],
        "cpu_s": 1.5,
        "max_rss_bytes": 1000,
        "cpu_cores": 1,
        "read_sink": "discard",
        "engine": "default",
        "notes": [],
        "pacing": None,
        "cpu_share": -1.0,
        "longest_pause_ns": 0,
        "contacts": [],
    }


def outcome(result: ResultWire | None, *ticks: TickWire, agent: str = "a1", worker: int = 0) -> WorkerOutcome:
    return WorkerOutcome(
        agent=agent,
        worker=worker,
        host="host1",
        python="3.12.1",
        lanes=4,
        clock_offset_ns=500_000,
        clock_error_ns=20_000,
        endpoints=(A, B),
        result=result,
        ticks=Ticks(Reporter(agent, (A, B)), ticks),
    )


def test_measured_and_tail_operations_share_one_latency_and_warmup_stands_apart() -> None:
    result = result_wire(
        [("warmup", "get", 0, 10, 100), ("measured", "get", 0, 20, 200), ("tail", "get", 0, 30, 900)]
    )

    phase = merge_phase("workload", (A, B), [outcome(result)])

    key = SeriesKey("a1", A, "get", 1)
    assert phase.series == {
        key: Tally(ops=1, bytes=20, tail_ops=1, tail_bytes=30, latency=Latency.of([200, 900]))
    }
    assert phase.warmup == {key: Tally(ops=1, bytes=10, latency=Latency.of([100]))}
    assert phase.endpoints == (A, B)


def test_latencies_from_the_schedule_and_what_became_of_it_are_added_up() -> None:
    def paced(response_ns: int, pacing: PacingWire) -> ResultWire:
        result = result_wire([("measured", "get", 0, 20, 200)])
        [wire] = result["sections"]["measured"]
        wire["response"] = {
            "sum_ns": response_ns,
            "min_ns": response_ns,
            "max_ns": response_ns,
            "index": [response_ns],
            "counts": [1],
        }
        return result | {"pacing": pacing, "cpu_share": 0.5, "longest_pause_ns": response_ns}

    first: PacingWire = {
        "due": 60,
        "late": 1,
        "missed": 2,
        "longest_lag_ns": 5_000_000,
        "index": [100],
        "counts": [59],
    }
    second: PacingWire = {
        "due": 50,
        "late": 0,
        "missed": 0,
        "longest_lag_ns": 900,
        "index": [100, 900],
        "counts": [39, 11],
    }

    phase = merge_phase(
        "workload", (A, B), [outcome(paced(300, first)), outcome(paced(700, second), worker=1)]
    )

    assert phase.series == {
        SeriesKey("a1", A, "get", 1): Tally(
            ops=2, bytes=40, latency=Latency.of([200, 200]), response=Latency.of([300, 700])
        )
    }
    [report] = phase.agents
    assert (report.due_starts, report.late_starts, report.missed_starts) == (110, 1, 2)
    assert (report.start_lag_s, report.start_lag_p99_s) == (0.005, 9e-07)
    assert (report.worker_cpu, report.longest_pause_s) == ((0.5, 0.5), 7e-07)


def test_times_to_first_byte_are_added_up_whether_they_were_written_out_or_not() -> None:
    whole = result_wire([("measured", "get", 0, 20, 200), ("tail", "get", 0, 20, 300)])
    for [wire] in whole["sections"].values():
        wire["ttfb"] = "latency"
    pieces = result_wire([("measured", "get", 0, 20, 500)])
    pieces["sections"]["measured"][0]["ttfb"] = {
        "sum_ns": 40,
        "min_ns": 40,
        "max_ns": 40,
        "index": [40],
        "counts": [1],
    }

    phase = merge_phase("workload", (A, B), [outcome(whole), outcome(pieces, worker=1)])

    assert phase.series == {
        SeriesKey("a1", A, "get", 1): Tally(
            ops=2,
            bytes=40,
            tail_ops=1,
            tail_bytes=20,
            latency=Latency.of([200, 300, 500]),
            ttfb=Latency.of([200, 300, 40]),
        )
    }


def test_errors_count_in_bucket_zero_of_their_operation_and_those_of_the_warmup_apart() -> None:
    errors = [
        error_wire("warmup", "get", 1, 7, "first"),
        error_wire("measured", "get", 1, 2, "second"),
        error_wire("tail", "get", 1, 1, "third"),
    ]

    phase = merge_phase("workload", (A, B), [outcome(result_wire(errors=errors))])

    key = SeriesKey("a1", B, "get", 0)
    assert phase.series == {key: Tally(errors=3)}
    assert phase.warmup == {key: Tally(errors=7)}
    assert phase.errors == (
        ErrorSample("a1", B, "get", "refused", 7, "first", "warmup"),
        ErrorSample("a1", B, "get", "refused", 2, "second", "measured"),
        ErrorSample("a1", B, "get", "refused", 1, "third", "tail"),
    )


def test_errors_of_several_workers_of_an_agent_make_one_sample_with_the_first_text() -> None:
    first = outcome(result_wire(errors=[error_wire("measured", "put", 0, 2, "seen first")]))
    second = outcome(result_wire(errors=[error_wire("measured", "put", 0, 3, "seen later")]), worker=1)

    phase = merge_phase("workload", (A, B), [first, second])

    assert phase.errors == (ErrorSample("a1", A, "put", "refused", 5, "seen first", "measured"),)


def test_workers_of_one_agent_make_one_report() -> None:
    late = result_wire()
    late |= {
        "started_ns": 10 * S - 3_000_000,
        "ended_ns": 18 * S,
        "window_ns": [11 * S, 17 * S],
        "outcome": "gave-up",
        "reason": "too many errors",
        "retries": 2,
        "notes": ["page cache was used"],
    }
    early = result_wire()
    early |= {"started_ns": 10 * S + 1_000_000, "notes": ["page cache was used", "no O_DIRECT"]}
    closer_clock = replace(
        outcome(late, worker=1), clock_offset_ns=480_000, clock_error_ns=10_000, endpoints=(B,)
    )

    phase = merge_phase("workload", (A, B), [outcome(early), closer_clock])

    assert phase.agents == (
        AgentReport(
            agent="a1",
            host="host1",
            python="3.12.1",
            outcome="gave-up",
            reason="too many errors",
            lanes=8,
            window_s=6.0,
            wall_s=8.003,
            start_skew_s=-0.003,
            clock_offset_s=0.00048,
            clock_error_s=0.00001,
            cpu_s=3.0,
            max_rss_bytes=2000,
            retries=2,
            read_sink="discard",
            notes=("page cache was used", "no O_DIRECT"),
            workers=2,
            worker_cpu=(1.5 / 5.999, 1.5 / 8.003),
            endpoints=(A, B),
        ),
    )


def test_agents_stand_in_the_order_of_the_plan() -> None:
    outcomes = [outcome(result_wire(), agent=name) for name in ("z", "a", "m")]

    phase = merge_phase("workload", (A, B), outcomes)

    assert [report.agent for report in phase.agents] == ["z", "a", "m"]


def test_endpoints_are_counted_per_worker() -> None:
    one = replace(outcome(result_wire([("measured", "get", 0, 5, 100)])), endpoints=(A,))
    two = replace(outcome(result_wire([("measured", "get", 0, 5, 100)])), endpoints=(B,))

    phase = merge_phase("workload", (A, B), [one, two])

    assert [(key.endpoint, tally.ops) for key, tally in phase.series.items()] == [(A, 1), (B, 1)]


def test_ticks_are_compared_with_the_result_series_by_series() -> None:
    ticks = (
        tick_wire(0, [("warmup", "get", 0, 5, 400)]),
        tick_wire(1, [("measured", "get", 0, 5, 100), ("warmup", "get", 0, 5, 300)]),
        tick_wire(1, [("tail", "get", 0, 5, 200)], [error_wire("measured", "get", 0, 1)]),
    )
    said: list[Event] = [
        ("warmup", "get", 0, 5, 300),
        ("warmup", "get", 0, 5, 400),
        ("measured", "get", 0, 5, 100),
        ("tail", "get", 0, 5, 200),
    ]
    errors = [error_wire("measured", "get", 0, 1)]

    def ticked(*seen: Event, errors: Iterable[ErrorWire] = errors) -> TickSum:
        return merge_phase("workload", (A, B), [outcome(result_wire(seen, errors), *ticks)]).ticked

    assert ticked(*said) == TickSum(4, 20, 1)
    assert ticked(*said[1:]) == TickSum(4, 20, 1, (f"warmup get of a1 at {A} in 1B-8KiB",))
    assert ticked(*said[:3], ("measured", "get", 0, 5, 200)).differing == (f"get of a1 at {A} in 1B-8KiB",)
    assert ticked(*said[:3], ("tail", "get", 0, 5, 201)).differing == (f"get of a1 at {A} in 1B-8KiB",)
    assert ticked(*said, errors=()).differing == (f"get of a1 at {A} in zero",)
    assert ticked(*said, ("measured", "put", 1, 0, 1)).differing == (f"put of a1 at {B} in zero",)


def test_ticks_of_workers_of_one_agent_are_compared_together() -> None:
    first = outcome(
        result_wire([("measured", "get", 0, 5, 100)]), tick_wire(0, [("measured", "get", 0, 5, 200)])
    )
    second = outcome(
        result_wire([("measured", "get", 0, 5, 200)]),
        tick_wire(0, [("measured", "get", 0, 5, 100)]),
        worker=1,
    )

    assert merge_phase("workload", (A, B), [first, second]).ticked == TickSum(2, 10, 0)


def test_ticks_need_no_more_memory_when_there_are_more_of_them() -> None:
    ticks = Ticks(Reporter("a1", (A, B)))
    event: Event = ("measured", "get", 0, 5, 100)

    def size() -> int:
        return len(pickle.dumps(ticks))

    ticks.add(tick_wire(0, [event], [error_wire("measured", "get", 0, 1, "the first")]))
    ticks.add(tick_wire(100_000, [event], [error_wire("measured", "get", 0, 1_000_000)]))
    before = size()
    for number in range(1, 500):
        ticks.add(tick_wire(number, [event], [error_wire("measured", "get", 0, 1, f"text {number}")]))

    assert size() - before <= 8
    assert (ticks.count, ticks.span(["measured"])) == (501, 100_001)
    assert ticks.errors == [error_wire("measured", "get", 0, 1_000_000 + 500, "the first")]


def test_of_a_lost_worker_the_ticks_are_what_counts() -> None:
    ticks = (
        tick_wire(0, [("warmup", "get", 0, 5, 100)]),
        tick_wire(1, [("measured", "get", 0, 5, 100)]),
        tick_wire(2, [("measured", "get", 0, 5, 200)], [error_wire("measured", "get", 0, 1)]),
    )
    lost = replace(outcome(None, *ticks), lost_reason="no sign of life for 15 s")

    phase = merge_phase("workload", (A, B), [lost])

    assert phase.tally() == Tally(ops=2, bytes=10, errors=1, latency=Latency.of([100, 200]))
    assert phase.errors == (ErrorSample("a1", A, "get", "refused", 1, "refused", "measured"),)
    report = phase.agents[0]
    assert (report.outcome, report.reason) == ("lost", "no sign of life for 15 s")
    assert (report.window_s, report.wall_s) == (2.0, 3.0)


errors = st.lists(
    st.tuples(
        st.sampled_from(SECTIONS), st.sampled_from(["get", "put"]), st.integers(0, 1), st.integers(1, 1000)
    ),
    max_size=4,
)


def _with_schedule(sections: dict[str, list[SeriesWire]]) -> None:
    """Let every operation be due some time before it began, and gets have a first byte."""
    for wires in sections.values():
        for wire in wires:
            later = Latency(
                {index + 7: count for index, count in zip(wire["index"], wire["counts"])},
                wire["sum_ns"] + 7 * wire["count"],
                wire["min_ns"] + 7,
                wire["max_ns"] + 7,
            )
            wire["response"] = {
                "sum_ns": later.sum_ns,
                "min_ns": later.min_ns,
                "max_ns": later.max_ns,
                "index": list(later.counts),
                "counts": list(later.counts.values()),
            }
            wire["ttfb"] = "latency" if wire["op"] == "get" else None


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(events, errors), min_size=1, max_size=6),
    st.integers(min_value=1, max_value=4),
    st.lists(st.integers(0, 3_000_000_000), min_size=6, max_size=6),
)
def test_however_work_is_spread_over_workers_agents_and_ticks_the_sum_is_the_same(
    shares: list[tuple[list[Event], list[tuple[str, str, int, int]]]], agents: int, late_ns: list[int]
) -> None:
    outcomes = []
    for number, (seen, failed) in enumerate(shares):
        result = result_wire(seen, [error_wire(*each) for each in failed])
        # Whoever begins late has the same window: it is that of the order.
        result["started_ns"] += late_ns[number]
        ticks = [tick_wire(second, [event]) for second, event in enumerate(seen)]
        ticks += [tick_wire(second, (), [error_wire(*each)]) for second, each in enumerate(failed)]
        for message in (result, *ticks):
            _with_schedule(message["sections"])
        outcomes.append(outcome(result, *ticks, agent=f"a{number % agents}", worker=number))
    alone = result_wire(
        [event for seen, _ in shares for event in seen],
        [error_wire(*each) for _, failed in shares for each in failed],
    )
    _with_schedule(alone["sections"])

    spread = merge_phase("workload", (A, B), outcomes)
    whole = merge_phase("workload", (A, B), [outcome(alone)])

    assert spread.tally() == whole.tally()
    assert total(spread.warmup.values()) == total(whole.warmup.values())
    for uri in (A, B):
        for op in ("get", "put", "list"):
            for bucket in range(3):
                one, other = (phase.tally(endpoint=uri, ops=[op], bucket=bucket) for phase in (spread, whole))
                assert one == other
                # The parts of a sum are those of its agents.
                assert one == total(
                    spread.tally(endpoint=uri, ops=[op], bucket=bucket, agent=report.agent)
                    for report in spread.agents
                )
    assert (spread.window_s, spread.imbalance) == (whole.window_s, whole.imbalance)
    assert spread.ops_per_s(spread.tally()) == whole.ops_per_s(whole.tally())
    assert spread.bytes_per_s(spread.tally()) == whole.bytes_per_s(whole.tally())
    for part in ("latency", "response", "ttfb"):
        one, other = (getattr(phase.tally(), part) for phase in (spread, whole))
        assert [one.percentile_ns(p) for p in (50, 99, 99.9, 100)] == [
            other.percentile_ns(p) for p in (50, 99, 99.9, 100)
        ]
    found = [
        check for check in check_phase(spread) if check.name.startswith("reconcile") and not check.passed
    ]
    assert found == []


def test_an_unplanned_empty_phase_is_all_zero() -> None:
    phase = merge_phase("cleanup", (), [])

    assert phase == PhaseResult("cleanup", (), (), {})
    assert (phase.window_s, phase.ops_per_s(phase.tally()), phase.imbalance) == (0.0, 0.0, 0.0)
