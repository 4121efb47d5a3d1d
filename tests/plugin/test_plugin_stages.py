"""Suites in stages as users see them: items, output, files, dry run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUITE = """\
name: staged
target: {target}
concurrency: 2
stages:
  - {{name: check, order: 1, type: validation}}
  - {{name: fill, order: 2, type: prepare, expected_objects: 20}}
  - {{name: warm up, order: 3, type: execute, duration: 300ms}}
  - {{name: script, order: 4, type: custom, command: "true", args: ["a b"], timeout_secs: 1m, optional: true}}
  - {{name: steady, order: 5, type: execute, duration: 400ms, barrier: {{type: majority}}}}
  - {{name: burst, order: 6, type: hybrid, expected_tasks: 30}}
  - {{name: clean, order: 7, type: cleanup}}
prepare:
  ensure_objects: [{{base_uri: data/, count: 21, size_spec: 1KiB}}]
workload:
  - {{op: get, path: "data/*", weight: 1}}
thresholds:
  - get.p50 < 10 s
  - {{rule: get.count >= 100 000 000, stage: warm up}}
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, store: Path) -> Path:
    path = pytester.path / "suite.sai3.yaml"
    path.write_text(_SUITE.format(target=f"{store.as_uri()}/"))
    return path


def test_each_stage_with_the_workload_is_judged(
    pytester: pytest.Pytester, suite: Path, store: Path, block: Callable[..., list[str]]
) -> None:
    result = pytester.runpytest_inprocess("-v")

    lines = [
        line.split("%")[0].rsplit(" ", 2)[0].rstrip(" [")
        for line in result.outlines
        if ".yaml::staged" in line
    ]
    assert [line for line in lines if " PASSED" in line or " FAILED" in line] == [
        "suite.sai3.yaml::staged PASSED",
        "suite.sai3.yaml::staged/get.p50[stage=warm-up] PASSED",
        "suite.sai3.yaml::staged/get.p50[stage=steady] PASSED",
        "suite.sai3.yaml::staged/get.p50[stage=burst] PASSED",
        "suite.sai3.yaml::staged/get.count[stage=warm-up] FAILED",
        "suite.sai3.yaml::staged/total.errors[stage=warm-up] PASSED",
        "suite.sai3.yaml::staged/total.errors[stage=steady] PASSED",
        "suite.sai3.yaml::staged/total.errors[stage=burst] PASSED",
    ]
    failure = "\n".join(block(result, "staged/get.count[stage=warm-up]: get.count >= 100 000 000"))
    assert failure.lstrip().startswith("stage warm up: get.count was ")
    assert list(store.iterdir()) == []
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "staged"
    assert sorted(path.name for path in folder.glob("*results.tsv")) == [
        "01_check_results.tsv",
        "02_fill_results.tsv",
        "03_warm_up_results.tsv",
        "04_script_results.tsv",
        "05_steady_results.tsv",
        "06_burst_results.tsv",
        "07_clean_results.tsv",
        "prepare_results.tsv",
        "results.tsv",
    ]
    assert (folder / "results.tsv").read_text() == (folder / "06_burst_results.tsv").read_text()
    rules = {
        name: [
            line.split("\t")[0]
            for line in (folder / name).read_text().splitlines()
            if line[:3] in ("get", "tot")
        ]
        for name in ("03_warm_up_results.tsv", "05_steady_results.tsv")
    }
    assert [rule for rule in rules["03_warm_up_results.tsv"] if "[" in rule] == [
        "get.p50[stage=warm-up]",
        "get.count[stage=warm-up]",
        "total.errors[stage=warm-up]",
    ]
    assert [rule for rule in rules["05_steady_results.tsv"] if "[" in rule] == [
        "get.p50[stage=steady]",
        "total.errors[stage=steady]",
    ]
    document = json.loads((folder / "result.json").read_text())
    assert [(phase["position"], phase["phase"], phase["kind"]) for phase in document["phases"]] == [
        (1, "check", "validation"),
        (2, "fill", "prepare"),
        (3, "warm up", "workload"),
        (4, "script", "custom"),
        (5, "steady", "workload"),
        (6, "burst", "workload"),
        (7, "clean", "cleanup"),
    ]
    stages = {line.split("\t")[3] for line in (folder / "perf_log.tsv").read_text().splitlines()[1:]}
    assert stages >= {"fill", "warm up", "steady", "clean"}
    summary = [line.strip() for line in result.outlines]
    (overview,) = [line for line in summary if line.startswith("stages: ")]
    assert [part.split()[0] for part in overview.removeprefix("stages: ").split(", ")] == [
        "check", "fill", "warm", "script", "steady", "burst", "clean",
    ]  # fmt: skip
    assert [line.split(" (")[0] for line in summary if line.startswith("stage ")][-3:] == [
        "stage warm up",
        "stage steady",
        "stage burst",
    ]


def test_the_dry_run_tells_of_each_stage(
    pytester: pytest.Pytester, suite: Path, store: Path, scrub: Callable[[str], str]
) -> None:
    result = pytester.runpytest_inprocess("-q", "--sai3-dry-run", "--sai3-duration", "2s")

    lines = result.outlines
    begin = lines.index("stage 1 check, suite.sai3.yaml:5")
    assert lines[begin : lines.index("", lines.index("stage 7 clean, suite.sai3.yaml:11"))] == [
        "stage 1 check, suite.sai3.yaml:5",
        "  validation: every agent checks its endpoints",
        "",
        "stage 2 fill, suite.sai3.yaml:6",
        "  prepare: 21 objects, 21 KiB; those that are missing are written",
        "    data/prepared-*.dat  21 x 1 KiB  21 KiB  suite.sai3.yaml:13",
        "",
        "stage 3 warm up, suite.sai3.yaml:7",
        "  workload: 2 s",
        "    get data/*  100.0%  suite.sai3.yaml:15",
        "",
        "stage 4 script, suite.sai3.yaml:8, at most 1m, optional",
        "  custom: every agent runs true 'a b'",
        "",
        "stage 5 steady, suite.sai3.yaml:9, barrier majority",
        "  workload: 2 s",
        "    get data/*  100.0%  suite.sai3.yaml:15",
        "",
        "stage 6 burst, suite.sai3.yaml:10",
        "  workload: 2 s",
        "    get data/*  100.0%  suite.sai3.yaml:15",
        "  ends after 30 operations",
        "",
        "stage 7 clean, suite.sai3.yaml:11",
        "  cleanup: what the run made, at most 21 objects, 21 KiB of prepare",
        "    data/prepared-*.dat  21 x 1 KiB  21 KiB  suite.sai3.yaml:13",
    ]
    assert "takes 6 s without fill, script and clean" in lines
    assert (
        "note: suite.sai3.yaml:6: fill expects 20 objects, the suite has 21 (prepare.ensure_objects)" in lines
    )
    assert list(store.iterdir()) == []


def test_a_suite_without_load_is_its_stages(pytester: pytest.Pytester, suite: Path, store: Path) -> None:
    text = suite.read_text().partition("thresholds:")[0]
    kept = [line for line in text.split("\n") if "execute" not in line and "hybrid" not in line]
    suite.write_text("\n".join(kept).replace("order: 4", "order: 3").replace("order: 7", "order: 4"))
    result = pytester.runpytest_inprocess("-q")

    result.assert_outcomes(passed=1)
    assert list(store.iterdir()) == []
