"""One run of one suite, as its items share it."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import EmbeddedServerMissing, RunError
from pytest_sai3bench.fleet.intervals import Intervals
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.fleet.watching import Watching
from pytest_sai3bench.reports.op_log import OpLogFiles
from pytest_sai3bench.reports.perf_log import PerfLog
from pytest_sai3bench.reports.run_folder import write_inputs, write_run
from pytest_sai3bench.results.model import RunResult
from pytest_sai3bench.thresholds.baselines import compare_with
from pytest_sai3bench.thresholds.reading import PlannedSuite, WaitingSuite
from pytest_sai3bench.thresholds.rules import OfBaseline
from pytest_sai3bench.thresholds.stages import evaluate_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_sai3bench.errors import Problem
    from pytest_sai3bench.fleet.processes import HostPool
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.plan.work import StageKind
    from pytest_sai3bench.plugin.baselines import Baselines
    from pytest_sai3bench.plugin.console import Console
    from pytest_sai3bench.results.timeline import Interval
    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.thresholds.baselines import Comparison
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.verdicts import Verdict

    Take = Callable[[StageKind, float, Interval], None]


class SuiteRun:
    """Begun, worked and ended by its ``owner``, the first item that needs it; read by every item of the suite.

    ``at_end`` holds what is to be done when the run ends; ``verdicts`` are those that have been given so far, by id.
    ``console`` shows how the run goes. ``nodeid`` names the run in reports, and the item of the run if there is one.
    """

    def __init__(self, suite: PlannedSuite | WaitingSuite, nodeid: str) -> None:
        self.nodeid = nodeid
        self.suite = suite
        self.name = f"{suite.loaded.suite.name}{suite.loaded.label}"
        # None while it waits for values of fixtures.
        self.plan: RunPlan | None = suite.plan if isinstance(suite, PlannedSuite) else None
        self.owner: pytest.Item | None = None
        self.folder: Path | None = None
        self.console: Console | None = None
        self.at_end = ExitStack()
        self.verdicts: dict[str, Verdict] = {}
        self._metadata: Mapping[str, Any] = {}
        self._run: Run | None = None
        self._watching: Watching | None = None
        self._baselines: Baselines | None = None
        self._error: BaseException | None = None
        self._worked = False

    @cached_property
    def keywords(self) -> set[str]:
        """Words by which ``-k`` finds the items: operations, schemes and strategies of the suite."""
        if self.plan is None:
            return set()
        workers = self.plan.workers
        operations = {one.op for worker in workers for stage in worker.stages for one in stage.operations}
        schemes = {endpoint.scheme for endpoint in self.plan.endpoints}
        return operations | schemes | {worker.strategy for worker in workers}

    @property
    def loaded(self) -> LoadedSuite:
        """The suite as its file says it."""
        return self.suite.loaded

    @property
    def rules(self) -> tuple[Compiled, ...]:
        """The rules by which the run is judged."""
        return tuple(rule for rule in self.suite.rules if rule.skip is None)

    def settle(self, suites: Sequence[PlannedSuite]) -> list[Problem]:
        """Take the suite from its file, read with the values of its fixtures; return the warnings that are new."""
        (suite,) = (suite for suite in suites if suite.loaded.combination == self.loaded.combination)
        warnings = [problem for problem in suite.loaded.warnings if problem not in self.loaded.warnings]
        self.suite = suite
        return warnings

    @contextmanager
    def accounted(self) -> Iterator[None]:
        """Remember the exception with which a step of the run ends, for the items that come later."""
        try:
            yield
        except BaseException as error:
            self._error = error
            self._rest()
            raise

    def begin(
        self,
        plan: RunPlan,
        credentials: Mapping[str, str | None] | None,
        folder: Path,
        metadata: Mapping[str, Any],
        *,
        tls: Mapping[str, Any] | None = None,
        observers: Sequence[Observer] = (),
        takers: Sequence[Take] = (),
        pool: HostPool | None = None,
        baselines: Baselines | None = None,
    ) -> None:
        """Start the agents and prepare; ``plan`` is bound to real addresses, ``folder`` takes the results.

        ``tls``, ``observers`` and ``pool`` are those of `Run`; ``takers`` get each interval, see `Intervals`.
        ``baselines`` are those of this run.
        """
        self.plan = plan
        self._baselines = baselines
        self.folder = folder
        self._metadata = metadata
        write_inputs(folder, plan=plan, config_text=self.loaded.text, metadata=metadata)
        if plan.perf_log:
            log = PerfLog(folder, plan)
            self.at_end.callback(log.close)
            takers = [*takers, log.add]
        if takers:
            observers = [*observers, Intervals(plan, lambda *interval: _hand_out(takers, interval))]
        if self._is_watched:
            self._watching = Watching(plan, self.rules)
            observers = [*observers, self._watching]
        if any(worker.op_log_bytes for worker in plan.workers):
            files = OpLogFiles(folder, plan)
            self.at_end.callback(files.close)
            observers = [*observers, _Logged(files)]
        run_id = "/".join(folder.parts[-3:])
        self._run = Run(
            plan, credentials, run_id=run_id, started_at=time.time(), tls=tls, observers=observers, pool=pool
        )
        # In reverse order, and whatever each of them raises.
        self.at_end.callback(self._write)
        self.at_end.callback(self._run.clean_up)
        self._run.prepare()

    def work(self, item: pytest.Item) -> None:
        """Run the workload, if ``item`` owns the run and it has not been run."""
        if item is not self.owner or self._worked:
            return
        self._worked = True
        assert self._run is not None
        try:
            with self.accounted():
                self._run.work()
        finally:
            self._rest()
            # Before cleanup, which may take long, and whose failures say nothing about the workload.
            self._write()
            if self._baselines and self._watching:
                self._baselines.save(self.result(), (self._watching.batches.windows,))

    def end(self, item: pytest.Item | None) -> None:
        """Clean up, end the agents and write the results, if ``item`` owns the run; may be called again."""
        if item is self.owner:
            self.at_end.close()

    def result(self) -> RunResult:
        """Return what has been measured so far."""
        if self._run is not None:
            return self._run.result()
        reason = _first_line(self._error) if self._error else "the run was not begun"
        return RunResult(self.loaded.shown, self.name, "", "failed", reason, 0.0, ())

    def verdict(self, rule: Compiled) -> Verdict:
        """Return the verdict on one of the suite's rules.

        That on a rule on all endpoints, collected before these were known, is the worst of all that it stands for.
        """
        if rule.id not in (one.id for one in self.rules):
            verdicts = [
                self.verdict(one)
                for one in self.rules
                if (one.location, one.text) == (rule.location, rule.text)
            ]
            if verdicts:
                return max(verdicts, key=_badness)
        if rule.id not in self.verdicts:
            seen = self._watching.seen(rule) if self._watching else None
            self.verdicts[rule.id] = evaluate_stage(rule, self.result(), seen, self._beside(rule))
        return self.verdicts[rule.id]

    def creates_baseline_of(self, rule: Compiled) -> bool:
        """Tell whether the baseline of a rule was missing and has been made of this run."""
        comparison = rule.rule.comparison
        return (
            isinstance(comparison, OfBaseline)
            and self._baselines is not None
            and comparison.name in self._baselines.created
        )

    @property
    def _is_watched(self) -> bool:
        """Whether more has to be known of the run than its totals."""
        rules = [one.rule for one in self.rules]
        return (self._baselines is not None and self._baselines.wants_batches) or any(
            rule.window or rule.abort_after or isinstance(rule.comparison, OfBaseline) for rule in rules
        )

    def _beside(self, rule: Compiled) -> Comparison | None:
        """Return how the run compares with the baseline of a rule, None for a rule without one."""
        comparison = rule.rule.comparison
        if not isinstance(comparison, OfBaseline) or self._baselines is None or self._watching is None:
            return None
        rounds = (self._watching.batches.windows,)
        result = self.result()
        baseline = self._baselines.find(comparison.name)
        return compare_with(rule.rule, rounds, baseline, self._baselines.fingerprint(result))

    def require_begun(self) -> None:
        """Raise why the run did not get to its workload, if so."""
        if isinstance(self._error, (EmbeddedServerMissing, pytest.skip.Exception)):
            raise self._error
        if self._error is not None and not self._worked:
            raise RunError(f"{self.name} did not run: {_first_line(self._error)}")

    def require_sound(self) -> None:
        """Raise `RunError` when the run did not complete, or when its numbers contradict each other."""
        result = self.result()
        if result.status != "completed":
            raise RunError(result.reason)
        wrong = [check for check in result.checks if check.name.startswith("reconcile") and not check.passed]
        if wrong:
            lines = [f"{check.title}: {check.value}, expected {check.expected}" for check in wrong]
            raise RunError("\n".join(["the totals of the run contradict each other:", *lines]))

    def _rest(self) -> None:
        if self.console is not None:
            self.console.rest()

    def _write(self) -> None:
        assert self.folder is not None
        assert self.plan is not None
        write_run(
            self.folder,
            result=self.result(),
            verdicts=[self.verdict(rule) for rule in self.rules],
            plan=self.plan,
            config_text=self.loaded.text,
            metadata=self._metadata,
        )


def _badness(verdict: Verdict) -> tuple[int, float]:
    """Return what sorts the worst last: by outcome, then by the distance from the limit, on either side of it."""
    distance = abs(verdict.margin or 0.0)
    rank = ("passed", "inconclusive", "failed").index(verdict.outcome)
    return rank, -distance if verdict.outcome == "passed" else distance


def _hand_out(takers: Sequence[Take], interval: tuple[StageKind, float, Interval]) -> None:
    for take in takers:
        take(*interval)


class _Logged(Observer):
    """Takes the logs of operations from the agents to their files."""

    def __init__(self, files: OpLogFiles) -> None:
        self._files = files

    def logged(self, agent: str, piece: bytes) -> None:
        """See `Observer.logged`."""
        self._files.add(agent, piece)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
