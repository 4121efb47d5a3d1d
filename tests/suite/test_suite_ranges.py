"""Ranges of endpoints: what they stand for, and what is wrong with one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.suite.ranges import MOST_ENDPOINTS, expand_ranges


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("s3://192.168.1.[9-11]:9000/b/", [f"s3://192.168.1.{n}:9000/b/" for n in (9, 10, 11)]),
        ("s3://host{1...4}:9000/b/", [f"s3://host{n}:9000/b/" for n in (1, 2, 3, 4)]),
        ("s3://node[08-10]/b/", ["s3://node08/b/", "s3://node09/b/", "s3://node10/b/"]),
        ("file:///mnt/{01...03}/", ["file:///mnt/01/", "file:///mnt/02/", "file:///mnt/03/"]),
        ("h[1,3,5-7]", ["h1", "h3", "h5", "h6", "h7"]),
        ("h[01,10]", ["h01", "h10"]),
        ("h[3,1]", ["h3", "h1"]),
        ("h[0-2]", ["h0", "h1", "h2"]),
        ("h[4-4]", ["h4"]),
        ("h{4...4}", ["h4"]),
        ("h[1-2]:900[0-1]/b/", ["h1:9000/b/", "h1:9001/b/", "h2:9000/b/", "h2:9001/b/"]),
        ("rack{1...2}-node[1,2]", ["rack1-node1", "rack1-node2", "rack2-node1", "rack2-node2"]),
        ("s3://[2001:db8::[10-11]]:9000/b/", ["s3://[2001:db8::10]:9000/b/", "s3://[2001:db8::11]:9000/b/"]),
    ],
)
def test_a_range_stands_for_several_texts(text: str, expanded: list[str]) -> None:
    assert list(expand_ranges(text)) == expanded


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3://10.0.0.1:9000/b/",
        "s3://[::1]:9000/b/",
        "s3://[2001:db8::1]:9000/b/",
        "s3://[fe80::1-2]:9000/b/",
        "file:///a[1]/",
        "file:///a[b-c]/",
        "file:///a[]{}/",
        "file:///a{id}/",
        "file:///a{1,2}/",
        "file:///a.[b/",
        "file:///a]1-2[/",
        "file:///a...b/",
    ],
)
def test_any_other_bracket_is_text(text: str) -> None:
    assert expand_ranges(text) == (text,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("h[4-1]", "'h[4-1]': the range '[4-1]' goes down: expected the smaller number first"),
        ("h{4...1}", "'h{4...1}': the range '{4...1}' goes down: expected the smaller number first"),
        ("h[1-4", "'h[1-4': the range '[1-4' is not closed: expected ']' after its numbers"),
        (
            "h[1-2].x[3-4:9/b/",
            "'h[1-2].x[3-4:9/b/': the range '[3-4:9/b/' is not closed: expected ']' after its numbers",
        ),
        ("h{1...4/b/", "'h{1...4/b/': the range '{1...4/b/' is not closed: expected '}' after its numbers"),
        ("h[1-]", "'h[1-]': '[1-]' is no range: expected numbers, as in [1-4] or [1,3,5-7]"),
        ("h[-]", "'h[-]': '[-]' is no range: expected numbers, as in [1-4] or [1,3,5-7]"),
        ("h[1,,2]", "'h[1,,2]': '[1,,2]' is no range: expected numbers, as in [1-4] or [1,3,5-7]"),
        ("h[1-2-3]", "'h[1-2-3]': '[1-2-3]' is no range: expected numbers, as in [1-4] or [1,3,5-7]"),
        (
            "h[1-9999999999]",
            "'h[1-9999999999]': '[1-9999999999]' is no range: expected numbers, as in [1-4] or [1,3,5-7]",
        ),
        ("h{1..4}", "'h{1..4}': '{1..4}' is no range: expected numbers and three dots, as in {1...4}"),
        ("h{1....4}", "'h{1....4}': '{1....4}' is no range: expected numbers and three dots, as in {1...4}"),
        ("h{a...f}", "'h{a...f}': '{a...f}' is no range: expected numbers and three dots, as in {1...4}"),
        ("h{...4}", "'h{...4}': '{...4}' is no range: expected numbers and three dots, as in {1...4}"),
        (
            "h[01-8]",
            "'h[01-8]': 01 and 8 in '[01-8]' are padded differently: expected as many digits in both",
        ),
        (
            "h[8-010]",
            "'h[8-010]': 8 and 010 in '[8-010]' are padded differently: expected as many digits in both",
        ),
        ("h[1-3,2]", "'h[1-3,2]': '[1-3,2]' names a number twice: expected each one once"),
        ("h[1-257]", "'h[1-257]' stands for 257 endpoints: expected at most 256"),
        ("h[1-20].{1...20}", "'h[1-20].{1...20}' stands for 400 endpoints: expected at most 256"),
        (
            "h[1-999999999]x[1-999999999]",
            "'h[1-999999999]x[1-999999999]' stands for 999,999,998,000,000,001 endpoints: expected at most 256",
        ),
    ],
)
def test_a_wrong_range_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        expand_ranges(text)


@given(
    first=st.integers(0, 10**9 - 1 - MOST_ENDPOINTS),
    count=st.integers(1, MOST_ENDPOINTS),
    width=st.integers(0, 9),
    form=st.sampled_from(["[{}-{}]", "{{{}...{}}}"]),
)
def test_as_many_as_are_counted_in_their_order(first: int, count: int, width: int, form: str) -> None:
    last = first + count - 1
    width = max(width, len(str(last))) if width else 0
    text = form.format(f"{first:0{width}}", f"{last:0{width}}")

    expanded = expand_ranges(f"a{text}z")

    assert [int(name[1:-1]) for name in expanded] == list(range(first, last + 1))
    assert {name[0] + name[-1] for name in expanded} == {"az"}
    assert not width or {len(name) for name in expanded} == {width + 2}


@given(st.text("[]{}0123456789.,-:/ab", max_size=12))
def test_any_text_is_expanded_or_explained(text: str) -> None:
    explanation = ""
    expanded: tuple[str, ...] = ()
    try:
        expanded = expand_ranges(text)
    except ValueError as error:
        explanation = str(error)
    if explanation:
        assert explanation.startswith(repr(text))
        assert ": expected " in explanation
    else:
        assert 1 <= len(expanded) <= MOST_ENDPOINTS
