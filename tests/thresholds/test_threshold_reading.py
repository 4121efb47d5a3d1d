"""Rules that depend on what a plan can measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.thresholds.reading import read_suites

if TYPE_CHECKING:
    from pathlib import Path

_SUITE = """\
target: {target}
engine: {engine}
workload: [{{op: get, path: data/one, weight: 1}}]
thresholds:
  - get.p99 < 20 ms
  - get.ttfb.p99 < 5 ms
"""
_PROBLEM = (
    "s.yaml:6: thresholds[1]: col 1: ttfb.p99 needs s3:// endpoints and the default engine: remove the rule"
)


@pytest.mark.parametrize(
    ("target", "engine", "told"),
    [
        ("s3://h:9000/bucket/", "default", ""),
        ("s3+https://h:9000/bucket/", "default", ""),
        ("s3://h:9000/bucket/", "boto3", _PROBLEM),
        ("file:///d/", "default", _PROBLEM),
        ("direct:///d/", "default", _PROBLEM),
    ],
)
def test_a_time_to_first_byte_is_asked_of_who_can_tell_it(
    tmp_path: Path, target: str, engine: str, told: str
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(_SUITE.format(target=target, engine=engine))
    if told:
        with pytest.raises(SuiteError) as caught:
            read_suites(path, env={}, shown="s.yaml")
        assert str(caught.value) == told
        return

    [suite] = read_suites(path, env={}, shown="s.yaml")

    assert [rule.id for rule in suite.rules] == ["get.p99", "get.ttfb.p99", "total.errors"]
