"""Runs as entries of pytest-benchmark."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pytest_benchmark import stats

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DISABLED = "Benchmarks are automatically disabled"


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest-benchmark in, and hide from it that the test itself may run on a worker of xdist."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -p no:hypothesispytest")
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def _entries(path: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(path.read_text())["benchmarks"]
    return entries


def test_every_run_is_an_entry_with_its_intervals_as_rounds(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(
        "get.max < 1 ns",
        duration="500ms",
        more="matrix: {concurrency: [1, 2]}\nperf_log: {interval: 100ms, enabled: false}\n",
    )
    write_suite(name="failing.sai3.yaml", target="file:///no/such/folder/")
    # The run is an entry, too, where only a threshold of it was selected, and however that ends.
    result = pytester.runpytest_inprocess(
        "--benchmark-json=b.json", "--benchmark-columns=ops", "-k", "max or failing"
    )
    result.assert_outcomes(failed=2, errors=2, deselected=4)
    first, second = _entries(pytester.path / "b.json")
    assert [entry["fullname"] for entry in (first, second)] == [
        "suite.sai3.yaml::mixed[concurrency=1]",
        "suite.sai3.yaml::mixed[concurrency=2]",
    ]
    assert {key: second[key] for key in ("name", "group", "param", "params", "options")} == {
        "name": "mixed[concurrency=2]",
        "group": "sai3bench",
        "param": "concurrency=2",
        "params": {"concurrency": 2},
        "options": {},
    }
    measured = json.loads(
        pytester.path.joinpath(
            "sai3-results", "latest", "suite.sai3", "mixed[concurrency=2]", "result.json"
        ).read_text()
    )
    info = second["extra_info"]
    assert list(info) == ["total", "get", "put", "endpoints", "agents"]
    assert info["get"]["throughput"] > 0
    assert info["get"]["p50"] <= info["get"]["p99"] <= info["get"]["max"]
    assert info["get"]["max"] == float(measured["verdicts"][0]["measured"])
    rounds = second["stats"]
    assert 1 <= rounds["rounds"] == len(rounds["data"]) <= 5
    assert 0 < rounds["min"] <= rounds["mean"] <= rounds["max"] <= info["total"]["max"]
    # Not one by the mean: two operations run side by side.
    assert rounds["ops"] == info["total"]["ops"]


def test_runs_are_saved_and_compared(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite()
    assert pytester.runpytest_inprocess("--benchmark-autosave").ret == 0
    # Whether the second is slower is up to the machine.
    result = pytester.runpytest_inprocess(
        "--benchmark-autosave", "--benchmark-compare", "--benchmark-sort=name"
    )
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*benchmark 'sai3bench': 2 tests*", "mixed (0001_*", "mixed (NOW)*"])
    command = [
        sys.executable,
        "-m",
        "pytest_benchmark",
        "compare",
        "--group-by=fullname",
        "--columns=mean,ops,rounds",
    ]
    shown = subprocess.run(command, cwd=pytester.path, check=True, capture_output=True, text=True, timeout=60)
    assert "benchmark 'suite.sai3.yaml::mixed': 2 tests" in shown.stdout


def test_options_of_pytest_benchmark_select_suites(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite()
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("--benchmark-only")
    result.assert_outcomes(passed=2, skipped=1)
    result = pytester.runpytest_inprocess("--benchmark-skip", "-rs")
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(["SKIPPED * Skipping benchmark (--benchmark-skip active)."])
    result = pytester.runpytest_inprocess("--benchmark-disable", "--benchmark-json=b.json")
    result.assert_outcomes(passed=3)
    assert not pytester.path.joinpath("b.json").exists()


def test_beside_xdist_runs_are_entries(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite()
    result = pytester.runpytest_subprocess("-n1", "--benchmark-json=b.json")
    assert result.ret == 0
    assert [entry["name"] for entry in _entries(pytester.path / "b.json")] == ["mixed"]
    assert _DISABLED not in result.stdout.str() + result.stderr.str()
    pytester.runpytest_inprocess("-n1", "--benchmark-skip").assert_outcomes(skipped=2)


def test_without_pytest_benchmark_nothing_is_missing(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite()
    pytester.makeconftest(
        """
        import sys

        class Blocked:
            def find_spec(self, name, path, target=None):
                if name.partition(".")[0] == "pytest_benchmark":
                    raise ImportError(name)

        sys.meta_path.insert(0, Blocked())
        """
    )
    result = pytester.runpytest_subprocess("-pno:benchmark", "--sai3-json=out.json", "-Werror")
    result.assert_outcomes(passed=2)
    assert json.loads(pytester.path.joinpath("out.json").read_text())["counts"]["passed"] == 1


def test_a_version_with_other_insides_costs_a_warning(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(stats, "Metadata")
    write_suite()
    result = pytester.runpytest_inprocess("-Wdefault")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        "*PytestWarning: suite.sai3.yaml::mixed is no entry of this version of pytest-benchmark: "
        "cannot import name 'Metadata' from 'pytest_benchmark.stats' *"
    )
