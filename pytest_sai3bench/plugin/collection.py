"""Which files are suites, and suites as pytest collectors.

This is asked about every YAML file in sight, so it imports little: the rest comes when a suite is read.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, TypedDict

import pytest

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plugin.state import MET_SUITES
from pytest_sai3bench.plugin.terminal import shown
from pytest_sai3bench.suite.discovery import has_key, looks_like_suite, matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.loader import LoadedSuite


class ReadingOptions(TypedDict):
    """Arguments of `collect_suites` that come from options of pytest."""

    shown: str
    strict: bool
    duration_s: float | None
    hosts: Sequence[str] | None


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


def reading_options(path: Path, config: pytest.Config) -> ReadingOptions:
    """Return how the user wants suites to be read."""
    return {
        "shown": str(shown(path, config)),
        "strict": bool(config.getini("sai3bench_strict")),
        "duration_s": config.getoption("sai3_duration"),
        "hosts": () if config.getoption("sai3_no_agents") else config.getoption("sai3_agents"),
    }


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
        from pytest_sai3bench.thresholds.reading import collect_suites  # noqa: PLC0415

        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[MET_SUITES] = True
        options = reading_options(self.path, self.config)
        try:
            suites = collect_suites(self.path, env=os.environ, **options)
            self.check_fixtures(suites[0].loaded)
            problems = [problem for planned in suites for problem in planned.loaded.warnings]
            # The combinations of a matrix have most of them in common.
            problems = [*dict.fromkeys(problems), *self._mark(suites[0].loaded, strict=options["strict"])]
            warn_of(problems, self.path, self.config)
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        for planned in suites:
            label = planned.loaded.label
            run = SuiteRun(planned, f"{self.nodeid}::{planned.loaded.suite.name}{label}")
            items: list[pytest.Item] = [WorkloadItem.from_parent(self, name=run.name, run=run)]
            items += [
                ThresholdItem.from_parent(self, name=f"{run.name}/{rule.id}", run=run, rule=rule)
                for rule in planned.rules
            ]
            _expect(items, planned.loaded.suite)
            yield from items

    def check_fixtures(self, loaded: LoadedSuite) -> None:
        """Raise `SuiteError` for fixtures of the suite that cannot be had; there are none."""
        assert not loaded.suite.fixtures

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


def warn_of(problems: Iterable[Problem], path: Path, config: pytest.Config) -> None:
    """Give warnings; raises `SuiteError` with those that the user's filters turn into errors."""
    refused = []
    # Every worker of xdist reads the file, and the controller reads it too: its warnings are enough.
    with warnings.catch_warnings(record=hasattr(config, "workerinput")):
        for problem in problems:
            try:
                warnings.warn_explicit(SuiteWarning(str(problem)), None, str(path), problem.location.line)
            except SuiteWarning:
                refused.append(problem)
    if refused:
        raise SuiteError(refused)


class FixtureSuiteFile(SuiteFile, pytest.Module):
    """A suite file that names fixtures. Those of the scope of a module need a node of that kind."""

    # There is no module to import.
    obj = None

    def collect(self) -> Iterable[pytest.Item]:
        """See `SuiteFile.collect`."""
        return SuiteFile.collect(self)

    def check_fixtures(self, loaded: LoadedSuite) -> None:
        """Raise `SuiteError` for fixtures of the suite that cannot be had."""
        from pytest_sai3bench.plugin.fixture_values import check_fixtures  # noqa: PLC0415

        check_fixtures(self, loaded)


def suite_file(path: Path, parent: pytest.Collector) -> SuiteFile:
    """Return the collector of a suite."""
    return (FixtureSuiteFile if has_key(path, "fixtures") else SuiteFile).from_parent(parent, path=path)
