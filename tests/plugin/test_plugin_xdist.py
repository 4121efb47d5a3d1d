from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STAMPING = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(4))
def test_ordinary(number):
    started = time.time()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    pathlib.Path("stamps", str(number)).write_text(f"{worker} {started} {time.time()}")
"""


def _outcomes(pytester: pytest.Pytester) -> dict[str, str]:
    """Return the outcome of every test case in the JUnit file."""
    cases = ET.parse(pytester.path / "junit.xml").getroot().findall("./testsuite/testcase")
    found = {f"{case.get('classname')}::{case.get('name')}": [child.tag for child in case] for case in cases}
    assert len(found) == len(cases)
    return {name: ",".join(tag for tag in tags if tag != "properties") for name, tags in found.items()}


def _started(pytester: pytest.Pytester) -> dict[str, float]:
    """Return when each run of the last session began, by suite."""
    folders = pytester.path.joinpath("sai3-results", "latest").glob("*/*/result.json")
    documents = [json.loads(path.read_text()) for path in folders]
    return {document["run"]["suite"]: document["run"]["started_at"] for document in documents}


def test_suites_run_alone_after_the_workers_with_the_outcomes_they_have_without(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    # Sorted before and after the ordinary tests.
    write_suite(
        "get.max < 1 ns", "{rule: put.max < 1 ns, severity: warn}", name="a.sai3.yaml", more="bogus: 1\n"
    )
    write_suite("get.max < 10 s", "{rule: put.max < 1 ns, xfail: slow}", name="z.sai3.yaml")
    pytester.makepyfile(test_ordinary=_STAMPING)
    pytester.mkdir("stamps")
    outcomes = {"passed": 4 + 6, "failed": 1, "xfailed": 1, "warnings": 2}
    pytester.runpytest_inprocess("--junitxml=junit.xml", "-Wdefault").assert_outcomes(**outcomes)
    alone = _outcomes(pytester)
    assert len(alone) == 12

    result = pytester.runpytest_inprocess("--junitxml=junit.xml", "-Wdefault", "-n2", "-v")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(**outcomes)
    assert _outcomes(pytester) == alone
    result.stdout.fnmatch_lines(
        [
            "a.sai3.yaml::mixed PASSED *",
            "a.sai3.yaml::mixed/get.max FAILED *",
            "z.sai3.yaml::mixed/put.max XFAIL *",
        ]
    )
    stamps = [path.read_text().split() for path in pytester.path.joinpath("stamps").iterdir()]
    assert {worker for worker, _, _ in stamps} == {"gw0", "gw1"}
    started = _started(pytester)
    assert sorted(started) == ["a.sai3.yaml", "z.sai3.yaml"]
    assert max(float(ended) for _, _, ended in stamps) <= started["a.sai3.yaml"] < started["z.sai3.yaml"]


def test_ids_select_suites_and_tests(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite("get.max < 10 s", name="a.sai3.yaml")
    write_suite("get.max < 10 s", name="load/nightly.yaml")
    pytester.makepyfile(test_one="def test_a(): pass\ndef test_b(): assert False")
    result = pytester.runpytest_inprocess(
        "-n2", "--dist=worksteal", "-v", "test_one.py::test_a", "a.sai3.yaml::mixed/get.max", "load"
    )
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=5)
    assert [line.split()[0] for line in result.outlines if " PASSED  " in line] == [
        "a.sai3.yaml::mixed/get.max",
        "load/nightly.yaml::mixed",
        "load/nightly.yaml::mixed/get.max",
        "load/nightly.yaml::mixed/total.errors",
    ]


def test_a_session_may_consist_of_suites_only(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s", "put.max < 10 s")
    result = pytester.runpytest_inprocess("-n2", "--dist=loadscope", "-k", "max")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2, deselected=2)


def test_a_failed_test_stops_the_session_before_the_suites(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite()
    pytester.makepyfile("def test_it(): assert False")
    result = pytester.runpytest_inprocess("-n2", "-x")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(failed=1)
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_failed_threshold_stops_the_session_before_the_next_suite(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 1 ns", name="a.sai3.yaml")
    write_suite(name="b.sai3.yaml")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("-n2", "-x")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*! stopping after 1 failures !*"])
    assert list(_started(pytester)) == ["a.sai3.yaml"]


def test_a_broken_suite_stops_the_session_before_the_good_ones(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite(name="good.sai3.yaml")
    write_suite(name="broken.sai3.yaml", duration="soon")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess("-n2")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(passed=1, errors=1)
    assert block(result, "ERROR collecting broken.sai3.yaml") == [
        (
            "broken.sai3.yaml:3: duration: 'soon' is not a duration: "
            "expected a number of seconds or text such as 500ms, 60s, 1h 30m"
        )
    ]
    result.stdout.fnmatch_lines(["*! Interrupted: 1 error during collection !*"])
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_session_without_suites_does_not_notice_the_plugin(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    # There is a suite, but it is not selected; and the controller must not import the tests.
    write_suite()
    pytester.makepyfile(
        test_it="""
        import os
        assert "PYTEST_XDIST_WORKER" in os.environ

        def test_it():
            pass
        """
    )
    result = pytester.runpytest_inprocess("-n2", "test_it.py")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)
    assert "collected" not in result.stdout.str()


def test_suites_run_without_xdist(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite("get.max < 10 s")
    pytester.runpytest_inprocess("-pno:xdist").assert_outcomes(passed=3)
