"""The items of a suite. Whichever comes first performs the run; all others read its result."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import EmbeddedServerMissing, Sai3benchError
from pytest_sai3bench.plugin.runs import runs_of
from pytest_sai3bench.reports.failure import failure_block

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.plugin.runs import SuiteRun
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.verdicts import Verdict


class ThresholdWarning(pytest.PytestWarning):
    """A threshold that was not met, but only warns."""


class ThresholdFailed(Exception):
    """A threshold was not met, or could not be judged."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class SuiteItem(pytest.Item):
    """Common to all items of a suite: setup is prepare, teardown is cleanup, for the item that performs the run."""

    def __init__(self, *, run: SuiteRun, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.extra_keyword_matches.update(run.keywords)

    def setup(self) -> None:
        """Begin the run, unless another item has."""
        try:
            runs_of(self.config).begin(self.run, self)
        except EmbeddedServerMissing as error:
            pytest.skip(str(error).replace("\n", ": "))
        except Sai3benchError as error:
            # pytest asks repr_failure for errors of the call only.
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def runtest(self) -> None:
        """Run the workload, unless it has been."""
        self.run.work(self)

    def teardown(self) -> None:
        """Clean up after the run, if it is this item's."""
        try:
            self.run.end(self)
        except Sai3benchError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what users can act on without a traceback; a bug of ours keeps its own."""
        if isinstance(excinfo.value, ThresholdFailed):
            width = self.config.get_terminal_writer().fullwidth
            return failure_block(
                excinfo.value.verdict, self.run.result().workload, width, results=self.run.folder
            )
        if isinstance(excinfo.value, Sai3benchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class WorkloadItem(SuiteItem):
    """``file.yaml::workload``: passes when the run went through and its numbers reconcile."""

    def runtest(self) -> None:
        """Run the workload, and judge the run itself."""
        super().runtest()
        self.run.require_sound()
        if self.run.folder is not None:
            self.user_properties.append(("sai3bench_results", str(self.run.folder)))

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line and title."""
        return self.path, 0, f"workload {self.name}"


class ThresholdItem(SuiteItem):
    """``file.yaml::workload/get.p99``: passes when the threshold is met."""

    def __init__(self, *, rule: Compiled, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        if rule.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=rule.xfail, raises=ThresholdFailed))

    def runtest(self) -> None:
        """Judge the run."""
        super().runtest()
        verdict = self.run.verdict(self.rule)
        self.user_properties += [
            ("threshold", verdict.text),
            ("measured", verdict.measured_text),
            ("limit", verdict.limit_text),
            ("samples", verdict.samples),
        ]
        if verdict.outcome == "passed":
            return
        choice = self.config.getini("sai3bench_inconclusive")
        if verdict.outcome == "inconclusive" and choice == "skip":
            pytest.skip(verdict.reason)
        if verdict.severity == "warn" or (verdict.outcome == "inconclusive" and choice == "warn"):
            line = verdict.location.line if verdict.location else 1
            warnings.warn_explicit(ThresholdWarning(verdict.reason), None, str(self.path), line)
            return
        raise ThresholdFailed(verdict)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line of the threshold and title."""
        line = self.rule.location.line - 1 if self.rule.location else 0
        # Not the name alone: pytest would show its dots as "::".
        return self.path, line, f"{self.name}: {self.rule.text}"
