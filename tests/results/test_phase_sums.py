from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.results.model import PhaseResult, SeriesKey, Tally, total

_KEYS = st.builds(
    SeriesKey,
    st.sampled_from("ab"),
    st.sampled_from(("one", "two")),
    st.sampled_from(("get", "put")),
    st.integers(0, 1),
    st.sampled_from(("", "whole", "part")),
)
_CRITERIA = st.fixed_dictionaries(
    {
        "ops": st.none() | st.lists(st.sampled_from(("get", "put", "list")), max_size=2),
        "endpoint": st.none() | st.sampled_from(("one", "two", "three")),
        "agent": st.none() | st.sampled_from("abc"),
        "bucket": st.none() | st.integers(0, 2),
        "requests": st.none() | st.booleans(),
    }
)


def _sum(phase: PhaseResult, **criteria: object) -> Tally:
    """Add up what fits, the long way."""
    requests = criteria["requests"]
    if requests is None:
        requests = criteria["endpoint"] is not None
    left_out = "whole" if requests else "part"
    return total(
        tally
        for key, tally in phase.series.items()
        if key.role != left_out
        and (criteria["ops"] is None or key.op in criteria["ops"])  # type: ignore[operator]
        and criteria["endpoint"] in (None, key.endpoint)
        and criteria["agent"] in (None, key.agent)
        and criteria["bucket"] in (None, key.bucket)
    )


@given(
    st.dictionaries(_KEYS, st.builds(Tally, st.integers(0, 9), errors=st.integers(0, 9))), st.lists(_CRITERIA)
)
def test_sums_are_those_of_all_series_that_fit_however_often_they_are_asked_for(
    series: dict[SeriesKey, Tally], asked: list[dict[str, object]]
) -> None:
    phase = PhaseResult("workload", ("one", "two", "three"), (), series)
    for criteria in [*asked, *asked]:
        assert phase.tally(**criteria) == _sum(phase, **criteria)  # type: ignore[arg-type]


def test_a_phase_that_was_changed_knows_nothing_of_old_sums() -> None:
    key = SeriesKey("a", "one", "get", 1)
    phase = PhaseResult("workload", ("one",), (), {key: Tally(5)})
    assert phase.tally(endpoint="one").ops == 5
    assert replace(phase, series={key: Tally(7)}).tally(endpoint="one").ops == 7
    assert phase == PhaseResult("workload", ("one",), (), {key: Tally(5)})
