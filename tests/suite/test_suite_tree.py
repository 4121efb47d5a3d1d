from __future__ import annotations

import pytest

from pytest_sai3bench.errors import Location
from pytest_sai3bench.suite import tree as module
from pytest_sai3bench.suite import yaml12
from pytest_sai3bench.suite.tree import Tree, read_tree
from pytest_sai3bench.suite.yaml12 import MalformedError


def read(text: str) -> Tree:
    return read_tree(text, file="s.yaml", env={})


def test_every_place_has_its_line_and_column() -> None:
    marks = read(
        """\
name: mixed
workload:
  - op: get
    weight:
      70
  - {op: put, weight: 30}
thresholds: ["a < 1",
  b < 2]
"""
    ).marks
    assert {place: f"{line}:{column}" for place, (line, column) in marks.positions.items()} == {
        (): "1:1",
        ("name",): "1:7",
        ("workload",): "2:1",
        ("workload", 0): "3:5",
        ("workload", 0, "op"): "3:9",
        ("workload", 0, "weight"): "5:7",
        ("workload", 1): "6:5",
        ("workload", 1, "op"): "6:10",
        ("workload", 1, "weight"): "6:23",
        ("thresholds",): "7:1",
        ("thresholds", 0): "7:14",
        ("thresholds", 1): "8:3",
    }


def test_a_place_that_is_not_written_is_shown_at_what_is_around_it() -> None:
    marks = read("a: 1\nb:\n  - c: 2\n").marks
    assert marks.where(("b", 0, "missing", 3)) == Location("s.yaml", 3, 5)
    assert marks.where(("missing",)) == Location("s.yaml", 1, 1)


@pytest.mark.parametrize(("key", "line"), [("warmup", 2), ("warmup_period", 2)])
def test_a_field_is_found_under_either_spelling(key: str, line: int) -> None:
    marks = read(f"name: x\n{key}: 5\n").marks
    assert marks.where(("warmup",)) == Location("s.yaml", line, len(key) + 3)
    assert marks.written(("warmup",)) == (key,)


def test_what_an_alias_brings_is_shown_where_it_is_written_and_the_alias_where_it_is_used() -> None:
    tree = read("a: &m {b: 1}\nc: &s 2\nd: *m\ne: *s\n")
    assert tree.data == {"a": {"b": 1}, "c": 2, "d": {"b": 1}, "e": 2}
    assert tree.marks.positions["d",] == (3, 1)
    assert tree.marks.positions["d", "b"] == (1, 11)
    assert tree.marks.positions["e",] == (4, 1)


def test_merge_keys_add_what_is_not_there() -> None:
    tree = read(
        """\
one: &one {a: 1, b: 1}
two: &two {<<: *one, b: 2, c: 2}
both: {c: 3, <<: [*two, *one]}
quoted: {"<<": 1}
"""
    )
    assert tree.data["both"] == {"a": 1, "b": 2, "c": 3}
    assert tree.data["quoted"] == {"<<": 1}
    assert tree.marks.positions["both", "b"] == (2, 25)
    assert tree.problems == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "s.yaml:4: b.c: the key 'c' is given twice, first in line 3"),
        ("a: 1\n'a': 2\n", "s.yaml:2: a: the key 'a' is given twice, first in line 1"),
        ("a: 1\n? [b]\n: 2\n", "s.yaml:2: a list or mapping stands as a key: expected text"),
        (
            "a: &a 1\nb: {<<: *a}\n",
            "s.yaml:1: b: '<<' merges something that is not a mapping: expected *name of a mapping",
        ),
        ("a: !foo 1\n", "s.yaml:1: a: the tag !foo is not supported: expected YAML without tags"),
        ("a:\n  - !!int '1'\n", "s.yaml:2: a[0]: the tag !!int is not supported: expected YAML without tags"),
        ("a: !!set {b}\n", "s.yaml:1: a: the tag !!set is not supported: expected YAML without tags"),
        (
            "a: 1\nb: ${NOPE}\n",
            "s.yaml:2: b: variable NOPE is not set: set it, or give a default with ${NOPE:-default}",
        ),
    ],
)
def test_what_yaml_allows_and_a_suite_does_not(text: str, problem: str) -> None:
    assert [str(found) for found in read(text).problems] == [problem]


def test_a_duplicate_in_a_merged_mapping_is_reported_once() -> None:
    problems = read("a: &a {b: 1, b: 2}\nc: {<<: *a}\nd: {<<: *a}\n").problems
    assert [str(problem) for problem in problems] == [
        "s.yaml:1: a.b: the key 'b' is given twice, first in line 1"
    ]


def test_keys_are_text_as_written() -> None:
    assert read("1: a\ntrue: b\nnull: c\n").data == {"1": "a", "true": "b", "null": "c"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "the file is empty: expected a mapping with 'workload'"),
        ("# only a comment\n", 1, "the file is empty: expected a mapping with 'workload'"),
        ("---\n...\n", 1, "the file is empty: expected a mapping with 'workload'"),
        ("\n- a\n", 2, "the file holds a list: expected a mapping with 'workload'"),
        ("just words\n", 1, "the file holds text: expected a mapping with 'workload'"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins here: expected one document in a file"),
        (
            "a: 1\n b: 2\n",
            2,
            "not valid YAML: a ':' where no key can stand: check the indent, or put text that holds ': ' in quotes",
        ),
        (
            "a:\n\tb: 1\n",
            2,
            "not valid YAML: a value cannot start with a tab, @, ` or %: indent with spaces, put such text in quotes",
        ),
        (
            "a: @b\n",
            1,
            "not valid YAML: a value cannot start with a tab, @, ` or %: indent with spaces, put such text in quotes",
        ),
        (
            "a: *b\n",
            1,
            "the alias has no anchor: expected an &name of this name above it, or a pattern that begins with * in quotes",
        ),
        ("a: &x 1\nb: &x 2\n", 2, "the name of an anchor is used twice: expected each &name once"),
        (
            "a: 1\nb: [1,\n",
            3,
            "not valid YAML: did not find expected node content while parsing a flow node that begins in line 3",
        ),
        (
            "a:\n- [s3://10.0.0.[1-4]:9000/b/]\n",
            2,
            (
                "not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that begins in line 2; "
                "text with brackets or braces in it needs quotes there"
            ),
        ),
        (
            "a: {b: s3://h{1...4}/b/}\n",
            1,
            (
                "not valid YAML: did not find expected ',' or '}' while parsing a flow mapping that begins in line 1; "
                "text with brackets or braces in it needs quotes there"
            ),
        ),
        ("a: 1\n\u00e4: \x01\n", 2, "the character '\\x01' is not allowed in YAML"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, line: int, message: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read(text)
    assert (caught.value.line, caught.value.message) == (line, message)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: " + "[" * 65 + "]" * 65, 1),
        ("a: &a [*a]", 1),
        ("a: 1\nb: &b {c: *b}", 2),
        ("a: 1\nb: &b {<<: *b}", 2),
    ],
)
def test_nesting_has_a_bound(text: str, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        read(text)
    assert (caught.value.line, caught.value.message) == (
        line,
        "more than 64 levels of nesting; does an alias contain itself?",
    )


@pytest.mark.parametrize("slow", [False, True])
def test_nesting_beyond_the_parser_is_no_crash(monkeypatch: pytest.MonkeyPatch, *, slow: bool) -> None:
    if slow:
        monkeypatch.setattr(yaml12, "_Composer", yaml12._SlowComposer)
    with pytest.raises(MalformedError):
        read("[" * 50_000)


@pytest.mark.parametrize("use", ["[*{name}, *{name}]", "{{<<: [*{name}, *{name}]}}"])
def test_aliases_cannot_multiply_without_end(use: str) -> None:
    lines = ["l0: &l0 {a: 1}"]
    lines += [f"l{level}: &l{level} {use.format(name=f'l{level - 1}')}" for level in range(1, 40)]
    with pytest.raises(MalformedError) as caught:
        read("\n".join(lines))
    assert caught.value.message == "the file holds more than 100,000 values, aliases included"
    assert module.LARGEST_NODES == 100_000
