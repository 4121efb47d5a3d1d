"""From a suite file to a run that can begin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.plugin.suite_run import SuiteRun
from pytest_sai3bench.suite.loader import UnusableSuiteError, load
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules, find_misspelt

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.thresholds.collection import Compiled


def read(
    path: Path, *, shown: str, strict: bool, duration_s: float | None = None
) -> tuple[LoadedSuite, SuiteRun]:
    """Return a suite and its run; ``shown`` names the file in messages.

    Raises `SuiteError` with the problems of the keys and of the rules, or of the plan and of the rules: without keys
    there is no plan.
    """
    try:
        loaded = load(path, env=os.environ, strict=strict, shown=shown)
    except UnusableSuiteError as error:
        raise SuiteError([*error.problems, *find_misspelt(_texts(error.readable))]) from None
    try:
        plan = build_plan(loaded, env=os.environ, duration_s=duration_s)
    except SuiteError as error:
        raise SuiteError([*error.problems, *find_misspelt(_texts(loaded))]) from None
    return loaded, SuiteRun(path, loaded.text, plan, _compile(loaded, plan))


def _texts(loaded: LoadedSuite) -> list[RuleText]:
    return [
        RuleText(
            entry.rule,
            loaded.where(("thresholds", index)),
            f"thresholds[{index}]",
            entry.severity,
            entry.xfail,
        )
        for index, entry in enumerate(loaded.suite.thresholds)
    ]


def _compile(loaded: LoadedSuite, plan: RunPlan) -> tuple[Compiled, ...]:
    rules, problems = compile_rules(
        _texts(loaded),
        operations=[operation.op for operation in loaded.suite.workload if operation.weight],
        endpoints=[endpoint.uri for endpoint in plan.endpoints],
        agents=list(dict.fromkeys(worker.agent for worker in plan.workers)),
        has_rate=any(stage.rate for worker in plan.workers for stage in worker.stages),
    )
    if problems:
        raise SuiteError(problems)
    return rules
