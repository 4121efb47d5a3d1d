from __future__ import annotations

from collections import Counter, deque

from hdrh.histogram import HdrHistogram
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent import hdr
from pytest_sai3bench.agent.buckets import UPPER_BYTES
from pytest_sai3bench.agent.messages import GET, OPERATIONS, PUT
from pytest_sai3bench.agent.recorder import (
    NEVER_NS,
    SECOND_NS,
    Recorder,
    Segment,
    Totals,
    Window,
    series_base,
)

ENDPOINTS = 3
# Where the geometry changes: small values, powers of two, and both ends of the range.
borders = st.builds(
    lambda power, offset: max(0, (1 << power) + offset), st.integers(0, 42), st.integers(-2, 2)
)
latencies = st.one_of(borders, st.integers(0, 2 * hdr.HIGHEST_NS), st.integers(0, 5000))


def record_all(samples: list[int]) -> Totals:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS), done)
    for latency in samples:
        recorder.record(series_base(GET, 0, 1), 1, latency, 0)
    recorder.flush()
    totals = Totals(1)
    for segment in done:
        totals.add(segment)
    return totals


@settings(deadline=None)
@given(st.lists(latencies, min_size=1, max_size=200))
@example([0, 1, 2047, 2048, 2049, 4095, 4096, hdr.HIGHEST_NS, hdr.HIGHEST_NS + 1, 1 << 60])
@example([3, 3, 3])
def test_counts_are_those_of_hdrhistogram_index_by_index(samples: list[int]) -> None:
    histogram = HdrHistogram(hdr.LOWEST_NS, hdr.HIGHEST_NS, hdr.SIGNIFICANT_DIGITS)
    for sample in samples:
        assert histogram.record_value(min(sample, hdr.HIGHEST_NS))
    expected = {
        index: count
        for index in range(histogram.counts_len)
        if (count := histogram.get_count_at_index(index))
    }

    (series,) = record_all(samples).sections_wire()["measured"]

    assert dict(zip(series["index"], series["counts"])) == expected
    assert series["index"] == sorted(series["index"])
    assert series["count"] == len(samples)
    assert (series["sum_ns"], series["min_ns"], series["max_ns"]) == (
        sum(samples),
        min(samples),
        max(samples),
    )


@settings(deadline=None)
@given(latencies)
def test_a_count_stands_for_the_values_of_its_bucket(latency: int) -> None:
    index = hdr.index_of(latency)
    highest = hdr.highest_value_of(index)

    assert min(latency, hdr.HIGHEST_NS) <= highest
    assert hdr.index_of(min(highest, hdr.HIGHEST_NS)) == index
    assert hdr.index_of(highest + 1) == index + 1 or highest >= hdr.HIGHEST_NS


@settings(deadline=None)
@given(st.one_of(st.sampled_from([size + step for size in UPPER_BYTES for step in (0, 1)]), st.integers(0)))
def test_a_series_holds_one_bucket_of_sizes(size: int) -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS), done)
    recorder.record(series_base(PUT, 1, ENDPOINTS), 1, 1, size)
    recorder.flush()
    totals = Totals(ENDPOINTS)
    totals.add(done[0])

    (series,) = totals.sections_wire()["measured"]

    assert (series["op"], series["endpoint"], series["bytes"]) == ("put", 1, size)
    below = [upper for upper in UPPER_BYTES if upper < size]
    assert series["bucket"] == len(below)


happenings = st.lists(
    st.tuples(
        st.integers(0, 800_000_000),  # time since the event before
        st.sampled_from([GET, PUT]),
        st.integers(0, ENDPOINTS - 1),
        st.sampled_from(["", "closed", "http-503"]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(
    events=happenings,
    start=st.sampled_from([0, 17, 5 * SECOND_NS + 1]),
    warmup=st.sampled_from([0, 1, SECOND_NS, 1_700_000_000]),
    length=st.sampled_from([1, SECOND_NS // 3, 2 * SECOND_NS, 2_500_000_001, NEVER_NS]),
)
# An operation at each border, and one right before it.
@example(
    events=[
        (0, GET, 0, ""),
        (SECOND_NS - 1, GET, 0, ""),
        (1, GET, 0, "closed"),
        (SECOND_NS - 1, GET, 0, ""),
        (1, GET, 0, ""),
    ],
    start=0,
    warmup=SECOND_NS,
    length=SECOND_NS,
)
def test_segments_are_cut_at_seconds_and_at_the_borders_of_the_window(
    *, events: list[tuple[int, int, int, str]], start: int, warmup: int, length: int
) -> None:
    window = Window(start, start + warmup, min(NEVER_NS, start + warmup + length))
    done: deque[Segment] = deque()
    recorder = Recorder(window, done)
    expected: dict[tuple[str, int], Counter[tuple[int, int, str]]] = {}
    now = start
    for step, op, endpoint, error in events:
        now += step
        if error:
            recorder.fail(op, endpoint, now, error, f"at {now}")
        else:
            recorder.record(series_base(op, endpoint, ENDPOINTS), now, 5, 0)
        section = "warmup" if now < window.measured_ns else "measured" if now < window.end_ns else "tail"
        place = (section, (now - start) // SECOND_NS)
        expected.setdefault(place, Counter())[op, endpoint, error] += 1
    recorder.flush()
    recorder.flush()

    # One segment for each piece of time in which something happened, in their order.
    assert [(segment.section, segment.tick) for segment in done] == list(expected)
    totals = Totals(ENDPOINTS)
    for segment in done:
        found: Counter[tuple[int, int, str]] = Counter()
        alone = Totals(ENDPOINTS)
        alone.add(segment)
        totals.add(segment)
        for wire in alone.sections_wire().get(segment.section, []):
            found[OPERATIONS.index(wire["op"]), wire["endpoint"], ""] += wire["count"]
        for error_wire in alone.errors_wire():
            key = (OPERATIONS.index(error_wire["op"]), error_wire["endpoint"], error_wire["kind"])
            found[key] += error_wire["count"]
        assert found == expected[segment.section, segment.tick]
    whole = sum(wire["count"] for series in totals.sections_wire().values() for wire in series)
    whole += sum(wire["count"] for wire in totals.errors_wire())
    assert whole == len(events)


def test_a_failure_keeps_the_text_of_the_first() -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS), done)
    for now, text in ((1, "first"), (2, "second"), (SECOND_NS, "third")):
        recorder.fail(PUT, 2, now, "closed", text)
    recorder.flush()
    totals = Totals(ENDPOINTS)
    for segment in done:
        totals.add(segment)

    assert totals.errors_wire() == [
        {"section": "measured", "op": "put", "endpoint": 2, "kind": "closed", "count": 3, "sample": "first"}
    ]


def test_a_roll_hands_over_what_is_finished_and_nothing_else() -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS), done)
    recorder.record(series_base(GET, 0, 1), 10, 1, 0)
    recorder.roll(SECOND_NS - 1)
    assert not done
    recorder.roll(SECOND_NS)
    assert [(segment.section, segment.tick) for segment in done] == [("measured", 0)]
    recorder.roll(2 * SECOND_NS)
    recorder.flush()
    assert len(done) == 1


def test_segments_are_cut_at_seconds_and_at_intervals() -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(100, 100, NEVER_NS, interval_ns=1_500_000_000), done)
    instants_s = (0.0, 0.9, 1.1, 1.4, 1.6, 1.9, 2.5, 3.0, 4.6)
    for instant_s in instants_s:
        recorder.record(series_base(GET, 0, 1), 100 + int(instant_s * SECOND_NS), 1, 0)
    recorder.flush()

    found = [
        (segment.tick, segment.interval, sum(sum(each.counts.values()) for each in segment.series.values()))
        for segment in done
    ]
    assert found == [(0, 0, 2), (1, 0, 2), (1, 1, 2), (2, 1, 1), (3, 2, 1), (4, 3, 1)]


def test_a_recorder_tells_what_it_has_not_handed_over() -> None:
    done: deque[Segment] = deque()
    recorder = Recorder(Window(0, 0, NEVER_NS, interval_ns=SECOND_NS // 2), done)
    before = recorder.held_interval()
    recorder.fail(GET, 0, 3 * SECOND_NS, "refused", "refused")
    holding = recorder.held_interval()
    recorder.roll(4 * SECOND_NS)

    assert (before, holding, recorder.held_interval()) == (None, 6, None)
