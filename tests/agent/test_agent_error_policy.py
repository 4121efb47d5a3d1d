from __future__ import annotations

import threading
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.balance import make_balancer
from pytest_sai3bench.agent.failures import Rules
from pytest_sai3bench.agent.health import Health
from pytest_sai3bench.agent.policy import ErrorPolicy
from pytest_sai3bench.plan import model

S = 1_000_000_000


def make_policy(
    forgiven: frozenset[str] = frozenset(), endpoints: int = 1, failure: str = "fail", **rules: Any
) -> tuple[ErrorPolicy, Health]:
    quiet = {"max_total_errors": 1 << 30, "error_rate_threshold": 1e9, **rules}
    balancer = make_balancer("round_robin", endpoints, 0, threads=True)
    health = Health(Rules(failure, 1 << 30, S, S), balancer, endpoints, 0)
    return ErrorPolicy(model.ErrorPolicy(**quiet).to_wire(), Random(3), health, forgiven=forgiven), health


def test_it_gives_up_at_the_total_and_keeps_the_first_reason() -> None:
    policy, health = make_policy(max_total_errors=3)
    for number in range(5):
        policy.failed(0, number, 0, ("reset", f"error {number}"))
        assert bool(health.gave_up) is (number >= 2)
    assert health.gave_up == "3 errors (error_handling.max_total_errors); the last: error 2"
    assert policy.total == 5


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([0, 1, S // 4, S // 2, S, 7 * S // 4, 2 * S, 2 * S + 1]), max_size=40),
    st.sampled_from([1.0, 3.0, 5.0, 7.5]),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_a_pause_begins_when_the_rate_within_the_window_is_reached(
    steps: list[int], threshold: float, window_s: float
) -> None:
    policy, health = make_policy(error_rate_threshold=threshold, error_rate_window_s=window_s, backoff_s=1.5)
    now, recent, hold = 0, list[int](), 0
    for step in steps:
        now += step
        policy.failed(0, now, 0, ("reset", ""))
        recent = [instant for instant in [*recent, now] if instant >= now - window_s * S]
        if len(recent) / window_s >= threshold and now >= hold:
            hold = now + 3 * S // 2
            recent = []
        assert health.hold_until_ns == hold


def test_without_retries_no_operation_is_tried_again() -> None:
    policy, _ = make_policy(retry_on_error=False, max_retries=3)
    assert policy.failed(0, 0, 0, ("reset", "")) == -1
    assert policy.retries == 0


@settings(deadline=None)
@given(st.integers(0, 6), st.sampled_from([0.0, 0.25, 1.0]), st.sampled_from([1.0, 2.0, 3.0]))
def test_delays_grow_within_their_jitter_up_to_the_longest(
    attempt: int, jitter: float, multiplier: float
) -> None:
    policy, _ = make_policy(
        retry_on_error=True,
        max_retries=6,
        initial_retry_delay_s=0.1,
        max_retry_delay_s=2.0,
        retry_backoff_multiplier=multiplier,
        retry_jitter_factor=jitter,
    )
    delay = policy.failed(0, 0, attempt, ("reset", ""))
    if attempt == 6:
        assert (delay, policy.retries) == (-1, 0)
        return
    middle = 0.1 * multiplier**attempt * S
    assert min(middle * (1 - jitter), 2 * S) - 1 <= delay <= min(middle * (1 + jitter), 2 * S) + 1
    assert policy.retries == 1


def test_jitter_spreads_the_delays() -> None:
    policy, _ = make_policy(retry_on_error=True, retry_jitter_factor=0.25)
    delays = [policy.failed(0, 0, 0, ("reset", "")) for _ in range(1000)]
    assert 0.075 * S <= min(delays) < 0.08 * S
    assert 0.12 * S < max(delays) <= 0.125 * S


def test_after_giving_up_nothing_is_tried_again() -> None:
    policy, _ = make_policy(retry_on_error=True, max_total_errors=1)
    assert policy.failed(0, 0, 0, ("reset", "")) == -1


def test_a_retry_waits_for_the_end_of_a_pause() -> None:
    policy, _ = make_policy(retry_on_error=True, error_rate_threshold=1.0, backoff_s=5.0)
    assert policy.failed(0, 7 * S, 0, ("reset", "")) == 5 * S
    assert 0.07 * S < policy.failed(0, 12 * S - 1, 0, ("reset", "")) < 0.13 * S


@pytest.mark.parametrize(
    ("forgiven", "kinds"),
    [
        ((), []),
        (("missing", "http-404"), ["missing", "http-404"]),
        (("*",), ["missing", "http-404", "denied"]),
    ],
)
def test_what_is_forgiven(forgiven: tuple[str, ...], kinds: list[str]) -> None:
    policy, _ = make_policy(frozenset(forgiven))
    assert [kind for kind in ("missing", "http-404", "denied") if policy.forgives(kind)] == kinds


def test_threads_lose_no_failure() -> None:
    policy, _ = make_policy(retry_on_error=True)

    def work() -> None:
        for _ in range(1000):
            policy.failed(0, 0, 0, ("reset", ""))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (policy.total, policy.retries) == (8000, 8000)


@settings(deadline=None)
@given(asked=st.integers(0, 100 * S), retries=st.booleans(), burst=st.booleans())
def test_what_a_server_asks_for_is_the_least_up_to_a_minute(
    *, asked: int, retries: bool, burst: bool
) -> None:
    policy, health = make_policy(
        retry_on_error=retries,
        retry_jitter_factor=0.0,
        error_rate_threshold=1.0 if burst else 1e9,
        backoff_s=2.0,
    )
    granted = min(asked, 60 * S) if retries else 0

    delay = policy.failed(0, 7 * S, 0, ("reset", ""), asked)

    pause = max(2 * S, granted) if burst else 0
    assert health.hold_until_ns == (7 * S + pause if burst else 0)
    assert delay == (max(S // 10, granted, pause) if retries else -1)
