from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

_TWO_ENDPOINTS = """\
name: mixed
multi_endpoint:
  strategy: least_connections
  endpoints: ["file:///mnt/a/", "file:///mnt/b/"]
workload:
  - {op: get, path: "data/*", weight: 70}
  - {op: put, path: new/, weight: 30, object_size: 1KiB}
markers: [weekly]
thresholds:
  - get.p99 < 20 ms
  - each(endpoint).get.p99 < 25 ms
  - put.throughput >= 1 MiB/s
  - get.p99 < 30 ms
  - endpoints.imbalance <= 5%
"""

_IDS = [
    "suite.sai3.yaml::mixed",
    "suite.sai3.yaml::mixed/get.p99",
    "suite.sai3.yaml::mixed/get.p99[endpoint=1]",
    "suite.sai3.yaml::mixed/get.p99[endpoint=2]",
    "suite.sai3.yaml::mixed/put.throughput",
    "suite.sai3.yaml::mixed/get.p99-2",
    "suite.sai3.yaml::mixed/endpoints.imbalance",
    "suite.sai3.yaml::mixed/total.errors",
]


def _write(pytester: pytest.Pytester) -> Path:
    pytester.makeini("[pytest]\nmarkers = weekly: runs at night\n")
    path = pytester.path / "suite.sai3.yaml"
    path.write_text(_TWO_ENDPOINTS)
    return path


def test_items_are_the_workload_and_its_thresholds_in_the_order_of_the_file(
    pytester: pytest.Pytester, collected: Callable[..., list[str]]
) -> None:
    _write(pytester)
    assert collected() == _IDS
    assert collected() == _IDS


def test_a_rule_on_errors_takes_the_place_of_the_implicit_one(
    write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite("get.error_rate < 1%")
    assert collected() == ["suite.sai3.yaml::mixed", "suite.sai3.yaml::mixed/get.error_rate"]


def test_each_id_selects_its_item(pytester: pytest.Pytester, collected: Callable[..., list[str]]) -> None:
    _write(pytester)
    for one in (_IDS[0], *_IDS[2:]):
        assert collected(one) == [one]
    # As with parameters of Python tests, the name without brackets means all.
    assert collected(_IDS[1]) == _IDS[1:4]
    assert collected(_IDS[5], _IDS[0]) == [_IDS[5], _IDS[0]]


def test_an_id_that_does_not_exist_is_not_found(pytester: pytest.Pytester) -> None:
    path = _write(pytester)
    result = pytester.runpytest_inprocess("suite.sai3.yaml::mixed/get.p50")
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        [
            f"ERROR: not found: {path}::mixed/get.p50",
            "(no match in any of [[]<SuiteFile suite.sai3.yaml>[]])",
        ]
    )


def test_keywords_find_metrics_operations_schemes_and_strategies(
    pytester: pytest.Pytester, collected: Callable[..., list[str]]
) -> None:
    _write(pytester)
    assert collected("-k", "p99") == [one for one in _IDS if "p99" in one]
    assert collected("-k", "throughput or imbalance") == [_IDS[4], _IDS[6]]
    for word in ("put", "file", "least_connections", "mixed"):
        assert collected("-k", word) == _IDS
    for word in ("delete", "s3", "round_robin"):
        assert collected("-k", word) == []


def test_markers_of_the_suite_are_on_all_items(
    pytester: pytest.Pytester, collected: Callable[..., list[str]]
) -> None:
    _write(pytester)
    pytester.makepyfile("def test_other(): pass")
    assert collected("-m", "weekly") == _IDS
    assert collected("-m", "sai3bench and not weekly") == []
    assert len(collected("-m", "not sai3bench")) == 1


def test_each_of_eight_endpoints_is_an_item_that_can_be_selected(
    pytester: pytest.Pytester, collected: Callable[..., list[str]]
) -> None:
    mounts = ", ".join(f'"file:///mnt/{name}/"' for name in "abcdefgh")
    pytester.path.joinpath("eight.sai3.yaml").write_text(
        f"""\
name: eight
multi_endpoint: {{endpoints: [{mounts}]}}
workload: [{{op: get, path: "data/*", weight: 1}}]
thresholds:
  - each(endpoint).get.p99 < 25 ms
  - each(endpoint).get.throughput >= 85% of median
  - each(endpoint).get.throughput >= 1 MiB/s
  - endpoints.idle == 0
"""
    )

    def ids(rule: str, *numbers: int, more: str = "") -> list[str]:
        return [f"eight.sai3.yaml::eight/{rule}[endpoint={number}]{more}" for number in numbers]

    every = range(1, 9)
    assert collected() == [
        "eight.sai3.yaml::eight",
        *ids("get.p99", *every),
        *ids("get.throughput", *every),
        *ids("get.throughput", *every, more="-2"),
        "eight.sai3.yaml::eight/endpoints.idle",
        "eight.sai3.yaml::eight/total.errors",
    ]
    # The names of -k have no equals sign.
    assert collected("-k", "p99 and endpoint-3") == ids("get.p99", 3)
    assert collected("-k", "endpoint-8]") == [
        *ids("get.p99", 8),
        *ids("get.throughput", 8),
        *ids("get.throughput", 8, more="-2"),
    ]
    assert collected(*ids("get.p99", 5)) == ids("get.p99", 5)
