"""What a user reads about a rule that is wrong, word by word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.thresholds.grammar import parse
from pytest_sai3bench.thresholds.rules import RuleError

METRICS = (
    "a metric is one of throughput, ops, count, errors, error_rate, mean, p50, p90, p95, p99, p999, max, "
    "achieved_rate, imbalance, idle, start_skew, cpu"
)
SCOPES = (
    "a scope is one of total, meta, get, put, list, stat, delete, mkdir, rmdir, endpoints, agents, "
    "endpoint[...], agent[...]"
)
_EACH = "write each(endpoint).get.p99 or each(agent).get.p99"
WINDOWS = "write @each(10s) or @last(60s)"
COMPARISONS = "write < <= > >= ==, between A and B, or within X% of V"


def message_of(text: str) -> str:
    with pytest.raises(RuleError) as caught:
        parse(text)
    assert caught.value.text == text
    assert str(caught.value) == f"col {caught.value.column}: {caught.value.message}"
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get.p98 < 20 ms", "col 5: 'p98' is not a metric; did you mean 'p95' or 'p99'?"),
        ("get.p100 < 20 ms", "col 5: 'p100' is not a metric; did you mean 'p999' or 'max'?"),
        ("get.p1 < 20 ms", "col 5: 'p1' is not a metric; did you mean 'p50'?"),
        ("get.troughput > 5 MB/s", "col 5: 'troughput' is not a metric; did you mean 'throughput'?"),
        ("avg < 20 ms", "col 1: 'avg' is not a metric; did you mean 'mean'?"),
        ("get.min < 20 ms", f"col 5: 'min' is not a metric; {METRICS}"),
        ("get < 20 ms", "col 1: a metric is missing after 'get': write get.p99"),
        ("endpoint[2] < 20 ms", "col 1: a metric is missing after 'endpoint[2]': write endpoint[2].p99"),
        ("each(agent) < 20 ms", "col 1: a metric is missing after 'each(agent)': write each(agent).p99"),
        (
            "endpoints < 5%",
            "col 1: a metric is missing after 'endpoints': write endpoints.imbalance or endpoints.idle",
        ),
        ("get.p99(3) < 20 ms", "col 5: 'p99(3)' has brackets too many: write p99"),
        (
            "get.ttfb < 20 ms",
            "col 5: a metric is missing after 'ttfb': write ttfb.mean, ttfb.p50, ttfb.p90, ttfb.p95, ttfb.p99, ttfb.p999 or ttfb.max",
        ),
        (
            "ttfb.ops > 5 /s",
            "col 1: 'ttfb' stands before latencies only: write ttfb.mean, p50, p90, p95, p99, p999 or max",
        ),
        ("put.ttfb.p99 < 20 ms", "col 1: only gets have a time to first byte: write get.ttfb.p99"),
        (
            "endpoint[1].meta.ttfb.p99 < 20 ms",
            "col 13: only gets have a time to first byte: write get.ttfb.p99",
        ),
    ],
)
def test_metric(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gett.p99 < 20 ms", "col 1: 'gett' is not a scope; did you mean 'get'?"),
        (" GET.p99 < 20 ms", "col 2: 'GET' is not a scope; did you mean 'get'?"),
        ("bucket.p99 < 20 ms", f"col 1: 'bucket' is not a scope; {SCOPES}"),
        ("get[1].p99 < 20 ms", "col 1: 'get[1]' has brackets too many: write get.p99"),
        ("get.latency.p99 < 20 ms", "col 5: 'latency' does not belong here: write get.p99"),
        (
            "endpoint[1].get.put.p99 < 20 ms",
            "col 17: 'put' does not belong here: write endpoint[1].get.p99",
        ),
        (
            "endpoint.p99 < 20 ms",
            "col 1: 'endpoint' does not say which: write endpoint[1], endpoint[URI] or each(endpoint)",
        ),
        (
            "agent[].p99 < 20 ms",
            "col 1: 'agent[]' does not say which: write agent[1], agent[id] or each(agent)",
        ),
        ("each(host).p99 < 20 ms", "col 1: 'each(host)' is not known: write each(endpoint) or each(agent)"),
        (
            "each(endpoint).endpoint[2].p99 < 20 ms",
            "col 16: 'endpoint[2]' cannot follow each(endpoint): write each(endpoint).p99",
        ),
        ("endpoint[2.p99 < 20 ms", "col 9: '[' is never closed: ']' is missing"),
        (
            "get.9 < 20 ms",
            "col 5: '9 < 20 ms' does not start a scope or metric: write for example get.p99 < 20 ms",
        ),
        ("get.", "col 5: the rule ends before a scope or metric: write for example get.p99 < 20 ms"),
        ("", "col 1: the rule is empty: write for example get.p99 < 20 ms"),
    ],
)
def test_scope(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "endpoints.p99 < 20 ms",
            "col 1: 'endpoints' has imbalance and idle only: for the p99 of every endpoint write each(endpoint).p99",
        ),
        (
            "agents.errors == 0",
            "col 1: 'agents' has start_skew and cpu only: for the errors of every agent write each(agent).errors",
        ),
        ("get.imbalance < 5%", "col 1: imbalance belongs to the set of endpoints: write endpoints.imbalance"),
        ("idle == 0", "col 1: idle belongs to the set of endpoints: write endpoints.idle"),
        (
            "agent[1].get.cpu < 80%",
            "col 10: cpu belongs to agents: write agents.cpu, agent[1].cpu or each(agent).cpu",
        ),
        ("meta.throughput > 5 MB/s", "col 1: meta moves no bytes: throughput belongs to total, get and put"),
    ],
)
def test_metric_of_another_scope(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get.p99", "col 8: a comparison is missing: write get.p99 < 20 ms"),
        ("each(endpoint).errors", "col 22: a comparison is missing: write each(endpoint).errors == 0"),
        ("get.p99 => 20 ms", "col 9: '=>' is not a comparison; did you mean '>='?"),
        ("errors = 0", "col 8: '=' is not a comparison; did you mean '=='?"),
        ("errors != 0", f"col 8: '!=' is not a comparison; {COMPARISONS}"),
        ("get.p99 below 20 ms", f"col 9: 'below 20 ms' is not a comparison; {COMPARISONS}"),
        (
            "get.p99 == 20 ms",
            f"col 9: == asks for exact equality, which fits counts only: {COMPARISONS.replace(' ==', '')}",
        ),
        (
            "ops between 20 /s and 10 /s",
            "col 5: the smaller value comes first: write between 10 /s and 20 /s",
        ),
        ("ops between 20 /s", "col 18: 'and' is missing: write between 20 /s and a second value"),
        ("ops within 5 of 20 /s", "col 12: a share needs a unit: write 5%"),
        ("ops within 5% 20 /s", "col 15: 'of' is missing: write within 5% of a value"),
        (
            "ops within a few of 20 /s",
            "col 12: 'a few of 20 /s' is not a number: write for example ops within 5% of a value",
        ),
        ("get.p99 < 20 ms please", "col 17: unexpected 'please': the rule is complete before it"),
    ],
)
def test_comparison(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get.p99 < 20", "col 11: a time needs a unit: write 20 ms or 20 s"),
        ("throughput > 20", "col 14: a throughput needs a unit: write 20 MiB/s or 20 MB/s"),
        ("ops > 20", "col 7: a rate needs a unit: write 20 /s or 20 ops/s"),
        ("error_rate < 1", "col 14: a share needs a unit: write 1%"),
        ("get.p99 < 20 MiB/s", "col 14: 'MiB/s' is not a unit of time: write 20 ms or 20 s"),
        ("get.p99 < 1e6 ms", "col 12: 'e6' is not a unit of time: write 1 ms or 1 s"),
        ("throughput > 5 MiB", "col 16: 'MiB' is not a unit of throughput: write 5 MiB/s or 5 MB/s"),
        ("throughput > 5 kb/s", "col 16: 'kb/s' is not a unit of throughput: write 5 MiB/s or 5 MB/s"),
        ("errors <= 5%", "col 12: a count has no unit: write 5"),
        ("errors <= 0.5", "col 11: a count is a whole number, not 0.5"),
        ("get.p99 <", "col 10: the limit is missing: write for example p99 < 20 ms"),
        ("get.p99 < -5 ms", "col 11: '-5 ms' is not a number: write for example p99 < 20 ms"),
        ("get.p99 < 1,5 ms", "col 11: '1,5' is not a number: write 1500, 1,500 or 1.5"),
    ],
)
def test_amount(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "get.response.throughput > 5 MiB/s",
            "col 5: 'response' stands before latencies only: write response.mean, p50, p90, p95, p99, p999 or max",
        ),
        (
            "get.achieved_rate > 95%",
            "col 1: a rate is one of all operations: write total.achieved_rate or each(agent).achieved_rate",
        ),
        (
            "endpoint[1].achieved_rate > 95%",
            "col 13: a rate is one of all operations: write total.achieved_rate or each(agent).achieved_rate",
        ),
    ],
)
def test_a_rate_is_one_of_all_operations(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("get.p99 < 20 ms @every(10s)", f"col 17: '@every' is not a window; {WINDOWS}"),
        ("get.p99 < 20 ms @", f"col 17: '@' is not a window; {WINDOWS}"),
        (
            "get.p99@each(10s) < 5 ms",
            "col 8: a window stands at the end, behind the comparison: write get.p99 < 5 ms @each(10s)",
        ),
        (
            "errors @last(60s) == 0 abort after 10s",
            "col 8: a window stands at the end, behind the comparison: write errors == 0 @last(60s) abort after 10s",
        ),
        (
            "get.ops @each(10s) >= 95% of baseline",
            "col 9: a window stands at the end, behind the comparison: write get.ops >= 1000 ops/s @each(10s)",
        ),
        ("get.p99@every(10s) < 5 ms", f"col 8: '@every' is not a window; {WINDOWS}"),
        ("agents.cpu@each(10s) < 80%", "col 11: cpu is known of the whole run only: remove '@each'"),
        ("get.p99 < 20 ms @each", "col 22: how long is missing after '@each': write @each(10s)"),
        ("get.p99 < 20 ms @last(", "col 23: the limit is missing: write for example @last(10s)"),
        ("get.p99 < 20 ms @last(60)", "col 23: a time needs a unit: write 60 ms or 60 s"),
        ("get.p99 < 20 ms @last(60s", "col 26: ')' is missing: write @last(60 s)"),
        ("get.p99 < 20 ms @each(0s)", "col 23: the time is above 0: write for example @each(10s)"),
        ("get.p99 < 20 ms @steady(10s)", "col 24: unexpected '(10s)': the rule is complete before it"),
        ("agents.cpu < 80% @each(10s)", "col 18: cpu is known of the whole run only: remove '@each'"),
        (
            "achieved_rate > 95% @each(10s)",
            "col 21: achieved_rate is known of the whole run only: remove '@each'",
        ),
        ("errors == 0 abort", "col 18: 'after' is missing: write abort after 10s"),
        ("errors == 0 abort after", "col 24: the limit is missing: write for example abort after 10s"),
        ("errors == 0 abort after 5", "col 25: a time needs a unit: write 5 ms or 5 s"),
        (
            "agents.start_skew < 20 ms abort after 5s",
            "col 27: start_skew is known when the run is over: remove 'abort after'",
        ),
        (
            "errors == 0 abort after 5s @each(10s)",
            "col 28: unexpected '@each(10s)': the rule is complete before it",
        ),
        (
            "get.ops >= 95% of baseline @each(10s)",
            "col 28: a baseline is that of the whole measured time: remove '@each'",
        ),
        (
            "get.ops >= 95% of baseline abort after 5s",
            "col 28: a run is compared with a baseline when it is over: remove 'abort after'",
        ),
        (
            "get.ops >= 95% of baseline()",
            "col 27: the name of a baseline has letters, digits and _.-: write baseline(main)",
        ),
        (
            "get.ops >= 95% of baseline(a/b)",
            "col 27: the name of a baseline has letters, digits and _.-: write baseline(main)",
        ),
        (
            "get.ops >= 95% of baseline(main",
            "col 27: the name of a baseline has letters, digits and _.-: write baseline(main)",
        ),
        (
            "get.count == 95% of baseline",
            "col 11: a share of the baseline is hardly ever exact: write <, <=, > or >=",
        ),
        ("errors <= 150% of baseline", "col 11: errors is not compared with a baseline: write a fixed limit"),
        (
            "get.throughput >= 95% of baselin",
            "col 26: 'of' is followed by median or baseline, not 'baselin'; did you mean 'baseline'?",
        ),
        (
            "get.p99 within 5% of medain @last(60s)",
            "col 22: 'of' is followed by an amount, median or baseline, not 'medain'; did you mean 'median'?",
        ),
        (
            "error_rate <= 150% of yesterday",
            "col 23: 'of' is followed by median or baseline, not 'yesterday'",
        ),
        (
            "get.throughput >= 95% of",
            "col 25: 'of' is followed by median or baseline: write 95% of baseline",
        ),
        (
            "get.throughput >= 95% of 500 MiB/s",
            "col 26: 'of' is followed by median or baseline: write 95% of baseline",
        ),
        (
            "get.p99 < baseline",
            "col 11: 'baseline' does not say how much of it: write for example 85% of baseline",
        ),
        (
            "get.p99 < 1.2 * baseline(main)",
            "col 15: '* baseline(main)' does not say how much of it: write for example 85% of baseline(main)",
        ),
    ],
)
def test_windows_aborts_and_baselines(text: str, message: str) -> None:
    assert message_of(text) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "get.p99 < 95% of median",
            f"col 11: the median is that of all endpoints or agents: {_EACH}",
        ),
        (
            "endpoint[2].p99 < 95% of median",
            "col 19: the median is that of all endpoints or agents: write each(endpoint).p99 or each(agent).p99",
        ),
        (
            "agent[a.b].get.p99 within 5% of median",
            f"col 20: the median is that of all endpoints or agents: {_EACH}",
        ),
        (
            "each(endpoint).errors <= 150% of median",
            "col 26: errors is not compared with a median: write a fixed limit",
        ),
        (
            "each(agent).cpu <= 150% of median",
            "col 20: cpu is not compared with a median: write a fixed limit",
        ),
        (
            "each(endpoint).count == 100% of median",
            "col 22: a share of the median is hardly ever exact: write <, <=, > or >=",
        ),
        (
            "each(endpoint).get.throughput >= 0.85 * median",
            "col 39: '* median' does not say how much of it: write for example 85% of median",
        ),
        (
            "each(endpoint).get.p99 < median",
            "col 26: 'median' does not say how much of it: write for example 85% of median",
        ),
        (
            "each(endpoint).get.p99 < 2x of median",
            "col 27: 'x' is not a unit of time: write 2 ms or 2 s",
        ),
    ],
)
def test_a_median_is_that_of_parts_that_can_be_compared(text: str, message: str) -> None:
    assert message_of(text) == message


@given(
    st.text()
    | st.lists(
        st.sampled_from(
            ["get", ".", "p99", "endpoint[", "]", "each(", ")", "<", "between", "within", "of", "and"]
        )
        | st.sampled_from(
            ["20", "1,5", "ms", "%", " ", "MiB/s", "@", "baseline", "median", "total", "errors", "endpoints"]
        )
    ).map("".join)
)
def test_any_text_is_a_rule_or_an_error_inside_the_text(text: str) -> None:
    column = 1
    try:
        canonical = str(parse(text))
    except RuleError as error:
        column = error.column
    else:
        assert str(parse(canonical)) == canonical
    assert 1 <= column <= len(text) + 1
