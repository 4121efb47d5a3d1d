"""Suites run by tests in Python: the fixture ``sai3bench``."""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import EmbeddedServerMissing, Problem, Sai3benchError, SuiteError
from pytest_sai3bench.plugin.collection import reading_options, warn_of
from pytest_sai3bench.plugin.items import ThresholdWarning
from pytest_sai3bench.plugin.measured import Result
from pytest_sai3bench.plugin.runs import runs_of
from pytest_sai3bench.plugin.suite_run import SuiteRun
from pytest_sai3bench.plugin.terminal import shown, width_of
from pytest_sai3bench.reports.failure import failure_block
from pytest_sai3bench.reports.properties import run_properties
from pytest_sai3bench.suite.loader import Written
from pytest_sai3bench.thresholds.reading import collect_suites, read_suites
from pytest_sai3bench.units import parse_duration

if TYPE_CHECKING:
    from types import FrameType

    from pytest_sai3bench.thresholds.reading import PlannedSuite
    from pytest_sai3bench.thresholds.verdicts import Verdict

__all__ = ["MeasurementWarning", "Result", "Sai3bench", "ThresholdsUnmetError"]


class MeasurementWarning(pytest.PytestWarning):
    """A self-check of a run failed: its numbers may say more of the load generator than of the storage."""


class ThresholdsUnmetError(AssertionError):
    """Thresholds of a suite were not met, or could not be judged; ``result`` is all the same what was measured."""

    def __init__(self, text: str, result: Result) -> None:
        super().__init__(text)
        self.result = result


class Sai3bench:
    """Runs suites for one test, one after the other; each has its folder of results and its place in all reports."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._item: pytest.Item = request.node
        self._config = request.config
        self._names: Counter[str] = Counter()

    def run(
        self,
        suite: str | os.PathLike[str] | Mapping[str, Any],
        *,
        duration: str | float | None = None,
        variables: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Result:
        """Run a suite, clean up, and return what it measured.

        ``suite`` is a file, relative to that of the test, or what a file would hold as a mapping. ``duration`` (seconds, or
        text such as "10s") replaces the suite's own, unless ``--sai3-duration`` does. ``variables`` are known to the suite
        beside the environment. Raises `SuiteError` for what is wrong in the suite, `RunError` when the run does not go
        through, and with ``check`` `ThresholdsUnmetError` when thresholds of the suite are not met.
        """
        __tracebackhide__ = True
        self._require_main_process()
        try:
            planned = self._read(suite, sys._getframe(1), duration, variables or {})  # noqa: SLF001
            if planned.loaded.suite.skip is not None:
                pytest.skip(planned.loaded.suite.skip)
            run = self._carry_out(planned)
        except Sai3benchError as error:
            # What users can act on is shown at their line; a bug of ours keeps its traceback.
            raise error.with_traceback(None) from None
        verdicts = tuple(run.verdict(rule) for rule in run.rules)
        assert run.folder is not None
        result = Result(run.result(), verdicts, run.folder)
        for failed in (one for one in result.run.checks if not one.passed):
            text = f"{run.nodeid}: check {failed.name}: {failed.value}, expected {failed.expected}"
            warnings.warn(MeasurementWarning(text), stacklevel=2)
        if check:
            self._require_met(run, result)
        return result

    def _require_main_process(self) -> None:
        __tracebackhide__ = True
        if not hasattr(self._config, "workerinput"):
            return
        if self._config.getoption("sai3_xdist") == "skip":
            pytest.skip("--sai3-xdist=skip")
        pytest.fail(
            "nothing can be measured on a worker of xdist: "
            "expected the fixture sai3bench among the arguments of the test, which then runs alone",
            pytrace=False,
        )

    def _read(
        self,
        suite: str | os.PathLike[str] | Mapping[str, Any],
        caller: FrameType,
        duration: str | float | None,
        variables: Mapping[str, str],
    ) -> PlannedSuite:
        written = None
        if isinstance(suite, Mapping):
            name = re.sub(r"[^\w.=-]", "_", self._item.name)
            path = self._item.path.with_name(f"{name}.yaml")
            written = Written(json.dumps(suite, indent=1, default=_plain), caller.f_lineno)
            options = reading_options(Path(caller.f_code.co_filename), self._config)
        else:
            path = self._item.path.parent / suite
            options = reading_options(path, self._config)
        if options["duration_s"] is None and duration is not None:
            options["duration_s"] = parse_duration(duration)
        env = {**os.environ, **variables}
        (first, *others) = collect_suites(path, env=env, written=written, **options)
        loaded = first.loaded
        if others:
            count = len(others) + 1
            message = (
                f"it makes {count} suites: expected a single one; pytest.mark.parametrize makes several tests"
            )
            raise SuiteError([Problem(loaded.where(("matrix",)), "matrix", message)])
        if loaded.suite.fixtures:
            from pytest_sai3bench.plugin.fixture_values import texts_of  # noqa: PLC0415

            values = {name: self._request.getfixturevalue(name) for name in loaded.suite.fixtures}
            # They may have changed the environment.
            env = {**os.environ, **variables, **texts_of(values, loaded)}
        (planned,) = read_suites(path, env=env, written=written, **options)
        # What is built in code is written there.
        warn_of(planned.loaded.warnings, self._item.path if written else path, self._config)
        return planned

    def _carry_out(self, planned: PlannedSuite) -> SuiteRun:
        name = f"{planned.loaded.suite.name}"
        self._names[name] += 1
        number = f"-{self._names[name]}" if self._names[name] > 1 else ""
        run = SuiteRun(planned, f"{self._item.nodeid}/{name}{number}")
        try:
            runs_of(self._config).begin(run, self._item)
            self._item.user_properties.append(("sai3bench_results", str(run.folder)))
            run.work(self._item)
            self._item.user_properties += run_properties(run.result())
        except EmbeddedServerMissing as error:
            pytest.skip(str(error).replace("\n", " "))
        finally:
            run.end(self._item)
        run.require_sound()
        return run

    def _require_met(self, run: SuiteRun, result: Result) -> None:
        """Raise `ThresholdsUnmetError`, or warn, or skip the test, as items of a suite would."""
        __tracebackhide__ = True
        choice = self._config.getini("sai3bench_inconclusive")
        unmet: list[Verdict] = []
        unknown: list[Verdict] = []
        for verdict in result.verdicts:
            if verdict.effect == "warned" or (verdict.effect == "inconclusive" and choice == "warn"):
                warnings.warn(ThresholdWarning(verdict.reason), stacklevel=3)
            elif verdict.effect == "inconclusive" and choice == "skip":
                unknown.append(verdict)
            elif verdict.effect in ("failed", "inconclusive"):
                unmet.append(verdict)
        if unmet:
            if run.loaded.suite.xfail is not None:
                pytest.xfail(run.loaded.suite.xfail)
            raise ThresholdsUnmetError("\n\n".join(self._blocks(unmet, result)), result)
        if unknown:
            pytest.skip(unknown[0].reason)

    def _blocks(self, verdicts: list[Verdict], result: Result) -> list[str]:
        folder = shown(result.folder, self._config)
        blocks = [failure_block(one, result.run.workload, width_of(self._config)) for one in verdicts]
        return [*blocks, f"results: {folder}"]


def _plain(value: object) -> object:
    """Return what JSON can hold instead of a value of a suite that is built in code."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"a suite holds a {type(value).__name__}: expected text, numbers, lists and mappings")
