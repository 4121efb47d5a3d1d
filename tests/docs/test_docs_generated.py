"""Parts of the reference that are made from the code, or must agree with it, are current."""

from __future__ import annotations

import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench import errors
from pytest_sai3bench.agent.messages import FAILURE_KINDS
from pytest_sai3bench.fleet.causes import remedy_for
from pytest_sai3bench.fleet.host_causes import remedies
from pytest_sai3bench.reports.op_log import describe_op_log
from pytest_sai3bench.reports.perf_log import describe_perf_log
from pytest_sai3bench.reports.results_tsv import describe_columns
from pytest_sai3bench.results.checks import check_phase
from pytest_sai3bench.results.model import AgentReport, PhaseResult
from pytest_sai3bench.suite.describe import describe_suite
from pytest_sai3bench.thresholds.vocabulary import METRICS, SCOPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
ROOT = Path(__file__).parents[2]
_GENERATED = [
    ("suite.md", "keys of a suite", describe_suite),
    ("results.md", "columns of results.tsv", describe_columns),
    ("results.md", "columns of perf_log.tsv", describe_perf_log),
    ("results.md", "columns of op_log.tsv", describe_op_log),
]
_UNITS = {
    "bytes_per_s": "bytes per second",
    "per_s": "per second",
    "seconds": "time",
    "percent": "percent",
    "number": "none",
}


@pytest.mark.parametrize(("name", "what", "describe"), _GENERATED, ids=[what for _, what, _ in _GENERATED])
def test_a_generated_part_is_current(name: str, what: str, describe: Callable[[], str]) -> None:
    """SAI3BENCH_WRITE_DOCS=1 writes the parts anew."""
    path = ROOT / "docs" / "reference" / name
    begin, end = f"<!-- begin: {what} -->\n", f"<!-- end: {what} -->\n"
    before, opened, rest = path.read_text(encoding="utf-8").partition(begin)
    found, closed, after = rest.partition(end)
    assert opened
    assert closed
    wanted = f"\n{describe()}\n"
    if os.environ.get("SAI3BENCH_WRITE_DOCS") == "1":
        path.write_text(before + begin + wanted + end + after, encoding="utf-8")
    else:
        assert found == wanted


def test_every_metric_is_described(table: Callable[[str, str], list[list[str]]]) -> None:
    rows = [row[:5] for row in table("reference/thresholds.md", "Metrics")]
    assert rows == [
        [
            metric.name,
            _UNITS[metric.kind],
            metric.home,
            str(metric.samples_needed) if metric.is_latency else "-",
            metric.example,
        ]
        for metric in METRICS.values()
    ]


def test_every_scope_is_described(table: Callable[[str, str], list[list[str]]]) -> None:
    assert sorted(row[0] for row in table("reference/thresholds.md", "Scopes")) == sorted(SCOPES)


def test_every_cause_has_its_remedy(table: Callable[[str, str], list[list[str]]]) -> None:
    rows = table("reference/errors.md", "Causes found before the load")
    assert [row[0] for row in rows] == list(FAILURE_KINDS)
    assert [(kind, remedy) for kind, _, remedy in rows if remedy_for(kind)] == [
        (kind, remedy_for(kind)) for kind in FAILURE_KINDS if remedy_for(kind)
    ]


def test_every_cause_of_a_host_has_its_remedy(table: Callable[[str, str], list[list[str]]]) -> None:
    rows = table("reference/errors.md", "Hosts that cannot be used")
    assert {kind: remedy for kind, _, remedy in rows} == remedies()


def test_every_error_is_in_the_tree(table: Callable[[str, str], list[list[str]]]) -> None:
    def tree(cls: type[errors.Sai3benchError], above: str = "") -> Iterator[list[str]]:
        yield [cls.__name__, cls.code, above]
        for below in cls.__subclasses__():
            if below.__module__ == errors.__name__:
                yield from tree(below, cls.__name__)

    rows = [row[:3] for row in table("reference/errors.md", "The tree")]
    assert sorted(rows) == sorted(tree(errors.Sai3benchError))


def test_every_self_check_is_described(table: Callable[[str, str], list[list[str]]]) -> None:
    nothing = PhaseResult(phase="workload", endpoints=(), agents=(), series={})
    assert [row[0] for row in table("reference/results.md", "Self-checks")] == [
        check.name for check in check_phase(nothing)
    ]


def test_every_field_of_result_json_is_described(table: Callable[[str, str], list[list[str]]]) -> None:
    def described(heading: str) -> list[str]:
        return [row[0] for row in table("reference/results.md", heading)]

    document = json.loads((ROOT / "tests" / "gold" / "result.json").read_text(encoding="utf-8"))
    phase = next(phase for phase in document["phases"] if phase["phase"] == "workload")
    parts = {
        "run": document["run"],
        "phases[]": phase,
        "phases[].series[]": phase["series"][0],
        "phases[].ticked": phase["ticked"],
        "phases[].agents[].contacts[]": phase["agents"][0]["contacts"][0],
        "phases[].errors[]": phase["errors"][0],
        "checks[]": document["checks"][0],
        "verdicts[]": document["verdicts"][0],
    }
    assert {heading: described(f"`{heading}`") for heading in parts} == {
        heading: list(part) for heading, part in parts.items()
    }
    assert set(described("`result.json`")) - {"generator"} == set(document) - {"generator"}
    assert described("`phases[].agents[]`") == [field.name for field in fields(AgentReport)]
