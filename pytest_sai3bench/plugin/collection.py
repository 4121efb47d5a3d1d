"""Suite files as pytest collectors: which files they are, and which items they hold."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.plugin.items import ThresholdItem, WorkloadItem
from pytest_sai3bench.plugin.runs import SuiteRun
from pytest_sai3bench.suite.discovery import looks_like_suite, matches
from pytest_sai3bench.suite.loader import load
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_sai3bench.errors import Problem
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.thresholds.collection import Compiled


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


class SuiteFile(pytest.File):
    """One suite file; its items are the workload and its thresholds."""

    def collect(self) -> Iterable[pytest.Item]:
        """Read and check the file, without touching any storage."""
        shown = _shown(self.path, self.config)
        strict = bool(self.config.getini("sai3bench_strict"))
        try:
            loaded = load(self.path, env=os.environ, strict=strict, shown=shown)
            plan = build_plan(loaded, env=os.environ, duration_s=self.config.getoption("sai3_duration"))
            rules = _compile(loaded, plan)
        except SuiteError as error:
            raise self.CollectError(str(error)) from None
        self._warn(loaded.warnings)
        self.add_marker("sai3bench")
        for marker in loaded.suite.markers:
            self.add_marker(marker)
        run = SuiteRun(self.path, loaded.text, plan, rules)
        yield WorkloadItem.from_parent(self, name=plan.name, run=run)
        for rule in rules:
            yield ThresholdItem.from_parent(self, name=f"{plan.name}/{rule.id}", run=run, rule=rule)

    def _warn(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            try:
                warnings.warn_explicit(
                    SuiteWarning(str(problem)), None, str(self.path), problem.location.line
                )
            except SuiteWarning as error:
                # The user turned warnings into errors.
                raise self.CollectError(str(error)) from None


def _shown(path: Path, config: pytest.Config) -> str:
    """Return a path as users know it: relative to where they are, if it lies below."""
    directory = config.invocation_params.dir
    return str(path.relative_to(directory)) if path.is_relative_to(directory) else str(path)


def _compile(loaded: LoadedSuite, plan: RunPlan) -> tuple[Compiled, ...]:
    texts = [
        RuleText(
            entry.rule,
            loaded.where(("thresholds", index)),
            f"thresholds[{index}]",
            entry.severity,
            entry.xfail,
        )
        for index, entry in enumerate(loaded.suite.thresholds)
    ]
    rules, problems = compile_rules(
        texts,
        operations=[operation.op for operation in loaded.suite.workload if operation.weight],
        endpoints=[endpoint.uri for endpoint in plan.endpoints],
        agents=list(dict.fromkeys(worker.agent for worker in plan.workers)),
    )
    if problems:
        raise SuiteError(problems)
    return rules
