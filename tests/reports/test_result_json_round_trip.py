from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench import __version__
from pytest_sai3bench.agent import hdr
from pytest_sai3bench.errors import ResultsError
from pytest_sai3bench.reports.result_json import from_json, to_json, verdicts_from_json
from pytest_sai3bench.results.contacts import Contact, Mount
from pytest_sai3bench.results.interchange import decode
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    Check,
    ErrorSample,
    PhaseResult,
    RunResult,
    SeriesKey,
    Tally,
    TickSum,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.thresholds.verdicts import Verdict

texts = st.text(max_size=8)
counts = st.integers(min_value=0, max_value=2**53)
seconds = st.floats(min_value=-1e6, max_value=1e6)
latencies = st.lists(st.integers(min_value=0, max_value=2 * hdr.HIGHEST_NS), max_size=6).map(Latency.of)
keys = st.builds(SeriesKey, texts, texts, texts, st.integers(min_value=0, max_value=8))
tallies = st.one_of(
    st.builds(Tally, counts, counts, counts, counts, counts, latencies, latencies, latencies),
    # Where each answer came in one piece.
    st.builds(lambda tally: replace(tally, ttfb=tally.latency), st.builds(Tally, counts, latency=latencies)),
)
series = st.dictionaries(keys, tallies, max_size=3)
notes = st.lists(texts, max_size=2).map(tuple)
contacts = st.builds(
    Contact,
    texts,
    counts,
    st.lists(st.tuples(texts, counts), max_size=2).map(tuple),
    notes,
    st.none() | st.builds(Mount, texts, texts, texts, texts, texts),
)
reports = st.builds(
    AgentReport,
    agent=texts,
    host=texts,
    python=texts,
    outcome=texts,
    reason=texts,
    lanes=counts,
    window_s=seconds,
    wall_s=seconds,
    start_skew_s=seconds,
    clock_offset_s=seconds,
    clock_error_s=seconds,
    cpu_s=seconds,
    max_rss_bytes=counts,
    retries=counts,
    read_sink=texts,
    notes=notes,
    workers=counts,
    endpoints=notes,
    contacts=st.lists(contacts, max_size=2).map(tuple),
)
phases = st.builds(
    PhaseResult,
    phase=texts,
    endpoints=notes,
    agents=st.lists(reports, max_size=2).map(tuple),
    series=series,
    warmup=series,
    errors=st.lists(st.builds(ErrorSample, texts, texts, texts, texts, counts, texts, texts), max_size=2).map(
        tuple
    ),
    ticked=st.builds(TickSum, counts, counts, counts, st.lists(texts, max_size=2).map(tuple)),
)
runs = st.builds(
    RunResult,
    suite=texts,
    name=texts,
    run_id=texts,
    status=st.sampled_from(["completed", "failed", "interrupted"]),
    reason=texts,
    started_at=seconds,
    phases=st.lists(phases, max_size=2).map(tuple),
    checks=st.lists(st.builds(Check, texts, st.booleans(), texts, texts), max_size=2).map(tuple),
    notes=notes,
)


@settings(deadline=None)
@given(runs)
def test_a_result_comes_back_from_its_text_unchanged(result: RunResult) -> None:
    text = json.dumps(to_json(result, [], {}))

    assert from_json(json.loads(text)) == result


def test_verdicts_come_back_unchanged(run: RunResult, passed: Verdict, failed: Verdict) -> None:
    verdicts = (passed, failed, replace(failed, location=None, xfail="array firmware 4.2"))

    text = json.dumps(to_json(run, verdicts, {}))

    assert verdicts_from_json(json.loads(text)) == verdicts


def test_whole_document(
    check_gold: Callable[[str, str], None], run: RunResult, passed: Verdict, failed: Verdict
) -> None:
    document = json.loads(json.dumps(to_json(run, [passed, failed], {"agents": ["a1", "a2"]})))
    assert document.pop("generator") == f"pytest-sai3bench {__version__}"
    # Compressed bytes depend on the version of zlib.
    for phase in document["phases"]:
        for series in [*phase["series"], *phase["warmup"]]:
            for one in (series, series["response"], series["ttfb"]):
                if isinstance(one, dict):
                    one["hdr"] = list(decode(one["hdr"], sum_ns=0, min_ns=0, max_ns=0).counts.items())

    check_gold("result.json", json.dumps(document, indent=1) + "\n")


@pytest.mark.parametrize(
    "read",
    [pytest.param(from_json, id="from_json"), pytest.param(verdicts_from_json, id="verdicts_from_json")],
)
@pytest.mark.parametrize("found", [2, None])
def test_another_format_is_refused(read: Callable[[dict[str, Any]], object], found: int | None) -> None:
    with pytest.raises(ResultsError) as caught:
        read({"format": found})

    assert str(caught.value) == (
        f"the result has format {found}, this version of pytest-sai3bench reads format 1\n"
        "Read it with the version that wrote it; its name stands under `generator`."
    )
