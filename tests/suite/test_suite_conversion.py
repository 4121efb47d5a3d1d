"""Old files with agents get stages, by edits of their text."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.suite.conversion import Change, convert
from pytest_sai3bench.suite.tree import read_tree
from pytest_sai3bench.suite.yaml12 import MalformedError

_BARRIER = "barrier: {type: all_or_nothing}"
_OLD = """\
# Two hosts, one bucket.
duration: 5m   # the measured time
concurrency: 32
target: s3://10.0.0.1:9000/bench/

distributed:
  shared_filesystem: true
  tree_creation_mode: isolated
  path_selection: random
  agents:
    - {address: node1, id: a}   # rack 1
    - address: node2
      id: b                     # rack 2

# What is there before.
prepare:
  ensure_objects:
    - base_uri: data/
      count: 1000
  cleanup: true   # afterwards nothing is left

workload:
  - {op: get, path: "data/*", weight: 1}
"""
_NEW = f"""\
# Two hosts, one bucket.
duration: 5m   # the measured time
concurrency: 32
target: s3://10.0.0.1:9000/bench/

distributed:
  shared_filesystem: true
  tree_creation_mode: isolated
  path_selection: random
  agents:
    - {{address: node1, id: a}}   # rack 1
    - address: node2
      id: b                     # rack 2
  stages:
    - {{name: preflight, order: 1, type: validation, completion: validation_passed, {_BARRIER}}}
    - {{name: prepare, order: 2, type: prepare, completion: tasks_done, {_BARRIER}}}
    - {{name: execute, order: 3, type: execute, completion: duration, duration: "5m", {_BARRIER}}}
    - {{name: cleanup, order: 4, type: cleanup, completion: tasks_done, {_BARRIER}}}

# What is there before.
prepare:
  ensure_objects:
    - base_uri: data/
      count: 1000
  cleanup: false   # afterwards nothing is left

workload:
  - {{op: get, path: "data/*", weight: 1}}
"""


def execute(order: int, duration: str) -> str:
    return f"{{name: execute, order: {order}, type: execute, completion: duration, duration: {duration}, {_BARRIER}}}"


PREFLIGHT = f"{{name: preflight, order: 1, type: validation, completion: validation_passed, {_BARRIER}}}"


def test_stages_are_written_where_they_belong() -> None:
    text, changes = convert(_OLD)

    assert text == _NEW
    assert changes == (
        Change(7, "added distributed.stages: preflight, prepare, execute, cleanup"),
        Change(20, "prepare.cleanup is false now: the cleanup stage removes the objects"),
    )
    assert convert(text) == (text, ())


def test_line_ends_of_windows_stay() -> None:
    assert convert(_OLD.replace("\n", "\r\n")).text == _NEW.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("top", "written"),
    [
        ("", "60s"),
        ("duration:", "60s"),
        ("duration: 90", "90s"),
        ("duration: 1h 30m", '"1h 30m"'),
        ('duration: "90"', '"90"'),
        ("duration: ${D:-30s}", '"${D:-30s}"'),
        ("matrix: {duration: [5s, 10s]}", '"${matrix.duration}"'),
    ],
)
def test_the_duration_is_that_of_the_top(top: str, written: str) -> None:
    text = f"{top}\ndistributed:\n  agents: [{{address: a}}]"

    assert convert(text).text == (f"{text}\n  stages:\n    - {PREFLIGHT}\n    - {execute(2, written)}\n")


def test_barriers_that_are_there_are_enough() -> None:
    text = "distributed:\n  agents: []\n  barrier_sync: {enabled: true}\n"

    assert convert(text).text == text + (
        "  stages:\n"
        "    - {name: preflight, order: 1, type: validation, completion: validation_passed}\n"
        "    - {name: execute, order: 2, type: execute, completion: duration, duration: 60s}\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("distributed: {agents: [{address: a}]}", "distributed: {agents: [{address: a}], STAGES}"),
        ("distributed: {\n  agents: [],\n}  # all", "distributed: {\n  agents: [],\nSTAGES}  # all"),
        ('{"distributed": {}, "workload": []}', '{"distributed": {STAGES}, "workload": []}'),
    ],
)
def test_flow_style_gets_its_stages_in_line(before: str, after: str) -> None:
    stages = f"stages: [{PREFLIGHT}, {execute(2, '60s')}]"

    assert convert(before).text == after.replace("STAGES", stages)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "distributed:\n  stages: []  # none yet\n  agents: []\n",
            "distributed:\n  stages:   # none yet\nLINES  agents: []\n",
        ),
        ("distributed:\n  agents: []\n  stages:", "distributed:\n  agents: []\n  stages:\nLINES"),
        ("distributed: {stages: [], agents: []}", "distributed: {stages: LIST, agents: []}"),
    ],
)
def test_an_empty_list_of_stages_is_filled(before: str, after: str) -> None:
    stages = (PREFLIGHT, execute(2, "60s"))
    lines = "".join(f"    - {stage}\n" for stage in stages)

    assert convert(before).text == after.replace("LINES", lines).replace("LIST", f"[{', '.join(stages)}]")


def test_an_alias_at_the_end_is_a_line_of_its_own() -> None:
    text = dedent("""\
        x-endpoints: &endpoints {endpoints: [s3://h:1/bucket/]}
        distributed:
          agents:
            - address: a
              multi_endpoint: *endpoints
        """)

    assert convert(text).text == f"{text}  stages:\n    - {PREFLIGHT}\n    - {execute(2, '60s')}\n"


def test_keys_that_do_nothing_are_taken_out() -> None:
    text = dedent("""\
        version: "1.0"
        autotune:
          threads: 4
          sizes:
            - 1
        # The load.
        workload:
          - op: get
            use_multi_endpoint: true   # not needed
            path: a
            weight: 1
          - {op: get, path: b, weight: 1, use_multi_endpoint: true}
          - use_multi_endpoint: false
            op: stat
            path: c
            weight: 1
        prepare:
          enabled: true
        endpoint_uris: [file:///a/]
        """)
    converted = convert(text)

    assert converted.text == dedent("""\
        # The load.
        workload:
          - op: get
            path: a
            weight: 1
          - {op: get, path: b, weight: 1, use_multi_endpoint: true}
          - use_multi_endpoint: false
            op: stat
            path: c
            weight: 1
        prepare:
          enabled: true
        endpoint_uris: [file:///a/]
        """)
    removed, told = (
        "removed '{}', which has no effect in sai3-bench either",
        "'{}' has no effect in sai3-bench either: remove it",
    )
    assert converted.changes == (
        Change(1, removed.format("version")),
        Change(2, removed.format("autotune")),
        Change(9, removed.format("workload[0].use_multi_endpoint")),
        Change(12, told.format("workload[1].use_multi_endpoint"), done=False),
        Change(13, told.format("workload[2].use_multi_endpoint"), done=False),
        Change(18, told.format("prepare.enabled"), done=False),
        Change(
            19,
            "'endpoint_uris' is a key of dl-driver, which sai3-bench ignores: see 'multi_endpoint'",
            done=False,
        ),
    )


def test_a_cleanup_that_depends_is_left_to_people() -> None:
    text = "distributed: {agents: []}\nprepare: {cleanup: '${CLEAN}'}\n"

    assert convert(text).changes[1:] == (
        Change(
            2,
            "'prepare.cleanup' has no effect beside stages: add a cleanup stage where it is true",
            done=False,
        ),
    )


@pytest.mark.parametrize(
    "text",
    [
        "target: file:///d/\nworkload: [{op: get, path: a, weight: 1}]\n",
        "distributed:\n  agents: []\n  stages:\n    - {name: a, order: 1, type: execute, duration: 1s}\n",
        "distributed:\n",
        "workload: [.nan]\n",
        "stages: [{name: a, order: 1, type: execute, duration: 1s}]\ndistributed: {agents: []}\n",
    ],
)
def test_what_needs_nothing_is_left_alone(text: str) -> None:
    assert convert(text) == (text, ())


def test_what_is_wrong_elsewhere_stays_so() -> None:
    text = "distributed: {agents: [], barrier_sync: 1}\nprepare: [a]\nmatrix: 5\nduration: [1]\n"
    stages = f"stages: [{PREFLIGHT}, {execute(2, '60s')}]"

    assert convert(text).text == text.replace("1}", f"1, {stages}}}")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("- a\n", 1, "expected a mapping with 'workload'"),
        ("a: [\n", 2, None),
        (
            "x-d: &d\n  agents: []\ndistributed: *d\n",
            1,
            "cannot be converted without changing more than it should: add stages by hand",
        ),
        (
            "distributed: {agents: []}\nprepare: {cleanup_only: true}\n",
            2,
            "'prepare.cleanup_only' has no effect beside stages, and the file would make load: leave it without them",
        ),
        (
            "x-p: &p {cleanup: true}\ndistributed:\n  agents: []\nprepare:\n  <<: *p\n  post_prepare_delay: 1\n",
            5,
            "'cleanup' comes from an alias: write it there itself",
        ),
    ],
)
def test_what_cannot_be_converted_is_told(text: str, line: int, message: str | None) -> None:
    with pytest.raises(MalformedError) as caught:
        convert(text)
    assert caught.value.line == line
    assert message in (None, caught.value.message)


_WORDS = st.sampled_from(["a", "b", "# no comment", "x: y", "", "&z", "'", '"', "${V}", "é"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 99) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=8,
)


@given(value=_VALUES, flow=st.booleans(), last=st.booleans(), cleanup=st.booleans())
def test_any_file_keeps_its_other_values(*, value: object, flow: bool, last: bool, cleanup: bool) -> None:
    data: dict[str, Any] = {"x-other": value, "distributed": {"agents": [{"address": "a"}], "x-inner": value}}
    data["prepare"] = {"ensure_objects": [{"count": 1}], "cleanup": cleanup, "x-end": value}
    if last:
        data["distributed"] = data.pop("distributed")
    text = yaml.safe_dump(data, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    old, new = (read_tree(each, file="", env={"V": "v"}).data for each in (text, convert(text).text))

    assert [stage["type"] for stage in new["distributed"].pop("stages")] == (
        ["validation", "prepare", "execute", "cleanup"][: 4 if cleanup else 3]
    )
    assert new["prepare"]["cleanup"] is False
    assert new == {**old, "prepare": {**old["prepare"], "cleanup": False}}
