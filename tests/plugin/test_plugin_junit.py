from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_each_item_is_a_test_case_with_what_was_measured(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.count >= 1", "get.max < 1 ns", "{rule: put.max < 1 ns, xfail: slow disk}")
    pytester.makepyfile(test_it="def test_it(): pass")
    pytester.runpytest_inprocess("--junitxml=junit.xml").assert_outcomes(passed=4, failed=1, xfailed=1)
    cases = ET.parse(pytester.path / "junit.xml").getroot().findall("./testsuite/testcase")
    found = {case.attrib["name"]: case for case in cases}
    assert sorted(found) == [
        "mixed",
        "mixed/get.count",
        "mixed/get.max",
        "mixed/put.max",
        "mixed/total.errors",
        "test_it",
    ]
    assert {case.attrib["classname"] for name, case in found.items() if name != "test_it"} == {
        "suite.sai3.yaml"
    }
    properties = {
        name: {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
        for name, case in found.items()
    }
    folder = pytester.path.joinpath("sai3-results", "latest").resolve() / "suite.sai3" / "mixed"
    run = properties["mixed"]
    assert float(run.pop("window_s")) > 0
    assert {name: run.pop(name) for name in list(run) if "." not in name} == {
        "sai3bench_results": str(folder),
        "suite": "suite.sai3.yaml",
        "run_id": "/".join(folder.parts[-3:]),
        "status": "completed",
        "endpoints": "1",
        "agents": "1",
        "lanes": "2",
    }
    assert list(run) == [
        f"{operation}.{name}"
        for operation in ("total", "get", "put")
        for name in ("ops", "throughput", "errors", "mean", "p50", "p99", "max")
    ]
    assert 0 < float(run["get.p50"]) <= float(run["get.p99"]) <= float(run["get.max"])
    count = properties["mixed/get.count"]
    assert count == {
        "threshold": "get.count >= 1",
        "measured": count["measured"],
        "limit": ">= 1",
        "samples": count["samples"],
        "outcome": "passed",
        "value": count["value"],
        "margin": count["margin"],
    }
    assert float(count["value"]) == int(count["samples"])
    assert float(count["margin"]) == pytest.approx(int(count["samples"]) - 1, rel=0.001)
    assert int(count["measured"].replace(",", "")) == int(count["samples"]) > 0
    failure = found["mixed/get.max"].findtext("failure", "")
    assert failure.splitlines()[1:3] == ["suite.sai3.yaml:14: get.max < 1 ns", ""]
    assert [properties["mixed/get.max"][name] for name in ("limit", "outcome")] == ["< 1 ns", "failed"]
    skipped = found["mixed/put.max"].find("skipped")
    assert skipped is not None
    assert skipped.attrib == {"type": "pytest.xfail", "message": "slow disk"}


def test_the_file_as_a_whole(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], check_gold: Callable[[str, str], None]
) -> None:
    write_suite("get.count >= 1", "get.throughput >= 1 TiB/s", "{rule: get.max < 1 h, xfail: slow disk}")
    pytester.runpytest_inprocess("--junitxml=junit.xml", "-oxfail_strict=false")
    suite = ET.parse(pytester.path / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    for element in suite.iter():
        for name in {"time", "timestamp", "hostname"}.intersection(element.attrib):
            element.attrib[name] = "…"
        name = element.attrib.get("name", "")
        if element.tag == "property" and (
            name in ("measured", "samples", "value", "margin", "sai3bench_results", "run_id", "window_s")
            or ("." in name and not name.endswith(".errors"))
        ):
            element.attrib["value"] = "…"
        if element.tag == "failure":
            # The text for people has tests of its own.
            element.text = element.attrib["message"] = "…"
    ET.indent(suite)
    check_gold("junit.xml", ET.tostring(suite, encoding="unicode") + "\n")
