"""The items of a suite. Whichever comes first performs the run; all others read its result."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import EmbeddedServerMissing, Sai3benchError
from pytest_sai3bench.plugin.benchmark_bridge import is_benchmark
from pytest_sai3bench.plugin.runs import runs_of
from pytest_sai3bench.plugin.terminal import shown, width_of
from pytest_sai3bench.reports.failure import failure_block
from pytest_sai3bench.reports.properties import run_properties

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_sai3bench.plugin.suite_run import SuiteRun
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.verdicts import Verdict


class ThresholdWarning(pytest.PytestWarning):
    """A threshold that was not met, but only warns."""


class ThresholdUnmetError(Exception):
    """A threshold that did not pass; it never leaves its item."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class ThresholdFailed(ThresholdUnmetError):
    """A threshold was not met."""


class ThresholdInconclusive(ThresholdUnmetError):
    """A threshold could not be judged: what is expected to fail has not failed then."""


class SuiteItem(pytest.Item):
    """Common to all items of a suite: setup is prepare, teardown is cleanup, for the item that performs the run."""

    def __init__(self, *, run: SuiteRun, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.extra_keyword_matches.update(run.keywords)
        if is_benchmark(self.config):
            self.fixturenames = ["benchmark"]

    def setup(self) -> None:
        """Begin the run, unless another item has."""
        if self.config.getoption("setupplan", default=False):
            # Asked to show what would be set up, not to do it.
            return
        try:
            names = self.run.loaded.suite.fixtures
            runs_of(self.config).begin(self.run, self, self._set_up if names else None)
        except EmbeddedServerMissing as error:
            raise _skipped(str(error).replace("\n", " ")) from None
        except Sai3benchError as error:
            # pytest asks repr_failure for errors of the call only.
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def runtest(self) -> None:
        """Run the workload, unless it has been."""
        self.run.work(self)

    def teardown(self) -> None:
        """Clean up after the run, if it is this item's."""
        self._end()

    def _set_up(self) -> Mapping[str, str]:
        """Set up the fixtures of the suite, and return the variables that stand for their values."""
        from pytest_sai3bench.plugin.fixture_values import set_up, texts_of  # noqa: PLC0415

        loaded = self.run.loaded
        values = set_up(self, loaded.suite.fixtures)
        # What is added last is done first: the storage must be there until it is cleaned up.
        self.addfinalizer(self._end)
        return texts_of(values, loaded)

    def _end(self) -> None:
        try:
            self.run.end(self)
        except Sai3benchError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Show what users can act on without a traceback; a bug of ours keeps its own."""
        if isinstance(excinfo.value, ThresholdUnmetError):
            verdict, result = excinfo.value.verdict, self.run.result()
            return failure_block(
                verdict,
                result.phase(verdict.stage) if verdict.stage else result.workload,
                width_of(self.config),
                results=self.run.folder and shown(self.run.folder, self.config),
            )
        if isinstance(excinfo.value, Sai3benchError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class WorkloadItem(SuiteItem):
    """``file.yaml::workload``: passes when the run went through and its numbers reconcile."""

    def runtest(self) -> None:
        """Run the workload, and judge the run itself."""
        self.user_properties.append(("sai3bench_results", str(self.run.folder)))
        try:
            super().runtest()
        finally:
            self.user_properties += run_properties(self.run.result())
        self.run.require_sound()

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line and title."""
        return self.path, 0, f"workload {self.name}"


class ThresholdItem(SuiteItem):
    """``file.yaml::workload/get.p99``: passes when the threshold is met."""

    def __init__(self, *, rule: Compiled, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rule = rule
        # For -k, which has no equals sign: get.p99[endpoint-3].
        self.extra_keyword_matches.add(rule.id.replace("=", "-"))
        if rule.skip is not None:
            self.add_marker(pytest.mark.skip(reason=rule.skip))
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
            ("outcome", verdict.outcome),
            # Numbers for programs: in bytes/s, 1/s or seconds, and how far from the limit.
            ("value", "" if verdict.measured is None else repr(verdict.measured)),
            ("margin", "" if verdict.margin is None else f"{verdict.margin:.4g}"),
        ]
        if verdict.outcome == "passed":
            return
        if self.run.creates_baseline_of(self.rule):
            raise _skipped(f"{verdict.reason}; it has been made of this run")
        choice = self.config.getini("sai3bench_inconclusive") if verdict.outcome == "inconclusive" else "fail"
        if choice == "skip":
            raise _skipped(verdict.reason)
        if "warn" in (choice, verdict.severity):
            self._warn(verdict)
        else:
            raise _unmet(verdict)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return file, line of the threshold and title."""
        # Not the name alone: pytest would show its dots as "::".
        return self.path, self._line - 1, f"{self.name}: {self.rule.text}"

    @property
    def _line(self) -> int:
        return self.rule.location.line if self.rule.location else 1

    def _warn(self, verdict: Verdict) -> None:
        try:
            warnings.warn_explicit(ThresholdWarning(verdict.reason), None, str(self.path), self._line)
        except ThresholdWarning:
            # The user's filters turn warnings into errors.
            raise _unmet(verdict) from None


def _skipped(reason: str) -> BaseException:
    # Without the item's location, the summary of skipped tests names a line of this file.
    return pytest.skip.Exception(reason, _use_item_location=True)


def _unmet(verdict: Verdict) -> ThresholdUnmetError:
    return (ThresholdFailed if verdict.outcome == "failed" else ThresholdInconclusive)(verdict)
