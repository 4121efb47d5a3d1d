"""Shows on GitHub Actions what failed, at its line, and what all runs measured; there is no option, it is there or not."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.plugin.state import SUFFIXES

if TYPE_CHECKING:
    import warnings
    from collections.abc import Sequence

    import pytest

    from pytest_sai3bench.reports.verdicts_json import JudgedRun

_PROBLEM = re.compile(r"(?P<file>.+?):(?P<line>\d+): (?P<message>.+)")


class GitHub:
    """Gathers annotations while the session runs, and shows them at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._lines: dict[str, None] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what failed of a suite, or of a test that measures."""
        if not report.failed or "sai3bench" not in report.keywords:
            return
        file, line, _ = report.location
        path, line = self._config.rootpath / file, (line or 0) + 1
        is_suite = path.suffix.lower() in SUFFIXES
        crash = None if is_suite else getattr(report.longrepr, "reprcrash", None)
        if crash is not None:
            path, line = self._config.invocation_params.dir / crash.path, crash.lineno
        message = crash.message if crash is not None else report.longreprtext
        self._note("error", message, path, line, report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what is wrong in a suite; every worker of xdist says so."""
        if not report.failed or Path(report.nodeid).suffix.lower() not in SUFFIXES:
            return
        for text in report.longreprtext.splitlines():
            if problem := _PROBLEM.fullmatch(text):
                path = self._config.invocation_params.dir / problem["file"]
                self._note("error", problem["message"], path, int(problem["line"]), report.nodeid)

    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage, nodeid: str) -> None:
        """Note what is odd in a suite, and thresholds that only warn."""
        if warning_message.category.__module__.startswith("pytest_sai3bench."):
            path = self._config.invocation_params.dir / warning_message.filename
            self._note("warning", str(warning_message.message), path, warning_message.lineno, nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write all annotations, each in a line of its own."""
        terminalreporter.ensure_newline()
        for line in self._lines:
            terminalreporter.write_line(line)

    def append_summary(self, runs: Sequence[JudgedRun]) -> None:
        """Add to the job summary, where there is one, how runs went; raises `ResultsError`."""
        path = os.environ.get("GITHUB_STEP_SUMMARY")
        if not path:
            return
        from pytest_sai3bench.errors import ResultsError  # noqa: PLC0415 - most sessions have no suites
        from pytest_sai3bench.reports.github import job_summary  # noqa: PLC0415

        try:
            with Path(path).open("a", encoding="utf-8") as stream:
                stream.write(job_summary(runs))
        except OSError as error:
            raise ResultsError(
                f"the job summary cannot be written: {path}: {error.strerror}",
                remedy="The variable GITHUB_STEP_SUMMARY names the file; unset it to go without.",
            ) from error

    def _note(self, level: str, message: str, path: Path, line: int, title: str) -> None:
        from pytest_sai3bench.reports.github import annotation  # noqa: PLC0415 - most sessions have no suites

        # Files are known by their place in the repository.
        workspace = os.environ.get("GITHUB_WORKSPACE", self._config.rootpath)
        file = path.relative_to(workspace) if path.is_relative_to(workspace) else path
        self._lines[
            annotation(level, message, file=file.as_posix(), line=line, title=title or "pytest-sai3bench")
        ] = None
