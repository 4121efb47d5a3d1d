from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import SeriesKey, Tally, total
from pytest_sai3bench.results.sums import Reporter
from pytest_sai3bench.results.timeline import MOST_OPEN, HostCpu, Interval, Timeline

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import ErrorWire, SeriesWire, TickWire

A, B = "file:///a/", "file:///b/"
REPORTERS = {0: Reporter("a1", (A, B)), 1: Reporter("a1", (B,)), 2: Reporter("a2", (B, A))}


def tick(
    interval: int,
    *samples_ns: int,
    section: str = "measured",
    endpoint: int = 0,
    errors: int = 0,
    role: str = "",
) -> TickWire:
    latency = Latency.of(samples_ns)
    series: SeriesWire = {
        "op": "get",
        "endpoint": endpoint,
        "bucket": 1,
        "role": role,
        "count": latency.count,
        "bytes": 10 * latency.count,
        "sum_ns": latency.sum_ns,
        "min_ns": latency.min_ns,
        "max_ns": latency.max_ns,
        "index": list(latency.counts),
        "counts": list(latency.counts.values()),
        "response": None,
        "ttfb": None,
    }
    failures: ErrorWire = {
        "section": section,
        "op": "get",
        "endpoint": endpoint,
        "kind": "refused",
        "count": errors,
        "sample": "refused",
    }
    return {
        "type": "tick",
        "stage": 1,
        "tick": interval // 2,
        "interval": interval,
        "sections": {section: [series]} if samples_ns else {},
        "errors": [failures] if errors else [],
    }


class Scene:
    def __init__(self, workers: int = 2) -> None:
        self.seen: list[Interval] = []
        reporters = {number: REPORTERS[number] for number in range(workers)}
        self.timeline = Timeline(reporters, 0.5, self.seen.append)

    @property
    def ops(self) -> list[int]:
        return [each.tally().ops for each in self.seen]


def test_an_interval_is_over_when_every_worker_says_so() -> None:
    scene = Scene()
    scene.timeline.add(0, tick(0, 100, 300))
    scene.timeline.settle(0, 1)
    scene.timeline.add(1, tick(0, 200, errors=2))
    before = list(scene.seen)
    scene.timeline.settle(1, 1)

    assert before == []
    assert scene.seen == [
        Interval(
            0.0,
            0.5,
            {
                "measured": {
                    SeriesKey("a1", A, "get", 1): Tally(ops=2, bytes=20, latency=Latency.of([100, 300])),
                    SeriesKey("a1", B, "get", 1): Tally(ops=1, bytes=10, latency=Latency.of([200])),
                    SeriesKey("a1", B, "get", 0): Tally(errors=2),
                }
            },
        )
    ]


def test_sections_of_one_interval_can_be_told_apart() -> None:
    scene = Scene(1)
    scene.timeline.add(0, tick(0, 100, section="warmup"))
    scene.timeline.add(0, tick(0, 200, endpoint=1))
    scene.timeline.add(0, tick(0, 300, 400, section="tail"))
    scene.timeline.settle(0, 1)
    [interval] = scene.seen

    assert interval.tally() == Tally(
        ops=2, bytes=20, tail_ops=2, tail_bytes=20, latency=Latency.of([100, 200, 300, 400])
    )
    assert interval.tally(sections=["measured", "tail"], endpoint=A).tail_ops == 2
    assert interval.tally(sections=["measured"], endpoint=B, agent="a1", ops=["get"]).ops == 1
    assert interval.tally(agent="a2") == interval.tally(ops=["put"]) == Tally()


def test_an_operation_of_several_requests_is_one_and_its_requests_are_those_of_endpoints() -> None:
    scene = Scene(1)
    scene.timeline.add(0, tick(0, 900, role="whole"))
    for endpoint in (0, 1):
        scene.timeline.add(0, tick(0, 400, 500, role="part", endpoint=endpoint))
    scene.timeline.settle(0, 1)
    [interval] = scene.seen

    assert interval.tally().latency == Latency.of([900])
    assert [interval.tally(endpoint=uri).ops for uri in (A, B)] == [2, 2]


def test_intervals_without_any_operation_are_told_too() -> None:
    scene = Scene(1)
    scene.timeline.add(0, tick(3, 100))
    scene.timeline.settle(0, 4)

    assert [(each.start_s, each.end_s) for each in scene.seen] == [(0, 0.5), (0.5, 1), (1, 1.5), (1.5, 2)]
    assert scene.ops == [0, 0, 0, 1]


def test_who_is_gone_or_ready_holds_nobody_up() -> None:
    scene = Scene()
    scene.timeline.add(0, tick(2, 100))
    scene.timeline.settle(1)
    before = list(scene.seen)
    scene.timeline.settle(0, 3)
    after = list(scene.ops)
    scene.timeline.settle(0)
    scene.timeline.finish(1.75)

    assert (before, after) == ([], [0, 0, 1])
    # When all have ended, the length of the phase says what is left.
    assert [(each.start_s, each.end_s) for each in scene.seen[3:]] == [(1.5, 1.75)]


def test_the_last_interval_ends_with_the_phase() -> None:
    scene = Scene(1)
    scene.timeline.add(0, tick(0, 100))
    scene.timeline.finish(0.008)

    assert [(each.start_s, each.end_s, each.length_s) for each in scene.seen] == [(0, 0.008, 0.008)]


def test_what_is_told_beyond_the_known_end_is_not_lost() -> None:
    scene = Scene(1)
    scene.timeline.add(0, tick(2, 100))
    scene.timeline.finish(0.25)

    assert [(each.start_s, each.end_s) for each in scene.seen] == [(0, 0.25), (0.5, 1), (1, 1.5)]
    assert scene.ops == [0, 0, 1]


def test_a_worker_that_hangs_holds_up_a_bounded_number_of_intervals() -> None:
    scene = Scene()
    scene.timeline.add(1, tick(0, 100))
    for number in range(1000):
        scene.timeline.add(0, tick(number, 100))
        scene.timeline.settle(0, number + 1)
    told = len(scene.seen)
    # What it says then counts in the earliest that is still open.
    scene.timeline.add(1, tick(1, 100, 100, 100))
    scene.timeline.finish(500)

    assert told == 1000 - 1 - MOST_OPEN
    assert scene.ops == [2, *[1] * (told - 1), 4, *[1] * (1000 - told - 1)]


def test_the_load_of_hosts_is_averaged_within_an_interval_and_stands_until_the_next_look() -> None:
    scene = Scene(1)
    scene.timeline.sample("a1", -0.2, HostCpu(1, 0, 0))
    scene.timeline.sample("a1", 0.6, HostCpu(0.5, 0.25, 0))
    scene.timeline.sample("a1", 0.9, HostCpu(0.75, 0.25, 0.125))
    scene.timeline.sample("a2", 1.1, HostCpu(0.5, 0, 0))
    scene.timeline.finish(1.5)

    mean = HostCpu(0.625, 0.25, 0.0625)
    assert [each.cpu for each in scene.seen] == [{}, {"a1": mean}, {"a1": mean, "a2": HostCpu(0.5, 0, 0)}]


def test_a_look_at_a_host_after_the_end_makes_no_interval() -> None:
    scene = Scene(1)
    scene.timeline.sample("a1", 7.2, HostCpu(1, 0, 0))
    scene.timeline.finish(0.5)

    assert len(scene.seen) == 1


messages = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2),
        st.one_of(
            st.tuples(
                st.just("tick"),
                st.integers(min_value=0, max_value=200),
                st.lists(st.integers(min_value=1, max_value=5000), max_size=3),
                st.sampled_from(["warmup", "measured", "tail"]),
                st.integers(min_value=0, max_value=2),
            ),
            st.tuples(st.just("settled"), st.one_of(st.none(), st.integers(min_value=0, max_value=200))),
        ),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(messages, st.floats(min_value=0, max_value=120))
def test_whatever_workers_say_in_whatever_order_the_intervals_add_up_to_it(
    said: list[tuple[int, tuple[object, ...]]], length_s: float
) -> None:
    """Also when one of them breaks its word and comes late."""
    scene = Scene(3)
    ticks: list[tuple[int, TickWire]] = []
    for worker, (kind, *rest) in said:
        if kind == "tick":
            number, samples, section, errors = rest
            found = tick(number, *samples, section=section, errors=errors)  # type: ignore[arg-type, misc]
            ticks.append((worker, found))
            scene.timeline.add(worker, found)
        elif rest[0] is None:
            scene.timeline.settle(worker)
        else:
            scene.timeline.settle(worker, rest[0])  # type: ignore[arg-type]
    scene.timeline.finish(length_s)

    alone = Scene(3)
    for worker, found in ticks:
        alone.timeline.add(worker, {**found, "interval": 0})
    alone.timeline.finish(0.5)
    for agent in ("a1", "a2"):
        for section in ("warmup", "measured", "tail"):
            parts = [each.tally(agent=agent, sections=[section]) for each in scene.seen]
            assert total(parts) == alone.seen[0].tally(agent=agent, sections=[section])
    # Without gaps, and none twice.
    assert [each.start_s for each in scene.seen] == pytest.approx([0.5 * n for n in range(len(scene.seen))])
    assert all(0 <= each.length_s <= 0.5 for each in scene.seen)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 60), st.integers(1, 5000)), max_size=30),
    st.randoms(),
)
def test_who_keeps_its_word_is_counted_in_its_own_intervals(
    done: list[tuple[int, int, int]], random: object
) -> None:
    scene = Scene(3)
    queues = {worker: sorted(each for each in done if each[0] == worker) for worker in range(3)}
    while any(queues.values()):
        worker = random.choice([worker for worker, queue in queues.items() if queue])  # type: ignore[attr-defined]
        _, number, sample = queues[worker].pop(0)
        scene.timeline.add(worker, tick(number, sample))
        scene.timeline.settle(worker, number)
    scene.timeline.finish(30.5)

    assert scene.ops == [sum(1 for _, number, _ in done if number == each) for each in range(61)]
