"""The runs of a session: each is performed once, by the first item that needs it."""

from __future__ import annotations

import platform
import secrets
import sys
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_sai3bench import __version__
from pytest_sai3bench.embedded.binding import EmbeddedTargets
from pytest_sai3bench.errors import RunError, Sai3benchError
from pytest_sai3bench.fleet.credentials import find_credentials
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.plugin.state import RUNS
from pytest_sai3bench.reports import run_folder
from pytest_sai3bench.reports.summary import summary
from pytest_sai3bench.results.model import RunResult
from pytest_sai3bench.thresholds.evaluation import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.verdicts import Verdict


def runs_of(config: pytest.Config) -> Runs:
    """Return the session's runs."""
    runs = config.stash.get(RUNS, None)
    if runs is None:
        runs = config.stash[RUNS] = Runs(config)
    return runs


class Runs:
    """What all runs of a session share: the results folder and the embedded server, both made when first needed."""

    def __init__(self, config: pytest.Config) -> None:
        self._root: Path = config.invocation_params.dir / config.getoption("sai3_results")
        self._command = [str(argument) for argument in config.invocation_params.args]
        self._targets = EmbeddedTargets()
        self._folder: Path | None = None
        self._performed: list[SuiteRun] = []

    def begin(self, run: SuiteRun, owner: pytest.Item) -> None:
        """Let ``owner`` begin the run, if no other item has: endpoints, credentials, agents, prepare."""
        if run.owner is not None:
            run.require_begun()
            return
        run.owner = owner
        self._performed.append(run)
        with run.guarded():
            plan = self._targets.bind(run.plan)
            credentials = self._credentials(plan)
            if self._folder is None:
                self._folder = run_folder.create(
                    self._root, datetime.now().astimezone(), secrets.token_hex(2)
                )
            run.folder = run_folder.create_run(self._folder, run.path.stem, plan.name)
            run.begin(plan, credentials, self._metadata())

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Write the summary of every run that measured something."""
        measured = [run for run in self._performed if run.result().phases]
        if not measured:
            return
        terminal.write_sep("=", "storage benchmarks")
        for run in measured:
            for line in summary(run.result(), run.verdicts(), terminal._tw.fullwidth, folder=run.folder):  # noqa: SLF001
                terminal.write_line(line)

    def close(self) -> None:
        """End whatever still runs, and stop the embedded server."""
        try:
            for run in self._performed:
                run.end(run.owner)
        finally:
            self._targets.close()

    def _credentials(self, plan: RunPlan) -> Mapping[str, str | None] | None:
        s3 = [endpoint for endpoint in plan.endpoints if endpoint.scheme == "s3"]
        if not s3:
            return None
        if s3[0].embedded:
            assert self._targets.server is not None
            return self._targets.server.credentials._asdict()
        return find_credentials()

    def _metadata(self) -> dict[str, Any]:
        return {
            "format": 1,
            "command": self._command,
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "executable": sys.executable,
            "versions": {"pytest-sai3bench": __version__},
        }


class SuiteRun:
    """One run of one suite: begun, worked and ended by its ``owner``, read by every item of the suite."""

    def __init__(self, path: Path, text: str, plan: RunPlan, rules: tuple[Compiled, ...]) -> None:
        self.path = path
        self.plan = plan
        self.owner: pytest.Item | None = None
        self.folder: Path | None = None
        self._text = text
        self._rules = rules
        self._run: Run | None = None
        self._metadata: dict[str, Any] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._error: Sai3benchError | None = None
        self._worked = False
        self._ended = False

    @property
    def keywords(self) -> set[str]:
        """Words by which ``-k`` finds the items: operations, schemes and strategies of the suite."""
        operations = {
            operation.op
            for worker in self.plan.workers
            for stage in worker.stages
            for operation in stage.operations
        }
        schemes = {endpoint.scheme for endpoint in self.plan.endpoints}
        return operations | schemes | {worker.strategy for worker in self.plan.workers}

    def begin(
        self, plan: RunPlan, credentials: Mapping[str, str | None] | None, metadata: dict[str, Any]
    ) -> None:
        """Start the agents and prepare; ``plan`` is bound to real addresses."""
        self.plan = plan
        self._metadata = metadata
        assert self.folder is not None
        run_id = f"{self.folder.parent.parent.name}/{self.folder.parent.name}/{self.folder.name}"
        self._run = Run(plan, credentials, run_id=run_id, started_at=time.time())
        self._run.prepare()

    def guarded(self) -> _Guard:
        """Remember the error with which a step of the run fails, for the items that come later."""
        return _Guard(self)

    def work(self, item: pytest.Item) -> None:
        """Run the workload, if ``item`` owns the run and it has not been run."""
        if item is not self.owner or self._worked:
            return
        self._worked = True
        assert self._run is not None
        try:
            with self.guarded():
                self._run.work()
        except Sai3benchError:
            # The owner reports it through `require_sound` or the verdict, as any other item does.
            pass
        finally:
            self._write()

    def end(self, item: pytest.Item | None) -> None:
        """Clean up and end the agents, if ``item`` owns the run."""
        if item is not self.owner or self._ended or self._run is None:
            return
        self._ended = True
        try:
            self._run.clean_up()
        finally:
            self._write()

    def result(self) -> RunResult:
        """Return what has been measured so far."""
        if self._run is not None:
            return self._run.result()
        reason = str(self._error) if self._error else "the run was not begun"
        return RunResult(self.plan.suite, self.plan.name, "", "failed", reason, 0.0, ())

    def verdict(self, rule: Compiled) -> Verdict:
        """Return the verdict on one of the suite's rules."""
        if rule.id not in self._verdicts:
            self._verdicts[rule.id] = evaluate(rule, self.result())
        return self._verdicts[rule.id]

    def verdicts(self) -> list[Verdict]:
        """Return the verdicts on all rules of the suite, in its order."""
        return [self.verdict(rule) for rule in self._rules]

    def require_begun(self) -> None:
        """Raise `RunError` when the run did not get to its workload."""
        if self._error is not None and not self._worked:
            first_line = str(self._error).splitlines()[0]
            raise RunError(f"{self.plan.name} did not run: {first_line}")

    def require_sound(self) -> None:
        """Raise when the run failed, or when its numbers contradict each other."""
        if self._error is not None:
            raise self._error
        wrong = [
            check for check in self.result().checks if check.name.startswith("reconcile") and not check.passed
        ]
        if wrong:
            lines = [f"{check.name}: {check.value}, expected {check.expected}" for check in wrong]
            raise RunError("\n".join(["the totals of the run contradict each other:", *lines]))

    def note_error(self, error: Sai3benchError) -> None:
        """Remember the first error of the run."""
        self._error = self._error or error

    def _write(self) -> None:
        if self.folder is None or not self.result().phases:
            return
        run_folder.write_run(
            self.folder,
            result=self.result(),
            verdicts=self.verdicts(),
            plan=self.plan,
            config_text=self._text,
            metadata=self._metadata,
        )


class _Guard:
    """Context in which a `Sai3benchError` is remembered on its way."""

    def __init__(self, run: SuiteRun) -> None:
        self._run = run

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Sai3benchError):
            self._run.note_error(error)
