from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.suite.feeding_rules import feeds_readers
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pathlib import Path

_PUT = "{op: put, path: new/, weight: 1, object_size: 1}"
_GET = '{op: get, path: "new/*", weight: 1}'


@pytest.mark.parametrize(
    ("operations", "more", "why"),
    [
        ([_PUT, _GET], "", ""),
        ([_PUT, "{op: stat, path: new/, weight: 1}"], "", ""),
        ([_PUT, _GET], "namespace: independent", ""),
        (
            [_PUT, _GET],
            "namespace: replicated",
            "with 'namespace: replicated': a new object is on one endpoint only",
        ),
        ([_GET], "", "without puts"),
        ([_PUT, '{op: get, path: "new/*", weight: 0}'], "", "without gets and stats"),
        (
            [_PUT, _GET],
            "verify: true\nprepare: {ensure_objects: [{base_uri: new/, count: 1}]}",
            "on gets that verify: they read objects of prepare",
        ),
    ],
)
def test_new_objects_come_to_readers_unless_there_is_a_reason_not_to(
    tmp_path: Path, operations: list[str], more: str, why: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        f"target: file:///a/\ndynamic_put_pool: true\n{more}\nworkload:\n"
        + "".join(f"  - {operation}\n" for operation in operations)
    )

    loaded = load(path, env={}, shown="s.yaml")

    assert feeds_readers(loaded.suite) is not bool(why)
    expected = [f"s.yaml:2: dynamic_put_pool: 'dynamic_put_pool' has no effect {why}"] if why else []
    assert [str(warning) for warning in loaded.warnings] == expected


def test_without_the_key_nothing_comes(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(f"target: file:///a/\ndynamic_put_pool: false\nworkload: [{_PUT}, {_GET}]\n")

    loaded = load(path, env={})

    assert (feeds_readers(loaded.suite), loaded.warnings) == (False, ())
