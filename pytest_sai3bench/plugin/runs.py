"""What all runs of a session share."""

from __future__ import annotations

import os
import platform
import secrets
import sys
from contextlib import ExitStack
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_sai3bench import __version__
from pytest_sai3bench.embedded.binding import EmbeddedTargets
from pytest_sai3bench.errors import CredentialsError, RunError
from pytest_sai3bench.fleet.addresses import resolve_names
from pytest_sai3bench.fleet.credentials import find_credentials
from pytest_sai3bench.fleet.exclusion import claim
from pytest_sai3bench.fleet.host_cores import ask_cores
from pytest_sai3bench.fleet.processes import HostPool
from pytest_sai3bench.plan.certificates import read_tls
from pytest_sai3bench.plan.confidential import Confidential
from pytest_sai3bench.plan.cores import known_cores
from pytest_sai3bench.plugin.baselines import Baselines
from pytest_sai3bench.plugin.benchmark_bridge import Rounds, is_recorded
from pytest_sai3bench.plugin.collection import reading_options, warn_of
from pytest_sai3bench.plugin.console import watch
from pytest_sai3bench.plugin.state import RUNS
from pytest_sai3bench.plugin.terminal import shown, width_of
from pytest_sai3bench.reports import run_folder
from pytest_sai3bench.reports.summary import summary
from pytest_sai3bench.reports.verdicts_json import JudgedRun, verdicts_document
from pytest_sai3bench.thresholds.reading import PlannedSuite, read_suites

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.plugin.suite_run import SuiteRun


def runs_of(config: pytest.Config) -> Runs:
    """Return the session's runs."""
    runs = config.stash.get(RUNS, None)
    if runs is None:
        runs = config.stash[RUNS] = Runs(config)
    return runs


class Runs:
    """The runs of a session, its results folder, the embedded server and the hosts; these are made when first needed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._root: Path = config.invocation_params.dir / config.getoption("sai3_results")
        self._command = [str(argument) for argument in config.invocation_params.args]
        self._targets = EmbeddedTargets()
        self._hosts = HostPool()
        self._folder: Path | None = None
        self._performed: list[SuiteRun] = []

    def begin(
        self, run: SuiteRun, owner: pytest.Item, set_up: Callable[[], Mapping[str, str]] | None = None
    ) -> None:
        """Let ``owner`` begin the run, if no other item has: endpoints, credentials, agents, prepare.

        Before that ``set_up`` makes the fixtures of the suite and returns the variables that stand for their values.
        """
        if run.owner is not None:
            run.require_begun()
            return
        run.owner = owner
        self._performed.append(run)
        with run.accounted():
            if set_up is not None:
                self._settle(run, set_up())
            planned = self._plan_of(run)
            plan = resolve_names(self._targets.bind(planned))
            credentials = self._credentials(plan)
            run.at_end.enter_context(claim(plan.endpoints, datetime.now().astimezone()))
            tls = _read_tls(plan)
            folder = self._new_folder(run)
            run.console, observers = watch(plan, owner)
            takers = []
            if is_recorded(self._config):
                rounds = Rounds()
                run.at_end.callback(rounds.record, run, self._config)
                takers.append(rounds.add)
            run.begin(
                plan,
                credentials,
                folder,
                self._metadata(),
                tls=tls,
                observers=observers,
                takers=takers,
                pool=self._hosts,
                baselines=Baselines(self._config, run.nodeid, planned),
            )

    def _settle(self, run: SuiteRun, values: Mapping[str, str]) -> None:
        """Read the suite once more, with the values of its fixtures and the environment that they have left."""
        path = run.loaded.path
        suites = read_suites(path, env={**os.environ, **values}, **reading_options(path, self._config))
        warn_of(run.settle(suites), path, self._config)

    def show(self, terminal: pytest.TerminalReporter) -> None:
        """Write the summary of every run that measured something."""
        measured = [run for run in self._performed if run.result().phases]
        if not measured:
            return
        terminal.write_sep("=", "storage benchmarks")
        for run in measured:
            folder = run.folder and shown(run.folder, self._config)
            verdicts = list(run.verdicts.values())
            everything = self._config.get_verbosity() > 0
            width = width_of(self._config)
            for line in summary(run.result(), verdicts, width, folder=folder, everything=everything):
                terminal.write_line(line)

    def judged(self) -> list[JudgedRun]:
        """Return how all runs were judged."""
        return [
            JudgedRun(run.nodeid, run.result(), [run.verdict(rule) for rule in run.rules], run.folder)
            for run in self._performed
        ]

    def write_verdicts(self, path: Path) -> None:
        """Write how all runs were judged; raises `ResultsError`."""
        run_folder.write_document(path, verdicts_document(self.judged()))

    def close(self) -> None:
        """End whatever still runs, and stop the embedded server."""
        with ExitStack() as stack:
            stack.callback(self._targets.close)
            stack.callback(self._hosts.close)
            for run in self._performed:
                stack.callback(run.end, run.owner)

    def _new_folder(self, run: SuiteRun) -> Path:
        if self._folder is None:
            self._folder = run_folder.create(self._root, datetime.now().astimezone(), secrets.token_hex(2))
        return run_folder.create_run(self._folder, run.loaded.path.stem, run.name)

    def _plan_of(self, run: SuiteRun) -> RunPlan:
        """Return the plan of a run, with a process for each core of hosts that had to be asked how many they have."""
        suite = run.suite
        assert isinstance(suite, PlannedSuite)
        if not suite.plan.asks_cores:
            return suite.plan
        cores = ask_cores(suite.plan, self._hosts)
        return suite.make_plan(cores=lambda host: cores.get(host, known_cores(host)))

    def _credentials(self, plan: RunPlan) -> Mapping[str, str | None] | None:
        s3 = [endpoint for endpoint in plan.endpoints if endpoint.scheme == "s3"]
        if not s3:
            return None
        if s3[0].embedded:
            return Confidential(self._targets.server_of(s3[0]).credentials._asdict())
        try:
            return find_credentials()
        except CredentialsError as error:
            message = f"{s3[0].origin.where}: {s3[0].uri} needs keys: {error.message}"
            raise CredentialsError(message, remedy=error.remedy) from error

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


def _read_tls(plan: RunPlan) -> Mapping[str, Any] | None:
    try:
        return read_tls(plan.tls) if plan.tls else None
    except (OSError, ValueError) as error:
        # They were there when the tests were collected.
        raise RunError(f"the files of tls cannot be read: {error}") from error
