from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite import dialect
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pathlib import Path

SECTIONS = {
    "": "{pair}\nworkload: [{{op: put, weight: 1, object_size: 1}}]\n",
    "workload[]": "workload: [{{op: put, weight: 1, object_size: 1, {pair}}}]\n",
    "perf_log": "workload: [{{op: put, weight: 1, object_size: 1}}]\nperf_log: {{{pair}}}\n",
    "s3dlio_optimization": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\ns3dlio_optimization: {{{pair}}}\n"
    ),
    "prepare": "workload: [{{op: put, weight: 1, object_size: 1}}]\nprepare: {{{pair}}}\n",
    "prepare.ensure_objects[]": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\nprepare: {{ensure_objects: [{{count: 1, {pair}}}]}}\n"
    ),
    "distributed": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\ndistributed: {{agents: [{{address: a}}], {pair}}}\n"
    ),
    "distributed.ssh": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\n"
        "distributed: {{agents: [{{address: a}}], ssh: {{{pair}}}}}\n"
    ),
    "distributed.barrier_sync": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\n"
        "distributed: {{agents: [{{address: a}}], barrier_sync: {{{pair}}}}}\n"
    ),
    **{
        f"distributed.barrier_sync.{kind}": (
            "workload: [{{op: put, weight: 1, object_size: 1}}]\n"
            "distributed: {{agents: [{{address: a}}], barrier_sync: {{KIND: {{type: majority, {pair}}}}}}}\n"
        ).replace("KIND", kind)
        for kind in ("validation", "prepare", "execute", "cleanup")
    },
    "distributed.stages[].barrier": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\n"
        "distributed: {{agents: [{{address: a}}], stages: [{{name: a, order: 1, type: validation, barrier: {{type: majority, {pair}}}}}]}}\n"
    ),
    "stages[].barrier": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\n"
        "stages: [{{name: a, order: 1, type: validation, barrier: {{type: majority, {pair}}}}}]\n"
    ),
    "distributed.agents[]": (
        "workload: [{{op: put, weight: 1, object_size: 1}}]\ndistributed: {{agents: [{{address: a, {pair}}}]}}\n"
    ),
}
# A key with a value that asks for something, and one that asks for nothing.
KEYS = sorted(dialect._KEYS)


def messages_of(tmp_path: Path, key: str, value: str, *, strict: bool = False) -> list[str]:
    section, _, name = key.rpartition(".")
    path = tmp_path / "s.yaml"
    path.write_text(SECTIONS[section].format(pair=f"{name}: {value}"), encoding="utf-8")
    try:
        problems = load(path, env={}, strict=strict, shown="s.yaml").warnings
    except SuiteError as error:
        problems = error.problems
    return [f"{problem.severity}: {problem.message}" for problem in problems]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_a_key_without_effect_is_named(tmp_path: Path, key: str, *, strict: bool) -> None:
    effect, harmless, reason = dialect._KEYS[key]
    name = key.rpartition(".")[2]
    message = {
        "needless": f"warning: '{name}' has no effect: {reason}",
        "never": f"warning: '{name}' has no effect, nor has it in sai3-bench: it can be removed",
        "later": f"warning: '{name}' has no effect in this version, though it belongs to the dialect",
    }[effect]
    expected = [] if dialect._ANY in harmless else [message]
    assert messages_of(tmp_path, key, "{a: 1}", strict=strict) == expected


@pytest.mark.parametrize("key", KEYS)
def test_a_key_without_a_value_is_not_given(tmp_path: Path, key: str) -> None:
    assert messages_of(tmp_path, key, "") == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("repeat", "1"),
        ("distributed.shared_filesystem", "true"),
        ("distributed.tree_creation_mode", "isolated"),
        ("distributed.ssh.enabled", "true"),
    ],
)
def test_a_value_that_asks_for_what_is_done_anyway_is_accepted(tmp_path: Path, key: str, value: str) -> None:
    assert messages_of(tmp_path, key, value) == []


def test_true_is_not_one(tmp_path: Path) -> None:
    assert messages_of(tmp_path, "repeat", "true") == [
        "warning: 'repeat' has no effect in this version, though it belongs to the dialect"
    ]
