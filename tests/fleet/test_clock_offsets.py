from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.fleet.clocks import ClockOffset, ClockSample, estimate_offset, lead_ns

_instants = st.integers(0, 10**18)
_delays = st.integers(0, 10**9)


@given(
    offset_ns=st.integers(-(10**18), 10**18),
    trips=st.lists(st.tuples(_instants, _delays, _delays), min_size=1, max_size=20),
)
def test_the_true_offset_lies_within_the_error(offset_ns: int, trips: list[tuple[int, int, int]]) -> None:
    samples = [
        ClockSample(sent, sent + there + offset_ns, sent + there + back) for sent, there, back in trips
    ]
    estimate = estimate_offset(samples)

    assert abs(estimate.offset_ns - offset_ns) <= estimate.error_ns
    assert estimate.error_ns == (min(there + back for _, there, back in trips) + 1) // 2


def test_instants_are_translated_to_the_clock_of_the_agent() -> None:
    assert ClockOffset(offset_ns=-250, error_ns=3).to_agent(1000) == 750


def test_a_start_is_ordered_earlier_for_many_agents_and_for_distant_ones() -> None:
    ms = 1_000_000
    near, far = ClockOffset(0, ms // 2), ClockOffset(5, 150 * ms)

    assert lead_ns([near]) == (200 + 1 + 2) * ms
    assert lead_ns([near, far, near]) == (200 + 3 + 600) * ms
