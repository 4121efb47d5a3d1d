from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.rules import (
    Amount,
    Between,
    Comparison,
    Limit,
    OfBaseline,
    OfMedian,
    Part,
    Rule,
    Window,
    Within,
)
from pytest_sai3bench.thresholds.vocabulary import (
    AGENTS,
    BASED,
    ENDPOINTS,
    METRICS,
    OPERATIONS_OF,
    TOTAL,
    Metric,
)

UNITS = {
    "bytes_per_s": ("B/s", "KiB/s", "MiB/s", "GiB/s", "kB/s", "MB/s", "GB/s"),
    "per_s": ("/s", "ops/s", "k ops/s", "req/s"),
    "seconds": ("ns", "us", "µs", "ms", "s", "min", "h"),
    "percent": ("%",),
    "number": ("",),
}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("get.p99 < 20 ms", "get.p99 < 20 ms"),
        ("  get.p99<20ms ", "get.p99 < 20 ms"),
        ("throughput >= 500MiB/s", "total.throughput >= 500 MiB/s"),
        ("total.throughput > 1.50 GB/s", "total.throughput > 1.50 GB/s"),
        ("get.p99.9 <= 1 s", "get.p999 <= 1 s"),
        ("meta.mean < 3 µs", "meta.mean < 3 µs"),
        ("mkdir.count >= 1,000", "mkdir.count >= 1000"),
        ("rmdir.count >= 2k", "rmdir.count >= 2k"),
        ("ops > 2k ops/s", "total.ops > 2k ops/s"),
        ("ops > 12 000 /s", "total.ops > 12000 /s"),
        ("error_rate <= 0.1%", "total.error_rate <= 0.1%"),
        ("errors == 0", "total.errors == 0"),
        ("endpoint[2].get.max < 3 s", "endpoint[2].get.max < 3 s"),
        ("endpoint[ 2 ].total.max < 3 s", "endpoint[2].max < 3 s"),
        ("endpoint[s3://[::1]:9000/b/].errors == 0", "endpoint[s3://[::1]:9000/b/].errors == 0"),
        ("each(endpoint).get.p99 < 25 ms", "each(endpoint).get.p99 < 25 ms"),
        ("each(agent).cpu < 80 %", "each(agent).cpu < 80%"),
        ("agent[host-a].put.ops >= 10/s", "agent[host-a].put.ops >= 10 /s"),
        ("agent[1].start_skew < 5 ms", "agent[1].start_skew < 5 ms"),
        ("agents.start_skew < 20 ms", "agents.start_skew < 20 ms"),
        ("endpoints.imbalance <= 5%", "endpoints.imbalance <= 5%"),
        ("endpoints.idle == 0", "endpoints.idle == 0"),
        ("get.response.p99.9 < 1 s", "get.response.p999 < 1 s"),
        ("ttfb.p50<5ms", "total.ttfb.p50 < 5 ms"),
        ("each(endpoint).get.ttfb.p99 < 5 ms", "each(endpoint).get.ttfb.p99 < 5 ms"),
        ("get.p50 between 1ms and 2s", "get.p50 between 1 ms and 2 s"),
        ("get.throughput within 5% of 500MiB/s", "get.throughput within 5% of 500 MiB/s"),
        ("each(endpoint).get.throughput>=85 % of median", "each(endpoint).get.throughput >= 85% of median"),
        ("each(agent).p99 <= 1,500 % of  median", "each(agent).p99 <= 1500% of median"),
        ("each(endpoint).put.ops within 10% of median", "each(endpoint).put.ops within 10% of median"),
        ("get.throughput>=95% of baseline", "get.throughput >= 95% of baseline"),
        ("get.p99 within 10 % of baseline( v1.2-rc )", "get.p99 within 10% of baseline(v1.2-rc)"),
        ("put.p95<80ms@each(10s)", "put.p95 < 80 ms @each(10 s)"),
        ("p95 < 80 ms @ last( 1 m )", "total.p95 < 80 ms @last(1 m)"),
        ("get.ops > 2k ops/s @steady", "get.ops > 2k ops/s @steady"),
        ("errors == 0 abort after 5s", "total.errors == 0 abort after 5 s"),
        (
            "error_rate <= 0.1% @each(10s) abort after 1m",
            "total.error_rate <= 0.1% @each(10 s) abort after 1 m",
        ),
        (
            "each(endpoint).p99 <= 150% of median @last(10s) abort after 30s",
            "each(endpoint).p99 <= 150% of median @last(10 s) abort after 30 s",
        ),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


def test_the_rule_behind_a_text() -> None:
    assert parse("endpoint[2].get.p99.9 <= 1,500.5 ms") == Rule(
        scope="get",
        metric=METRICS["p999"],
        comparison=Limit("<=", Amount(Decimal("1500.5"), "ms")),
        part=Part("endpoint", "2"),
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("throughput >= 1 MiB/s", Fraction(1048576)),
        ("throughput >= 1 MB/s", Fraction(1000000)),
        ("p99 < 0.1 ms", Fraction(1, 10_000)),
        ("p99 < 3 ns", Fraction(3, 10**9)),
        ("p99 < 2 m", Fraction(120)),
        ("error_rate < 0.1%", Fraction(1, 1000)),
        ("ops > 2k ops/s", Fraction(2000)),
        ("count >= 2Ki", Fraction(2048)),
    ],
)
def test_limits_are_exact_in_base_units(text: str, value: Fraction) -> None:
    assert parse(text).comparison.bounds == (value,)


def test_within_is_a_share_of_its_centre() -> None:
    assert parse("ops within 5% of 200 /s").comparison.bounds == (Fraction(190), Fraction(210))
    assert parse("ops within 150% of 200 /s").comparison.bounds == (Fraction(0), Fraction(500))


def test_a_share_of_the_median_is_exact() -> None:
    assert parse("each(endpoint).ops >= 85% of median").comparison.bounds == (Fraction(17, 20),)
    assert parse("each(endpoint).ops within 10% of median").comparison.bounds == (
        Fraction(9, 10),
        Fraction(11, 10),
    )


@st.composite
def amounts(draw: st.DrawFn, metric: Metric) -> Amount:
    places = 0 if metric.kind == "number" else 3
    number = draw(st.decimals(0, 10**9, places=places, allow_nan=False))
    return Amount(number, draw(st.sampled_from(UNITS[metric.kind])))


@st.composite
def comparisons(draw: st.DrawFn, metric: Metric) -> Comparison:
    operators = ("<", "<=", ">", ">=", "==") if metric.kind == "number" else ("<", "<=", ">", ">=")
    one, other = draw(amounts(metric)), draw(amounts(metric))
    low, high = sorted((one, other), key=lambda amount: amount.value)
    return draw(
        st.one_of(
            st.sampled_from(operators).map(lambda operator: Limit(operator, one)),
            st.just(Between(low, high)),
            amounts(METRICS["cpu"]).map(lambda share: Within(share, one)),
        )
    )


@st.composite
def shares(draw: st.DrawFn) -> Limit | Within:
    share = draw(amounts(METRICS["cpu"]))
    limits = st.sampled_from(("<", "<=", ">", ">=")).map(lambda operator: Limit(operator, share))
    return draw(limits | st.just(Within(share, Amount(Decimal(100), "%"))))


NAMES_OF_BASELINES = st.none() | st.text("abXY09_.-", min_size=1)
DURATIONS = amounts(METRICS["max"]).filter(lambda amount: amount.value > 0)
WINDOWS = st.just(Window("steady")) | st.builds(Window, st.sampled_from(("each", "last")), DURATIONS)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    metric = draw(st.sampled_from([*METRICS.values(), *BASED["response"].values(), *BASED["ttfb"].values()]))
    comparison = draw(comparisons(metric))
    window = draw(st.none() | WINDOWS) if metric.has_windows else None
    abort_after = draw(st.none() | DURATIONS) if metric.has_windows else None
    name = st.none() | st.sampled_from(("2", "s3://[::1]:9000/b/")) | st.text("abXY09:/._-", min_size=1)
    if metric.home == "endpoints":
        return Rule(ENDPOINTS, metric, comparison, None, window, abort_after)
    if metric.home == "agents":
        return Rule(AGENTS, metric, comparison, draw(st.none() | name.map(lambda text: Part("agent", text))))
    scopes = [
        scope for scope, operations in OPERATIONS_OF.items() if metric.operations.intersection(operations)
    ]
    kinds = st.sampled_from(("endpoint", "agent"))
    if metric.name == "achieved_rate":
        scopes, kinds = [TOTAL], st.just("agent")
    part = draw(st.none() | st.builds(Part, kinds, name))
    if metric.has_median and part and part.name is None and draw(st.booleans()):
        comparison = OfMedian(draw(shares()))
    elif metric.has_baseline and draw(st.booleans()):
        comparison = OfBaseline(draw(shares()), draw(NAMES_OF_BASELINES))
        window = abort_after = None
    return Rule(draw(st.sampled_from(scopes)), metric, comparison, part, window, abort_after)


@given(rules())
def test_the_canonical_text_parses_to_the_same_rule(rule: Rule) -> None:
    assert parse(str(rule)) == rule
