from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import FAILED, PLACED, make_balancer
from pytest_sai3bench.agent.failures import Rules, make_rules, speaks_against_endpoint
from pytest_sai3bench.agent.health import LEFT_OUT, NOWHERE, Health
from pytest_sai3bench.agent.messages import GET
from pytest_sai3bench.agent.tasks import ANYWHERE
from pytest_sai3bench.plan import model

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.agent.tasks import Task

MS = 1_000_000
S = 1000 * MS
TASK: Task = (GET, "key", 0, None, ANYWHERE)
LIMIT = 3


class Endpoints:
    """Endpoints under a clock of their own; ``oldest`` is when the oldest operation under way at each began."""

    def __init__(self, count: int, failure: str = "eject", strategy: str = "round_robin") -> None:
        self.now = 0
        self.balancer = make_balancer(strategy, count, 0, threads=False)
        self.health = Health(Rules(failure, LIMIT, 10 * S, S), self.balancer, count, 0)
        self.oldest = [0] * count
        self.moved = [0] * count

    def after(self, seconds: float) -> Endpoints:
        self.now += int(seconds * S)
        return self

    def work(self, *endpoints: int) -> None:
        self.now += 1
        for endpoint in endpoints:
            self.health.worked[endpoint] = self.now

    def fail(self, endpoint: int, times: int = 1, kind: str = "reset") -> None:
        for _ in range(times):
            self.now += 1
            self.health.fail(endpoint, self.now, kind, f"{kind} {endpoint}")

    def look(self) -> None:
        self.now += 1
        self.health.look(self.now, self.oldest, self.moved.__getitem__)

    def look_twice(self) -> None:
        """Look as often as it takes to believe in a silence."""
        self.look()
        self.look()

    def routes(self, count: int, bound: int = ANYWHERE) -> list[int]:
        """Return where so many operations go that end at once."""
        self.now += 1
        routes = [self.health.route((*TASK[:4], bound), self.now) for _ in range(count)]
        for endpoint in routes:
            if endpoint >= 0:
                self.balancer.release(endpoint, FAILED)
        return routes

    def troubled(self) -> bool:
        return self.health.trouble

    def outages(self) -> list[tuple[Any, ...]]:
        return [
            (
                each["endpoint"],
                each["kind"],
                each["reason"],
                each["began_ns"],
                each["ended_ns"],
                each["tries"],
            )
            for each in self.health.outages.to_wire()
        ]


def test_the_rules_of_a_plan_are_in_nanoseconds() -> None:
    rules = model.EndpointRules("eject", 7, 2.5, 0.25)
    assert make_rules(rules.to_wire()) == Rules("eject", 7, 2500 * MS, 250 * MS)


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["refused", "reset", "closed", "timeout", "unreachable", "bad-response", "tls-failed"], True),
        (["http-500", "http-503", "io-error", "stale-handle", "no-folder", "enotconn"], True),
        (["http-404", "http-403", "http-301", "http-429", "missing", "denied", "corrupt", "eisdir"], False),
    ],
)
def test_which_failures_speak_against_an_endpoint(kinds: list[str], *, expected: bool) -> None:
    assert {speaks_against_endpoint(kind) for kind in kinds} == {expected}


def test_failures_in_a_row_eject_and_one_success_between_does_not() -> None:
    ends = Endpoints(3)
    ends.fail(1, 2)
    ends.work(1)
    ends.fail(1, 2)
    ends.fail(1, kind="http-404")
    ends.fail(1, 2)
    assert not ends.troubled()
    ends.fail(1)
    assert ends.troubled()
    assert ends.outages() == [(1, "ejected", "3 failures in a row; the last: reset 1", ends.now, -1, 0)]
    assert ends.routes(4) in ([0, 2, 0, 2], [2, 0, 2, 0])


@pytest.mark.parametrize("failure", ["fail", "continue"])
def test_without_eject_failures_leave_nothing_out(failure: str) -> None:
    ends = Endpoints(2, failure)
    ends.fail(1, 100)
    assert not ends.health.trouble


@pytest.mark.parametrize("strategy", ["round_robin", "least_connections"])
def test_an_ejected_endpoint_gets_one_operation_after_its_time_and_comes_back_with_a_success(
    strategy: str,
) -> None:
    ends = Endpoints(2, strategy=strategy)
    ends.fail(1, LIMIT)
    began = ends.now
    assert set(ends.after(9.9).routes(10)) == {0}
    assert ends.after(0.1).routes(4) == [1, 0, 0, 0]
    ends.look()
    assert ends.troubled()
    ends.work(1)
    ended = ends.now
    ends.look()
    assert ends.outages() == [(1, "ejected", "3 failures in a row; the last: reset 1", began, ended, 0)]
    assert not ends.troubled()
    assert sorted(ends.routes(4)) == [0, 0, 1, 1]


def test_an_attempt_that_fails_ejects_again_and_is_the_same_outage() -> None:
    ends = Endpoints(2)
    ends.fail(1, LIMIT)
    began = ends.now
    for _ in range(2):
        assert ends.after(10).routes(2) == [1, 0]
        ends.fail(1)
    assert set(ends.after(9.9).routes(4)) == {0}
    assert ends.outages()[0][3:] == (began, -1, 2)


def test_what_was_under_way_ends_no_ejection() -> None:
    ends = Endpoints(2)
    ends.fail(1, LIMIT)
    ends.work(1)
    ends.look()
    assert ends.routes(2) == [0, 0]


def test_an_answer_to_the_attempt_is_enough_even_if_it_says_that_there_is_no_such_object() -> None:
    ends = Endpoints(2)
    ends.fail(1, LIMIT)
    assert ends.after(10).routes(1) == [1]
    ends.fail(1, kind="http-404")
    ends.look()
    assert not ends.health.trouble


@pytest.mark.parametrize("failure", ["fail", "continue", "eject"])
def test_a_silent_endpoint_is_left_out_when_another_has_nothing_to_answer(failure: str) -> None:
    ends = Endpoints(3, failure)
    ends.work(0, 1, 2)
    ends.oldest = [0, ends.now, 0]
    ends.after(0.9).look()
    assert not ends.health.trouble
    ends.after(0.2).look()
    began = ends.now
    assert ends.outages() == [(1, "silent", "no answer for 1.1 s", began, -1, 0)]
    assert set(ends.routes(10)) == {0, 2}
    ends.after(3.8).look()
    assert not ends.health.ejected()[1]
    ends.after(0.2).look()
    # Only where it is to be ejected, what is under way is given up.
    assert ends.health.ejected() == [False, failure == "eject", False]
    if failure == "eject":
        assert ends.outages() == [(1, "ejected", "no answer for 5.1 s", began, -1, 0)]


def test_a_silence_is_not_believed_at_first_sight_for_it_may_be_the_client_that_stood_still() -> None:
    ends = Endpoints(2)
    ends.oldest = [1, 0]
    ends.after(60).look()
    assert not ends.troubled()
    ends.work(0)
    ends.oldest = [ends.now, 0]
    ends.look()
    assert not ends.troubled()


def test_endpoints_that_fall_silent_together_stay_in_use() -> None:
    ends = Endpoints(3)
    ends.work(0, 1, 2)
    ends.oldest = [ends.now, ends.now + 100 * MS, ends.now + 200 * MS]
    ends.after(60).look()
    assert not ends.health.trouble


def test_one_that_is_silent_after_another_is_left_out_too() -> None:
    ends = Endpoints(2, "continue")
    ends.oldest = [1, 0]
    ends.after(1.5).look_twice()
    ends.oldest = [1, ends.now]
    ends.after(1.5).look_twice()
    assert [outage[0] for outage in ends.outages()] == [0, 1]
    assert ends.routes(1) == [NOWHERE]


def test_an_endpoint_from_which_bytes_still_come_is_not_silent() -> None:
    ends = Endpoints(2)
    ends.oldest = [1, 0]
    for step in range(40):
        ends.moved[0] = step
        ends.after(0.2).look()
    assert not ends.health.trouble
    # Then nothing comes any more.
    for _ in range(8):
        ends.after(0.2).look()
    assert [outage[0] for outage in ends.outages()] == [0]


def test_a_late_answer_ends_a_silence() -> None:
    ends = Endpoints(2, "continue")
    ends.oldest = [1, 0]
    ends.after(2).look_twice()
    assert ends.health.silent() == [True, False]
    ends.work(0)
    answered = ends.now
    ends.look()
    assert ends.health.silent() == [False, False]
    assert ends.outages()[0][4] == answered


def test_an_endpoint_that_is_slow_by_nature_is_given_twice_the_time_it_took() -> None:
    ends = Endpoints(2)
    # Both are slow, so none is suspected.
    ends.oldest = [1, 1]
    ends.after(3).look()
    ends.work(0, 1)
    ends.oldest = [ends.now, 0]
    ends.look()
    ends.after(5.9).look()
    assert not ends.health.trouble
    ends.after(0.2).look()
    assert ends.outages()[0][2] == "no answer for 6.1 s"


def test_a_single_endpoint_is_never_suspected() -> None:
    ends = Endpoints(1)
    ends.oldest = [1]
    ends.after(100).look()
    assert not ends.health.trouble


def test_a_pause_of_one_endpoint_leaves_the_others_and_ends_by_itself() -> None:
    ends = Endpoints(3, "fail")
    assert ends.health.pause(1, ends.now, ends.now + 5 * S, "many")
    assert not ends.health.pause(1, ends.now, ends.now + 9 * S, "more")
    assert ends.health.wait_until(ends.now) == 0
    assert set(ends.routes(10)) == {0, 2}
    assert set(ends.after(5).routes(6)) == {0, 1, 2}
    assert ends.outages() == [(1, "paused", "many", 0, -1, 0)]
    ends.work(1)
    ends.look()
    assert ends.outages() == [(1, "paused", "many", 0, ends.now - 1, 0)]
    assert not ends.health.trouble


def test_a_burst_of_errors_ejects_where_failing_endpoints_are_ejected() -> None:
    ends = Endpoints(2)
    assert ends.health.pause(1, 0, 99 * S, "many")
    assert ends.outages() == [(1, "ejected", "many", 0, -1, 0)]
    ends.now = 10 * S
    assert ends.routes(3) == [1, 0, 0]


def test_an_attempt_of_which_nothing_is_heard_is_followed_by_another_one() -> None:
    ends = Endpoints(2, "continue")
    ends.oldest = [1, 0]
    ends.after(2).look_twice()
    assert ends.after(10).routes(2) == [0, 1]
    # It has `suspect_after` to answer, and then it is as long as before.
    assert set(ends.after(15.9).routes(4)) == {1}
    assert ends.after(0.1).routes(2) == [0, 1]


def test_lanes_wait_for_the_end_of_the_pause_when_nothing_else_is_in_use() -> None:
    ends = Endpoints(2, "fail")
    ends.health.pause(0, 0, 5 * S, "many")
    ends.health.pause(1, 0, 7 * S, "many")
    assert ends.health.wait_until(1) == 5 * S
    assert ends.routes(1) == [NOWHERE]
    ends.now = 5 * S
    assert ends.health.wait_until(ends.now) == 0
    assert ends.routes(2) == [0, 0]


def test_lanes_look_often_whether_an_ejected_endpoint_works_again() -> None:
    ends = Endpoints(1)
    ends.fail(0, LIMIT)
    assert ends.health.wait_until(ends.now) == ends.now + 50 * MS
    assert ends.after(10).routes(2) == [0, NOWHERE]


@pytest.mark.parametrize(("waits", "route"), [(True, NOWHERE), (False, LEFT_OUT)])
def test_prepare_waits_for_the_end_of_a_pause_rather_than_leave_an_object_out(
    *, waits: bool, route: int
) -> None:
    balancer = make_balancer(PLACED, 2, 0, threads=True)
    health = Health(Rules("fail", LIMIT, 10 * S, S), balancer, 2, 0, waits_for_pauses=waits)
    health.pause(1, 0, 5 * S, "many")

    assert health.route((*TASK[:4], 1), S) == route
    assert health.route((*TASK[:4], 0), S) == 0
    assert health.again_at(S) == S + 50 * MS
    assert health.route((*TASK[:4], 1), 5 * S) == 1


def test_what_hangs_in_a_call_is_not_tried_again_before_it_returns() -> None:
    balancer = make_balancer("round_robin", 2, 0, threads=True)
    health = Health(Rules("continue", LIMIT, 10 * S, S), balancer, 2, 0, calls_block=True)
    for now in (2 * S, 3 * S):
        health.look(now, [1, 0], lambda _endpoint: 0)
    assert {health.route(TASK, 100 * S) for _ in range(4)} == {1}
    # It returns with an error, so the endpoint has to be tried.
    health.fail(0, 101 * S, "io-error", "I/O error")
    health.look(102 * S, [0, 0], lambda _endpoint: 0)
    assert [health.route(TASK, 103 * S) for _ in range(2)] == [0, 1]


def test_what_can_go_nowhere_else_is_left_out_and_the_others_go_on() -> None:
    ends = Endpoints(2)
    ends.fail(1, LIMIT)
    assert ends.routes(2, bound=1) == [LEFT_OUT, LEFT_OUT]
    text = "not sent, the endpoint is left out: ejected: 3 failures in a row; the last: reset 1"
    assert ends.health.why_out(1) == text
    # Only an operation of its own can try it again.
    ends.after(10)
    assert set(ends.routes(1, bound=0)) == {0}
    assert ends.routes(2, bound=1) == [1, LEFT_OUT]


def test_without_any_endpoint_that_works_the_run_is_given_up() -> None:
    ends = Endpoints(2)
    ends.work(0, 1)
    ends.fail(0, LIMIT)
    ends.fail(1, LIMIT)
    for _ in range(2):
        assert ends.after(10).routes(3) == [0, 1, NOWHERE]
        ends.fail(0)
        ends.fail(1)
        ends.look()
    assert ends.health.gave_up == ""
    ends.after(10).look()
    assert ends.health.gave_up == "30 s in which no endpoint worked; the last failure: reset 1"
    assert ends.health.trouble


@pytest.mark.parametrize(("failure", "gives_up"), [("continue", False), ("eject", True)])
def test_only_eject_gives_up_for_time(failure: str, *, gives_up: bool) -> None:
    ends = Endpoints(2, failure)
    ends.oldest = [1, 0]
    ends.after(2).look_twice()
    ends.oldest = [1, 1]
    for _ in range(40):
        ends.after(1).look()
    assert bool(ends.health.gave_up) is gives_up


def test_the_first_thousand_outages_are_kept_and_the_others_counted() -> None:
    ends = Endpoints(1, "fail")
    for _ in range(1003):
        ends.health.pause(0, ends.now, ends.now + S, "many")
        ends.after(1).routes(1)
        ends.work(0)
        ends.look()
    assert len(ends.outages()) == 1000
    assert ends.health.outages.uncounted == 3


_ACTS: dict[str, Callable[[Endpoints, int], object]] = {
    "work": lambda ends, endpoint: ends.work(endpoint),
    "fail": lambda ends, endpoint: ends.fail(endpoint, LIMIT),
    "fail once": lambda ends, endpoint: ends.fail(endpoint),
    "missing": lambda ends, endpoint: ends.fail(endpoint, kind="http-404"),
    "time out": lambda ends, endpoint: ends.fail(endpoint, kind="timeout"),
    "pause": lambda ends, endpoint: ends.health.pause(endpoint, ends.now, ends.now + 3 * S, "many"),
    "wait": lambda ends, _: ends.after(1),
    "wait long": lambda ends, _: ends.after(10),
    "begin": lambda ends, endpoint: ends.oldest.__setitem__(endpoint, ends.now),
    "end": lambda ends, endpoint: ends.oldest.__setitem__(endpoint, 0),
    "look": lambda ends, _: ends.look(),
    "route": lambda ends, _: ends.routes(3),
}


@settings(deadline=None)
@given(
    count=st.integers(1, 4),
    failure=st.sampled_from(["fail", "continue", "eject"]),
    strategy=st.sampled_from(["round_robin", "least_connections"]),
    acts=st.lists(st.tuples(st.sampled_from(sorted(_ACTS)), st.integers(0, 3)), max_size=60),
)
def test_whatever_happens_only_endpoints_in_use_are_chosen_and_outages_follow_each_other(
    count: int, failure: str, strategy: str, acts: list[tuple[str, int]]
) -> None:
    ends = Endpoints(count, failure, strategy)
    health = ends.health
    for act, endpoint in acts:
        _ACTS[act](ends, endpoint % count)

        out = {place for place, state in enumerate(health._states) if state.out}
        assert health.trouble or not out
        assert bool(health.hold_until_ns) is (len(out) == count)
        if len(out) < count:
            chosen = [ends.balancer.acquire(TASK) for _ in range(2 * count)]
            assert not out.intersection(chosen)
            for each in chosen:
                ends.balancer.release(each, FAILED)
    for endpoint in range(count):
        mine = [outage for outage in ends.outages() if outage[0] == endpoint]
        assert all(after[3] >= before[4] > before[3] for before, after in zip(mine, mine[1:]))
