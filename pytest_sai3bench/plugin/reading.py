"""From a suite file to a run that can begin."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.plugin.suite_run import SuiteRun
from pytest_sai3bench.suite.loader import load
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.thresholds.collection import Compiled


def read(
    path: Path, *, shown: str, strict: bool, duration_s: float | None = None
) -> tuple[LoadedSuite, SuiteRun]:
    """Return a suite and its run; ``shown`` names the file in messages. Raises `SuiteError`."""
    loaded = load(path, env=os.environ, strict=strict, shown=shown)
    plan = build_plan(loaded, env=os.environ, duration_s=duration_s)
    return loaded, SuiteRun(path, loaded.text, plan, _compile(loaded, plan))


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
