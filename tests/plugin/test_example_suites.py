"""The suites of ``example_suites/multi_endpoint`` run as they stand, and judge every endpoint by itself."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from pytest_sai3bench.thresholds.reading import read_suites

_EXAMPLES = Path(__file__).parents[2] / "example_suites" / "multi_endpoint"

# Of each file: the name of its run, how many endpoints it has, its strategies, and the rule that it has for
# each of them, if it has one.
_SUITES = {
    "global": ("global", 8, {"round_robin"}, "get.p90"),
    "hybrid": ("hybrid", 8, {"least_connections", "round_robin"}, "get.p90"),
    "independent_nodes": ("nodes", 8, {"round_robin"}, "get.p90"),
    "nfs_two_mounts": ("nfs", 2, {"round_robin"}, "get.p95"),
    "one_slow_node": ("slow_node", 8, {"least_connections"}, ""),
    "per_agent": ("per_agent", 8, {"round_robin"}, "get.p90"),
}
# The agents that drive each endpoint, in the order of the endpoints.
_DRIVERS = {
    "global": ["local"] * 8,
    "hybrid": [*["host-1 host-2"] * 4, "host-3", "host-3", "host-4", "host-4"],
    "independent_nodes": ["local"] * 8,
    "nfs_two_mounts": ["host-1 host-2"] * 2,
    "one_slow_node": ["local"] * 8,
    "per_agent": ["host-1", "host-1", "host-2", "host-2", "host-3", "host-3", "host-4", "host-4"],
}


def test_every_suite_is_tested_here() -> None:
    assert sorted(path.stem for path in _EXAMPLES.iterdir()) == sorted(_SUITES) == sorted(_DRIVERS)


@pytest.mark.parametrize("name", _SUITES)
def test_the_header_says_how_to_run_it_and_what_to_change(name: str) -> None:
    lines = (_EXAMPLES / f"{name}.yaml").read_text().splitlines()
    header = lines[: lines.index("")]
    assert all(line.startswith("#") for line in header)
    assert f"#     pytest example_suites/multi_endpoint/{name}.yaml" in header
    text = " ".join(line.lstrip("# ") for line in header)
    assert re.search(r"Runs as it stands: .* For a real system remove that block", text)


@pytest.mark.parametrize("name", _SUITES)
def test_each_agent_drives_the_endpoints_that_the_suite_is_about(name: str) -> None:
    path = _EXAMPLES / f"{name}.yaml"
    (read,) = read_suites(path, env={}, shown=path.name, strict=True)
    plan = read.plan
    title, count, strategies, _ = _SUITES[name]
    assert (read.loaded.warnings, plan.notes, plan.name) == ((), (), title)
    assert {worker.strategy for worker in plan.workers} == strategies
    drivers = [
        " ".join(worker.agent for worker in plan.workers if endpoint in worker.endpoints)
        for endpoint in plan.endpoints
    ]
    assert len(drivers) == count
    assert drivers == _DRIVERS[name]
    delays = {number: each.delay_s for number, each in enumerate(plan.endpoints, 1) if each.delay_s}
    assert delays == ({3: 0.2} if name == "one_slow_node" else {})


def test_all_run_as_they_stand_and_each_endpoint_has_its_own_outcome(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They are shown side by side in one server, as whoever names the folder runs them.
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copytree(_EXAMPLES, pytester.path / "suites")
    result = pytester.runpytest_inprocess("suites", "-v", "--sai3-results=results", "-Werror")
    assert result.ret == pytest.ExitCode.OK
    for name, (title, count, _, rule) in _SUITES.items():
        numbers = range(1, count + 1 if rule else 1)
        items = [f"suites/{name}.yaml::{title}/{rule}[endpoint={number}]" for number in numbers]
        outcomes = [line.split()[:2] for line in result.outlines if line.split(" ")[0] in items]
        # Besides, the first line of an item that says what is being run.
        assert [outcome for outcome in outcomes if len(outcome) == 2] == [[item, "PASSED"] for item in items]
        served = _served(pytester.path / "results" / "latest" / name / title / "results.tsv")
        assert len(served) == count
        assert all(requests > 0 for requests in served)

    # The slow one is found by its rules, and by the mark behind its line.
    shown = [line for line in result.outlines if "one_slow_node.yaml::slow_node/" in line]
    assert [line.split()[:2] for line in shown][:2] == [
        ["suites/one_slow_node.yaml::slow_node/get.p50[endpoint=3]", "XFAIL"],
        ["suites/one_slow_node.yaml::slow_node/endpoints.imbalance", "XFAIL"],
    ]
    title = "suites/one_slow_node.yaml::slow_node: completed (3 s, 1 agent, 16 lanes, 8 endpoints)"
    table = result.outlines[result.outlines.index(title) :]
    (line,) = (line for line in table[:20] if line.split()[:2] == ["3", "s3://embedded-3/bench/"])
    assert re.search(r"  slow: get \d+\.\dx$", line)


def _served(results: Path) -> list[int]:
    """Return the requests that each endpoint got, according to a result."""
    _, _, rest = results.read_text().partition("[endpoint_stats]\n")
    table = csv.DictReader(rest.partition("\n\n")[0].splitlines(), delimiter="\t")
    return [int(row["total_requests"]) for row in table]
