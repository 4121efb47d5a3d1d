"""Texts for GitHub Actions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.reports.github import LARGEST_SUMMARY, annotation, job_summary
from pytest_sai3bench.reports.verdicts_json import JudgedRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict


def test_an_annotation_escapes_what_has_a_meaning() -> None:
    shown = annotation("error", "50% of\r\na: b, c", file="a,b.yaml", line=3, title="s::x[50%]")
    assert shown == "::error file=a%2Cb.yaml,line=3,title=s%3A%3Ax[50%25]::50%25 of%0D%0Aa: b, c"


def test_a_summary_of_two_runs(
    check_gold: Callable[[str, str], None], run: RunResult, passed: Verdict, failed: Verdict
) -> None:
    begun = replace(run, status="failed", reason="agent a2 | was lost\nLook there.", phases=())
    runs = [
        JudgedRun("suites/three.yaml::mixed", run, [passed, failed], None),
        JudgedRun("suites/other.yaml::mixed", begun, [], None),
    ]
    check_gold("github_summary.md", job_summary(runs))


def test_a_summary_is_cut_where_github_would_refuse_it(run: RunResult) -> None:
    long = replace(run, reason="é" * LARGEST_SUMMARY, phases=())
    text = job_summary([JudgedRun("s.yaml::mixed", long, [], None)])
    assert LARGEST_SUMMARY - 2 <= len(text.encode()) <= LARGEST_SUMMARY
    assert text.endswith("é\n…\n")
