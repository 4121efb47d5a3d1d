"""Suites run by tests in Python."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUITE = """
def suite(folder, **more):
    return {
        "name": "built",
        "target": f"{folder.as_uri()}/",
        "duration": "400ms",
        "concurrency": 2,
        "prepare": {
            "ensure_objects": [{"base_uri": "data/", "count": 20, "size_spec": "1KiB"}],
            "cleanup": True,
        },
        "workload": [
            {"op": "get", "path": "data/*", "weight": 3},
            {"op": "put", "path": "new/", "weight": 1, "object_size": 1024},
        ],
        **more,
    }
"""


@pytest.fixture
def make_test(pytester: pytest.Pytester) -> Callable[[str], Path]:
    """Return ``make_test(text)``, which writes a module of tests; ``suite(folder, **more)`` is known there."""

    def make_test(text: str) -> Path:
        pytester.makepyfile(built=_SUITE)
        return pytester.makepyfile(test_it="import pytest\nfrom built import suite\n" + text)

    return make_test


def test_a_test_reads_what_a_run_of_a_file_measured(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], make_test: Callable[[str], Path], store: Path
) -> None:
    write_suite("get.count >= 1", name="sub/suite.yaml", duration="1h", target="${STORE}/")
    make_test(
        f"STORE = {store.as_uri()!r}\n"
        """
def test_it(sai3bench):
    import math
    result = sai3bench.run("sub/suite.yaml", duration="300ms", variables={"STORE": STORE})
    assert 0 < result.get.p50 <= result.get.p99 <= result.get.max < 10
    assert result.get.throughput == pytest.approx(1024 * result.get.ops)
    assert result.total.count == result.get.count + result.put.count
    assert result.total.errors == 0 == result.imbalance
    assert math.isnan(result.get.ttfb.p99)
    (endpoint,) = result.endpoints.values()
    (agent,) = result.agents.items()
    assert (endpoint.ops, agent[0], agent[1].ops) == (result.total.ops, "local", result.total.ops)
    assert [verdict.id for verdict in result.verdicts] == ["get.count", "total.errors"]
    with pytest.raises(LookupError, match="the run has no delete; it has total, get, put"):
        result.delete
    assert (result.folder / "results.tsv").exists()
    assert result.run.status == "completed"
        """
    )
    result = pytester.runpytest_inprocess(
        "--sai3-json=out.json", "--junitxml=junit.xml", "-Wignore", "test_it.py"
    )
    result.assert_outcomes(passed=1)
    (run,) = json.loads(pytester.path.joinpath("out.json").read_text())["runs"]
    assert [run["nodeid"], *(one["nodeid"] for one in run["verdicts"])] == [
        "test_it.py::test_it/mixed",
        "test_it.py::test_it/mixed/get.count",
        "test_it.py::test_it/mixed/total.errors",
    ]
    latest = pytester.path.joinpath("sai3-results", "latest").resolve()
    assert run["results"] == str(latest / "suite" / "mixed")
    case = ET.parse(pytester.path / "junit.xml").getroot().find("./testsuite/testcase")
    assert case is not None
    properties = [(one.get("name"), one.get("value")) for one in case.iter("property")]
    assert properties[:2] == [("sai3bench_results", run["results"]), ("suite", "sub/suite.yaml")]
    assert dict(properties)["total.errors"] == "0"
    result.stdout.fnmatch_lines(["sub/suite.yaml::mixed: completed *", "  thresholds: 2 passed"])
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_a_suite_may_be_built_in_code_and_run_twice(
    pytester: pytest.Pytester, make_test: Callable[[str], Path]
) -> None:
    make_test(
        """
@pytest.mark.parametrize("lanes", [1, 2])
def test_it(sai3bench, tmp_path, lanes):
    first = sai3bench.run(suite(tmp_path, concurrency=lanes))
    second = sai3bench.run(suite(tmp_path, concurrency=lanes))
    assert [sum(one.lanes for one in each.phase.agents) for each in (first, second)] == [lanes, lanes]
    assert first.folder != second.folder
        """
    )
    result = pytester.runpytest_inprocess("--sai3-json=out.json", "-Wignore")
    result.assert_outcomes(passed=2)
    runs = json.loads(pytester.path.joinpath("out.json").read_text())["runs"]
    assert [run["nodeid"] for run in runs] == [
        "test_it.py::test_it[1]/built",
        "test_it.py::test_it[1]/built-2",
        "test_it.py::test_it[2]/built",
        "test_it.py::test_it[2]/built-2",
    ]
    folder = pytester.path.joinpath("sai3-results", "latest", "test_it_1_")
    assert sorted(path.name for path in folder.iterdir()) == ["built", "built-2"]
    assert json.loads((folder / "built" / "config.yaml").read_text())["concurrency"] == 1


def test_thresholds_that_are_not_met_fail_the_test(
    pytester: pytest.Pytester,
    make_test: Callable[[str], Path],
    block: Callable[[pytest.RunResult, str], list[str]],
) -> None:
    make_test(
        """
def test_unmet(sai3bench, tmp_path):
    sai3bench.run(suite(tmp_path, thresholds=["get.count < 1", "total.errors == 0"]))

def test_unchecked(sai3bench, tmp_path):
    result = sai3bench.run(suite(tmp_path, thresholds=["get.count < 1"]), check=False)
    assert [verdict.outcome for verdict in result.verdicts] == ["failed", "passed"]

def test_caught(sai3bench, tmp_path):
    with pytest.raises(AssertionError) as caught:
        sai3bench.run(suite(tmp_path, thresholds=["get.count < 1"]))
    assert caught.value.result.get.max > 1e-9

def test_expected(sai3bench, tmp_path):
    rules = [
        {"rule": "get.count < 1", "xfail": "slow disk"},
        {"rule": "put.count < 1", "severity": "warn"},
    ]
    with pytest.warns(pytest.PytestWarning, match="put.count was .*, the limit is < 1"):
        sai3bench.run(suite(tmp_path, thresholds=rules))
        """
    )
    result = pytester.runpytest_inprocess("-Wignore")
    result.assert_outcomes(passed=3, failed=1)
    lines = [line for line in block(result, "test_unmet") if line.startswith(("E", ">"))]
    assert (
        lines[0]
        == '>       sai3bench.run(suite(tmp_path, thresholds=["get.count < 1", "total.errors == 0"]))'
    )
    text = "\n".join(lines)
    assert "ThresholdsUnmetError: get.count was " in text
    assert "E       test_it.py:5: get.count < 1" in lines
    assert "total.errors" not in text.partition("\n")[2]
    assert lines[-1].startswith("E       results: sai3-results/")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            'sai3bench.run(suite(tmp_path, duration="soon", thresholds=["got.max < 1 ns"]))',
            "E *SuiteError: test_it.py:4: duration: 'soon' is not a duration: *",
        ),
        (
            'sai3bench.run(suite(tmp_path, thresholds=["got.max < 1 ns"]))',
            "E *SuiteError: test_it.py:4: thresholds[[]0]: col 1: 'got' is not a scope; did you mean 'get'?",
        ),
        (
            'sai3bench.run(suite(tmp_path, matrix={"concurrency": [1, 2]}))',
            "E *SuiteError: test_it.py:4: matrix: it makes 2 suites: expected a single one; *",
        ),
        ('sai3bench.run("missing.yaml")', "E *SuiteError: missing.yaml:1: cannot be read: *"),
        (
            "sai3bench.run(suite(tmp_path, seed={1}))",
            "E *TypeError: a suite holds a set: expected text, numbers, lists and mappings",
        ),
        ('sai3bench.run(suite(tmp_path / "missing"))', "E *PreflightError: *"),
    ],
)
def test_what_cannot_be_run_is_told_at_the_line_of_the_call(
    pytester: pytest.Pytester, make_test: Callable[[str], Path], call: str, message: str
) -> None:
    make_test(f"def test_it(sai3bench, tmp_path):\n    {call}\n")
    result = pytester.runpytest_inprocess("--tb=short")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_it.py:4: in test_it", message])


def test_fixtures_of_a_suite_are_those_of_the_test(
    pytester: pytest.Pytester, make_test: Callable[[str], Path]
) -> None:
    make_test(
        """
@pytest.fixture
def store(tmp_path):
    return {"uri": tmp_path.as_uri()}

def test_it(sai3bench, tmp_path):
    sai3bench.run(suite(tmp_path, target="${fixture.store.uri}/", fixtures=["store"]))
        """
    )
    pytester.runpytest_inprocess("-Wignore").assert_outcomes(passed=1)


def test_a_worker_of_xdist_measures_nothing(
    pytester: pytest.Pytester, make_test: Callable[[str], Path], write_suite: Callable[..., Path]
) -> None:
    write_suite()
    make_test(
        """
def test_hidden(request, tmp_path):
    request.getfixturevalue("sai3bench").run(suite(tmp_path))

def test_named(sai3bench, tmp_path):
    sai3bench.run(suite(tmp_path))
        """
    )
    result = pytester.runpytest_subprocess("-n1", "-k", "hidden")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        "nothing can be measured on a worker of xdist: "
        "expected the fixture sai3bench among the arguments of the test, which then runs alone"
    )
    result = pytester.runpytest_subprocess("-n1", "--sai3-xdist=skip", "-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["SKIPPED * nothing is measured beside xdist (--sai3-xdist=skip)"])
    assert not pytester.path.joinpath("sai3-results").exists()
