"""From a suite file to all that is known about it before any load: its keys, its plan, its rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import UnusableSuiteError, load_all
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.thresholds.collection import (
    RuleText,
    Times,
    compile_rules,
    compile_unplanned,
    find_misspelt,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.loader import LoadedSuite, Written
    from pytest_sai3bench.thresholds.collection import Compiled


@dataclass(frozen=True)
class PlannedSuite:
    """A suite file that is right: what it says, what would be done, and by which rules it would be judged.

    ``make_plan`` makes the plan again, see `build_plan`, for other ``cores``.
    """

    loaded: LoadedSuite
    plan: RunPlan
    rules: tuple[Compiled, ...]
    make_plan: Callable[..., RunPlan] = field(repr=False, compare=False)


@dataclass(frozen=True)
class WaitingSuite:
    """A suite file that is right as far as it is known before its fixtures have values; it has no plan yet.

    A rule on ``each(...)`` is one of ``rules`` still.
    """

    loaded: LoadedSuite
    rules: tuple[Compiled, ...]


def collect_suites(
    path: Path,
    *,
    env: Mapping[str, str],
    shown: str = "",
    strict: bool = False,
    duration_s: float | None = None,
    hosts: Sequence[str] | None = None,
    written: Written | None = None,
) -> tuple[PlannedSuite | WaitingSuite, ...]:
    """Read the suites of a file, one for each combination of its matrix, without touching any storage.

    ``shown`` names the file in messages. ``strict`` turns tolerated oddities, such as unknown keys, into errors;
    ``duration_s`` replaces the suite's, ``hosts`` those of its agents (see `build_plan`). ``env`` has the variables of
    the environment, and the values of fixtures where they are known; what is ``written`` counts as if it were in the
    file. Raises `SuiteError` with the problems of the keys
    and of the rules, or of the plan and of the rules: without keys there is no plan.
    """
    try:
        suites = load_all(path, env=env, strict=strict, shown=shown, written=written)
    except UnusableSuiteError as error:
        raise SuiteError([*error.problems, *find_misspelt(_texts(error.readable))]) from None
    found: list[PlannedSuite | WaitingSuite] = []
    for loaded in suites:
        if loaded.waiting:
            known = all(place[0] != "workload" for place in loaded.waiting)
            rules = compile_unplanned(_texts(loaded), _operations(loaded) if known else None)
            found.append(WaitingSuite(loaded, _require(rules)))
            continue
        try:
            make_plan = partial(build_plan, loaded, env=env, duration_s=duration_s, hosts=hosts)
            plan = make_plan()
        except SuiteError as error:
            raise SuiteError([*error.problems, *find_misspelt(_texts(loaded))]) from None
        found.append(PlannedSuite(loaded, plan, _compile(loaded, plan), make_plan))
    return tuple(found)


def read_suites(
    path: Path,
    *,
    env: Mapping[str, str],
    shown: str = "",
    strict: bool = False,
    duration_s: float | None = None,
    hosts: Sequence[str] | None = None,
    written: Written | None = None,
) -> tuple[PlannedSuite, ...]:
    """Read suites as `collect_suites` does; raises `SuiteError` as well for those that wait for values of fixtures."""
    suites = collect_suites(
        path, env=env, shown=shown, strict=strict, duration_s=duration_s, hosts=hosts, written=written
    )
    planned = [suite for suite in suites if isinstance(suite, PlannedSuite)]
    missing = [
        Problem(suite.loaded.where(place), dotted(place), f"no value of {' and '.join(names)} is known")
        for suite in suites
        if isinstance(suite, WaitingSuite)
        for place, names in suite.loaded.waiting.items()
    ]
    if missing:
        raise SuiteError(missing)
    return tuple(planned)


def _operations(loaded: LoadedSuite) -> list[str]:
    return [operation.op for operation in loaded.suite.workload if operation.weight]


def _times(plan: RunPlan) -> Times:
    worker = plan.workers[0]
    duration_s = max(stage.duration_s for stage in worker.stages)
    # The shortest text of a float is the decimal it was made from.
    return Times(Fraction(repr(duration_s)), Fraction(repr(worker.interval_s)))


def _texts(loaded: LoadedSuite) -> list[RuleText]:
    return [
        RuleText(
            entry.rule,
            loaded.where(("thresholds", index)),
            f"thresholds[{index}]",
            entry.severity,
            entry.xfail,
            entry.skip,
            entry.stage or "",
        )
        for index, entry in enumerate(loaded.suite.thresholds)
    ]


def _compile(loaded: LoadedSuite, plan: RunPlan) -> tuple[Compiled, ...]:
    suite = loaded.suite
    if (suite.prepare.cleanup_only and not suite.sequence) or (suite.sequence and not suite.workloads):
        # Nothing is measured that could be judged.
        return _require(((), tuple(find_misspelt(_texts(loaded)))))
    return _require(
        compile_rules(
            _texts(loaded),
            operations=_operations(loaded),
            endpoints=[endpoint.uri for endpoint in plan.endpoints],
            agents=list(dict.fromkeys(worker.agent for worker in plan.workers)),
            has_rate=any(stage.rate for worker in plan.workers for stage in worker.stages),
            has_ttfb=plan.times_first_byte,
            times=_times(plan),
            stages=suite.workloads,
        )
    )


def _require(outcome: tuple[tuple[Compiled, ...], tuple[Problem, ...]]) -> tuple[Compiled, ...]:
    rules, problems = outcome
    if problems:
        raise SuiteError(problems)
    return rules
