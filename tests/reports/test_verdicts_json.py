from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench import __version__
from pytest_sai3bench.reports.verdicts_json import JudgedRun, verdicts_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.verdicts import Effect, Outcome, Severity, Verdict


def test_a_session_of_two_runs(
    check_gold: Callable[[str, str], None], run: RunResult, passed: Verdict, failed: Verdict
) -> None:
    begun = replace(run, status="failed", reason="prepare: agent a2 was lost", phases=(), run_id="")
    lonely = replace(
        failed, outcome="inconclusive", measured=None, measured_text="", margin=None, samples=0, rows=()
    )
    judged = [
        JudgedRun("suites/three.yaml::mixed", run, [passed, failed], Path("results/three/mixed")),
        JudgedRun(
            "suites/other.yaml::mixed", begun, [replace(lonely, location=None, reason=begun.reason)], None
        ),
    ]
    document = verdicts_document(judged)
    assert document.pop("generator") == f"pytest-sai3bench {__version__}"
    check_gold("verdicts.json", json.dumps(document, indent=1) + "\n")


def test_a_session_without_runs() -> None:
    assert verdicts_document([]) == {
        "format": 1,
        "generator": f"pytest-sai3bench {__version__}",
        "counts": {"passed": 0, "failed": 0, "xfailed": 0, "warned": 0, "inconclusive": 0},
        "runs": [],
    }


@pytest.mark.parametrize(
    ("outcome", "severity", "xfail", "effect"),
    [
        ("passed", "fail", None, "passed"),
        ("passed", "warn", "firmware", "passed"),
        ("failed", "fail", None, "failed"),
        ("failed", "warn", None, "warned"),
        ("failed", "fail", "firmware", "xfailed"),
        ("failed", "warn", "firmware", "xfailed"),
        ("inconclusive", "warn", "firmware", "inconclusive"),
    ],
)
def test_what_a_verdict_counts_as(
    failed: Verdict, outcome: Outcome, severity: Severity, xfail: str | None, effect: Effect
) -> None:
    assert replace(failed, outcome=outcome, severity=severity, xfail=xfail).effect == effect
