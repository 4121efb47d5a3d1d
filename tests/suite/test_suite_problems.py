"""Files as a whole: everything that is wrong in them is said at once, in our own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("text", ["name: x\n", "name: x\nworkload:\n", "name: x\nworkload: []\n"])
def test_a_suite_needs_a_workload(problems_of: Callable[..., list[str]], text: str) -> None:
    line = text.count("\n")
    assert problems_of(text) == [
        f"error s.yaml:{line}: workload: the workload is missing or empty: expected a list of operations"
    ]


def test_keys_for_anchors_are_free(problems_of: Callable[..., list[str]]) -> None:
    text = "x-small: &small {type: uniform, max: 8KiB}\nworkload: [{op: put, weight: 1, size_spec: *small}]\n"
    assert problems_of(text, strict=True) == []


def test_everything_that_is_wrong_is_said_at_once_and_in_order(problems_of: Callable[..., list[str]]) -> None:
    text = """\
name: a b
duration: 10
warmup: 1m
target: ${TARGET}
multi_endpoint:
  endpoints: [s3://embedded-1/bucket/]
workload:
  - {op: get, paht: data/*, weight: 1}
  - {op: put, wieght: 1, weight: 1}
  - {op: put, weight: 1, object_size: 1, size_spec: 1, object_size: 2}
enable_metadata_cache: true
"""
    assert problems_of(text) == [
        "error s.yaml:1: name: 'a b' cannot be a name: expected letters, digits, '_', '.', '=' and '-'",
        "error s.yaml:4: target: variable TARGET is not set: set it, or give a default with ${TARGET:-default}",
        "error s.yaml:6: multi_endpoint.endpoints[0]: 's3://embedded-1/bucket/' needs the embedded server: expected a block 'embedded_server: {endpoints: 1}'",
        "error s.yaml:8: workload[0]: 'path' is missing: expected an object, a folder that ends with '/', or a pattern such as data/*",
        "warning s.yaml:8: workload[0].paht: unknown key 'paht', did you mean 'path'?",
        "error s.yaml:9: workload[1]: a put needs a size: expected 'object_size' or 'size_spec'",
        "warning s.yaml:9: workload[1].wieght: unknown key 'wieght', did you mean 'weight'?",
        "error s.yaml:10: workload[2].object_size: the key 'object_size' is given twice, first in line 10",
        "warning s.yaml:11: enable_metadata_cache: 'enable_metadata_cache' has no effect: there is no metadata cache; prepare looks for its objects",
    ]


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    cases: list[tuple[bytes | None, str]] = [
        (None, "s.yaml:1: cannot be read: No such file or directory"),
        (b"name: x\nb: \xe4\n", "s.yaml:2: the byte 0xe4 is not UTF-8: expected a file saved as UTF-8"),
        (b"#" * (4 * 2**20 + 1), "s.yaml:1: larger than 4 MiB: expected a suite, not data"),
        (
            b"a: *b\n",
            "s.yaml:1: the alias has no anchor: expected an &name of this name above it, or a pattern that begins with * in quotes",
        ),
    ]
    for content, message in cases:
        path = tmp_path / "s.yaml"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SuiteError) as caught:
            load(path, env={}, shown="s.yaml")
        assert str(caught.value) == message


WORDS = st.sampled_from(
    [
        *("name", "target", "duration", "warmup", "concurrency", "multi_endpoint", "distributed", "workload"),
        *("prepare", "thresholds", "embedded_server", "markers", "error_handling", "strategy", "endpoints"),
        *(
            "enabled",
            "agents",
            "address",
            "id",
            "ensure_objects",
            "count",
            "size_spec",
            "type",
            "fixed",
            "uniform",
        ),
        *(
            "lognormal",
            "min",
            "max",
            "mean",
            "op",
            "get",
            "put",
            "path",
            "weight",
            "object_size",
            "rule",
            "cleanup",
        ),
        *("stages", "file:///a/", "s3://embedded-1/b/", "data/*", "1MiB", "10s", "true", "3"),
    ]
)


DOCUMENTS = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab:/$ \u00e4", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=25,
)


@given(
    st.dictionaries(WORDS, DOCUMENTS, max_size=6),
    st.fixed_dictionaries(
        {"workload": st.lists(st.dictionaries(WORDS, DOCUMENTS, max_size=4) | DOCUMENTS, max_size=3)}
    ),
    st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_document_is_accepted_or_explained_in_our_own_words(
    problems_of: Callable[..., list[str]],
    document: dict[str, Any],
    workload: dict[str, Any],
    strict: bool,  # noqa: FBT001
) -> None:
    text = yaml.safe_dump(document | workload, allow_unicode=True)
    for problem in problems_of(text, strict=strict):
        severity, _, rest = problem.partition(" ")
        assert severity in {"error", "warning"}
        assert rest.startswith("s.yaml:")
        assert any(
            words in rest
            for words in ("expected", "did you mean", "has no effect", "remove it", "set it", "given twice")
        )
        # The words of pydantic, its names for types, and ours.
        assert not any(
            word in rest
            for word in (
                "Input should",
                "valid",
                "Field",
                "Extra",
                "tuple",
                "dict",
                "None",
                "Section",
                "Error",
                "discriminator",
            )
        )
