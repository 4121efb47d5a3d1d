"""Suites that name fixtures of the user's conftest, and take values from them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CONFTEST = """
import os, pathlib, pytest
from types import SimpleNamespace

def log(text):
    with open("events", "a") as stream:
        print(text, file=stream)

@pytest.fixture(scope="module", autouse=True)
def of_the_module():
    log("module set up")
    yield
    log("module torn down")

@pytest.fixture
def stores(tmp_path):
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    log("stores set up")
    yield SimpleNamespace(uris=[f"{folder.as_uri()}/" for folder in folders], lanes={"few": 2})
    log(f"stores torn down with {sum(1 for each in folders for file in each.rglob('*') if file.is_file())} files")
"""
_SUITE = """\
name: mixed
fixtures: [stores]
multi_endpoint: {endpoints: ["${fixture.stores.uris.0}", "${fixture.stores.uris.1}"]}
duration: 200ms
concurrency: ${fixture.stores.lanes.few}
prepare:
  ensure_objects: [{base_uri: data/, count: 20, size_spec: 1KiB}]
  cleanup: true
workload:
  - {op: get, path: "data/*", weight: 1}
thresholds:
  - get.count >= 1
  - each(endpoint).get.max < 1 h
namespace: independent
"""
_IDS = [
    "suite.sai3.yaml::mixed",
    "suite.sai3.yaml::mixed/get.count",
    "suite.sai3.yaml::mixed/get.max[endpoint=each]",
    "suite.sai3.yaml::mixed/total.errors",
]

_WRONG_AT_COLLECTION = """\
suite.sai3.yaml:1: name: the value of a fixture is not known when tests are collected: expected 'name' written out
suite.sai3.yaml:7: prepare.ensure_objects[0].size_spec: 'big' is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB
suite.sai3.yaml:12: thresholds[0]: col 1: 'got' is not a scope; did you mean 'get'?
suite.sai3.yaml:15: target: 'elsewhere' is no fixture of this suite: expected it in 'fixtures'
suite.sai3.yaml:16: seed: ${fixture.stores.seed:-3} has a default: expected ${fixture.stores.seed}, which a fixture always has
""".splitlines()
_NO_FIXTURES = """\
suite.sai3.yaml:2: fixtures[1]: there is no fixture 'other': expected one of a conftest.py or a plugin
suite.sai3.yaml:2: fixtures[2]: the fixture 'many' has parameters: expected one without; 'matrix' makes several runs
""".splitlines()


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Path:
    pytester.makeconftest(_CONFTEST)
    path = pytester.path / "suite.sai3.yaml"
    path.write_text(_SUITE)
    return path


def test_a_run_takes_its_values_from_fixtures_that_outlive_its_cleanup(
    pytester: pytest.Pytester, suite: Path, collected: Callable[..., list[str]]
) -> None:
    assert collected() == _IDS
    assert not pytester.path.joinpath("events").exists()
    result = pytester.runpytest_inprocess("--sai3-json=out.json")
    result.assert_outcomes(passed=4)
    assert pytester.path.joinpath("events").read_text().splitlines() == [
        "module set up",
        "stores set up",
        "stores torn down with 0 files",
        "module torn down",
    ]
    (run,) = json.loads(pytester.path.joinpath("out.json").read_text())["runs"]
    # One verdict for each endpoint that the rule came to stand for.
    assert [verdict["id"] for verdict in run["verdicts"]] == [
        "get.count",
        "get.max[endpoint=1]",
        "get.max[endpoint=2]",
        "total.errors",
    ]
    folder = pytester.path.joinpath("sai3-results", "latest", "suite.sai3", "mixed")
    assert folder.joinpath("config.yaml").read_text() == _SUITE
    plan = json.loads(folder.joinpath("plan.json").read_text())
    assert [worker["lanes"] for worker in plan["workers"]] == [2]


def test_a_rule_on_endpoints_that_were_not_known_fails_by_the_worst_of_them(
    pytester: pytest.Pytester, suite: Path, block: Callable[[pytest.RunResult, str], list[str]]
) -> None:
    suite.write_text(_SUITE.replace("get.max < 1 h", "get.max < 1 ns"))
    result = pytester.runpytest_inprocess("-k", "each")
    result.assert_outcomes(failed=1, deselected=3)
    lines = block(result, "mixed/get.max[endpoint=each]: each(endpoint).get.max < 1 ns")
    assert lines[0].startswith("endpoint[file:///")
    assert lines[1].startswith("  was ")
    assert lines[2] == "suite.sai3.yaml:13: each(endpoint).get.max < 1 ns"


def test_what_does_not_depend_on_fixtures_is_checked_at_collection(
    pytester: pytest.Pytester, suite: Path, block: Callable[[pytest.RunResult, str], list[str]]
) -> None:
    suite.write_text(
        _SUITE.replace("[stores]", "[stores, other, many]")
        .replace("name: mixed", "name: ${fixture.stores.name}")
        .replace("1KiB}", "big}")
        .replace("  - get.count", "  - got.count")
        + "target: ${fixture.elsewhere}\nseed: ${fixture.stores.seed:-3}\n"
    )
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert block(result, "ERROR collecting suite.sai3.yaml") == _WRONG_AT_COLLECTION
    suite.write_text(_SUITE.replace("[stores]", "[stores, other, many]"))
    pytester.makeconftest(
        _CONFTEST + "\n@pytest.fixture(params=[1, 2])\ndef many(request): return request.param\n"
    )
    result = pytester.runpytest_inprocess()
    assert block(result, "ERROR collecting suite.sai3.yaml") == _NO_FIXTURES
    suite.write_text(_SUITE.replace("get.max", "put.max"))
    result = pytester.runpytest_inprocess()
    assert block(result, "ERROR collecting suite.sai3.yaml") == [
        "suite.sai3.yaml:13: thresholds[1]: col 16: the workload has no put; it has get"
    ]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "stores.uris.1",
            "stores.uris.2",
            "suite.sai3.yaml:3: multi_endpoint.endpoints[[]1]: fixture.stores.uris has no '2': expected one of 0, 1",
        ),
        (
            "stores.lanes.few",
            "stores.lanes",
            "suite.sai3.yaml:5: concurrency: fixture.stores.lanes is of type dict: expected text, a number or a path",
        ),
        (
            "concurrency: ${fixture.stores.lanes.few}",
            "concurrency: ${fixture.stores.uris.0}",
            "suite.sai3.yaml:5: concurrency: 'file:///*' is not a count: expected *",
        ),
        (
            "each(endpoint).get.max",
            "each(endpoint).get.ttfb.max",
            "suite.sai3.yaml:13: thresholds[[]1]: col 16: ttfb.max needs s3:// endpoints and the default engine: *",
        ),
    ],
)
def test_what_depends_on_fixtures_is_checked_when_the_run_begins(
    pytester: pytest.Pytester, suite: Path, old: str, new: str, error: str
) -> None:
    suite.write_text(_SUITE.replace(old, new))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines([error, "mixed did not run: *"])


def test_a_fixture_may_skip_or_fail(pytester: pytest.Pytester, suite: Path) -> None:
    conftest = pytester.path / "conftest.py"
    conftest.write_text(_CONFTEST.replace('    log("stores set up")', '    pytest.skip("no storage today")'))
    result = pytester.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["SKIPPED * no storage today"])
    conftest.write_text(_CONFTEST.replace('    log("stores set up")', '    raise OSError("no port left")'))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["E * OSError: no port left", "mixed did not run: no port left"])


def test_dry_run_says_what_it_cannot_know(
    pytester: pytest.Pytester, suite: Path, block: Callable[[pytest.RunResult, str], list[str]]
) -> None:
    result = pytester.runpytest_inprocess("--sai3-dry-run")
    assert result.ret == pytest.ExitCode.OK
    lines = result.outlines
    start = lines.index("suite.sai3.yaml::mixed")
    assert lines[start + 1 : start + 7] == [
        "",
        "suite.sai3.yaml:3: multi_endpoint.endpoints[0] waits for fixture.stores.uris.0",
        "suite.sai3.yaml:3: multi_endpoint.endpoints[1] waits for fixture.stores.uris.1",
        "suite.sai3.yaml:5: concurrency waits for fixture.stores.lanes.few",
        "",
        "note: these keys, and the plan, are checked when the fixtures have values, at the start of the run",
    ]
    assert not pytester.path.joinpath("events").exists()


def test_a_fixture_may_do_its_work_without_a_value(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    # All is known at collection, and a fixture changes it: by the environment, as accounts are handed in.
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def account(monkeypatch, tmp_path):
            monkeypatch.setenv("STORE", tmp_path.as_uri())
        """
    )
    path = write_suite("each(endpoint).get.max < 1 h", target="${STORE:-file:///no/such/folder}/")
    path.write_text(path.read_text() + "fixtures: [account]\nmatrix: {concurrency: [1, 2]}\n")
    assert len(collected()) == 6
    pytester.runpytest_inprocess().assert_outcomes(passed=6)


def test_suites_without_the_key_are_plain_items(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    pytester.makeconftest(_CONFTEST)
    write_suite()
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    assert not pytester.path.joinpath("events").exists()
