"""However tests are distributed, suites come to the same: outcomes, verdicts, files of results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

_TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_ordinary(number):
    pass

class TestLoad:
    @pytest.mark.parametrize("lanes", [1, 2])
    def test_measuring(self, sai3bench, tmp_path, lanes):
        result = sai3bench.run({
            "target": tmp_path.as_uri(),
            "duration": "200ms",
            "concurrency": lanes,
            "workload": [{"op": "put", "path": "new/", "weight": 1, "object_size": 1}],
            "prepare": {"cleanup": True},
        })
        assert lanes == 1 or not result.total.ops
"""
# Files without tests that measure are not even imported where suites run.
_OTHER_TESTS = """
import os
assert "PYTEST_XDIST_WORKER" in os.environ or os.environ["IMPORTS"] == "here"

def test_other():
    pass
"""
_CONFTEST = """
import pytest

@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store").as_uri()
"""


def _summed_up(pytester: pytest.Pytester, *sessions: tuple[str, ...]) -> dict[str, Any]:
    """Return what sessions came to together, without what differs from run to run."""
    cases: dict[str, list[str]] = {}
    verdicts: dict[str, Any] = {}
    files: set[str] = set()
    for options in sessions:
        results = pytester.path / "results"
        pytester.runpytest_subprocess(
            "--junitxml=junit.xml", "--sai3-json=out.json", f"--sai3-results={results}", *options
        )
        for case in ET.parse(pytester.path / "junit.xml").getroot().iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            assert name not in cases
            cases[name] = [child.tag for child in case if child.tag != "properties"]
        for run in json.loads(pytester.path.joinpath("out.json").read_text())["runs"]:
            assert run["nodeid"] not in verdicts
            verdicts[run["nodeid"]] = (
                run["status"],
                [(one["nodeid"], one["effect"]) for one in run["verdicts"]],
            )
        session = (results / "latest").resolve()
        files |= {str(path.relative_to(session)) for path in session.rglob("*") if path.is_file()}
    return {"cases": cases, "verdicts": verdicts, "files": files}


def test_every_way_of_distribution_comes_to_the_same(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("IMPORTS", "here")
    # Counts, which a busy machine does not make inconclusive.
    write_suite(
        "get.count < 1",
        "{rule: put.count < 1, xfail: slow}",
        duration="200ms",
        target="${fixture.store}/",
        more="fixtures: [store]\n",
    )
    pytester.makepyfile(test_it=_TESTS, test_other=_OTHER_TESTS)
    pytester.makeconftest(_CONFTEST)
    alone = _summed_up(pytester, ("-n0",))
    assert alone["cases"] == {
        "suite.sai3.yaml::mixed": [],
        "suite.sai3.yaml::mixed/get.count": ["failure"],
        "suite.sai3.yaml::mixed/put.count": ["skipped"],
        "suite.sai3.yaml::mixed/total.errors": [],
        **{f"test_it::test_ordinary[{number}]": [] for number in range(3)},
        "test_it.TestLoad::test_measuring[1]": [],
        "test_it.TestLoad::test_measuring[2]": ["failure"],
        "test_other::test_other": [],
    }
    monkeypatch.setenv("IMPORTS", "elsewhere")
    assert _summed_up(pytester, ("-n4", "--dist=worksteal")) == alone
    monkeypatch.setenv("IMPORTS", "here")
    two_phases = (("-n2", "--dist=loadscope", "-m", "not sai3bench"), ("-n0", "-m", "sai3bench"))
    assert _summed_up(pytester, *two_phases) == alone
