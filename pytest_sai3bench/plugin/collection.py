"""Which files are suites, and suites as pytest collectors.

This is asked about every YAML file in sight, so it imports little: the rest comes when a suite is read.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plugin.state import MET_SUITES
from pytest_sai3bench.plugin.terminal import shown
from pytest_sai3bench.suite.discovery import looks_like_suite, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.loader import LoadedSuite


class SuiteWarning(pytest.PytestWarning):
    """Something in a suite file that is probably not meant so."""


def is_suite(path: Path, session: pytest.Session) -> bool:
    """Tell whether a YAML file is a suite to be collected.

    Files with the ini's names always are. Any other must look like one, and be named on the command line or lie below a
    folder named there: a bare ``pytest`` must never start load by surprise.
    """
    if matches(path, session.config.getini("sai3bench_files")):
        return True
    return _is_named(path, session) and looks_like_suite(path)


def _is_named(path: Path, session: pytest.Session) -> bool:
    if session.isinitpath(path):
        return True
    config = session.config
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        return False
    directory = config.invocation_params.dir
    named = [(directory / argument.partition("::")[0]).resolve() for argument in config.args]
    return any(folder in path.resolve().parents for folder in named)


def _expect(items: Sequence[pytest.Item], suite: Suite) -> None:
    """Set the markers for a suite that is not to run, or is expected to fail; the first item is that of the run."""
    for number, item in enumerate(items):
        if suite.skip is not None:
            item.add_marker(pytest.mark.skip(reason=suite.skip))
        if suite.xfail is None:
            continue
        if number:
            # What a failed run has measured may meet a threshold, also where xfail_strict is set.
            item.add_marker(pytest.mark.xfail(reason=suite.xfail, strict=False))
        else:
            item.add_marker(pytest.mark.xfail(reason=suite.xfail))


class SuiteFile(pytest.File):
    """One suite file; its items are the workload and its thresholds."""

    def collect(self) -> Iterable[pytest.Item]:
        """Read and check the file, without touching any storage."""
        from pytest_sai3bench.plugin.items import ThresholdItem, WorkloadItem  # noqa: PLC0415
        from pytest_sai3bench.plugin.suite_run import SuiteRun  # noqa: PLC0415
        from pytest_sai3bench.thresholds.reading import read_suites  # noqa: PLC0415

        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[MET_SUITES] = True
        strict = bool(self.config.getini("sai3bench_strict"))
        try:
            suites = read_suites(
                self.path,
                env=os.environ,
                shown=str(shown(self.path, self.config)),
                strict=strict,
                duration_s=self.config.getoption("sai3_duration"),
                hosts=() if self.config.getoption("sai3_no_agents") else self.config.getoption("sai3_agents"),
            )
            problems = [problem for planned in suites for problem in planned.loaded.warnings]
            # The combinations of a matrix have most of them in common.
            self._warn([*dict.fromkeys(problems), *self._mark(suites[0].loaded, strict=strict)])
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        for planned in suites:
            run = SuiteRun(planned, f"{self.nodeid}::{planned.plan.name}")
            items: list[pytest.Item] = [WorkloadItem.from_parent(self, name=run.plan.name, run=run)]
            items += [
                ThresholdItem.from_parent(self, name=f"{run.plan.name}/{rule.id}", run=run, rule=rule)
                for rule in planned.rules
            ]
            _expect(items, planned.loaded.suite)
            yield from items

    def _mark(self, loaded: LoadedSuite, *, strict: bool) -> Iterator[Problem]:
        """Set the markers, and yield those that are not registered; raises `SuiteError` where that is not allowed."""
        self.add_marker("sai3bench")
        refused = []
        for index, marker in enumerate(loaded.suite.markers):
            problem = Problem(
                loaded.where(("markers", index)),
                f"markers[{index}]",
                f"the marker '{marker}' is not registered: expected a line '{marker}: …' in the ini option 'markers'",
                "warning",
            )
            # pytest's own words would name a line of pytest.
            with warnings.catch_warnings(record=True) as unknown:
                warnings.simplefilter("always", pytest.PytestUnknownMarkWarning)
                try:
                    self.add_marker(marker)
                except pytest.fail.Exception:
                    refused.append(problem)
            if unknown and strict:
                refused.append(problem)
            elif unknown:
                yield problem
        if refused:
            raise SuiteError(refused)

    def _warn(self, problems: Iterable[Problem]) -> None:
        """Give warnings; raises `SuiteError` with those that the user's filters turn into errors."""
        refused = []
        # Every worker of xdist reads the file, and the controller reads it too: its warnings are enough.
        with warnings.catch_warnings(record=hasattr(self.config, "workerinput")):
            for problem in problems:
                try:
                    warnings.warn_explicit(
                        SuiteWarning(str(problem)), None, str(self.path), problem.location.line
                    )
                except SuiteWarning:
                    refused.append(problem)
        if refused:
            raise SuiteError(refused)
