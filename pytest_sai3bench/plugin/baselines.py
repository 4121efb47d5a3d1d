"""The baselines of a session: which one a rule means, and what is saved."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench import __version__
from pytest_sai3bench.plan.fingerprint import fingerprint
from pytest_sai3bench.reports.baseline_files import LATEST, BaselineFiles, read_baseline
from pytest_sai3bench.thresholds.baselines import Baseline

if TYPE_CHECKING:
    import pytest

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.baselines import Rounds

FOLDER = Path(".sai3bench") / "baselines"
_NOT_CHOSEN = Baseline("", problem="no baseline was chosen: give --sai3-baseline NAME, PATH or latest")


class Baselines:
    """Finds and saves the baselines of one run, which ``run`` names and which does what ``plan`` says.

    Each is read once, before anything is saved.
    """

    def __init__(self, config: pytest.Config, run: str, plan: RunPlan) -> None:
        self._chosen: str | None = config.getoption("sai3_baseline")
        self._save: str | None = config.getoption("sai3_save_baseline")
        self._creates: bool = config.getoption("sai3_baseline_create_missing")
        self._directory = config.invocation_params.dir
        self._files = BaselineFiles(config.rootpath / FOLDER)
        self._run = run
        self._plan = plan
        self._found: dict[str | None, Baseline] = {}
        # Those that were missing and are to be made of this run.
        self.created: set[str | None] = set()

    @property
    def wants_batches(self) -> bool:
        """Whether the run is to be saved."""
        return self._save is not None

    def find(self, name: str | None) -> Baseline:
        """Return the baseline that a rule calls ``name``; without a name the one that the session is compared with."""
        if name not in self._found:
            self._found[name] = self._look_for(name)
        return self._found[name]

    def fingerprint(self, result: RunResult) -> dict[str, str]:
        """Return in which setup a run was measured: its plan, its agents, versions and this machine."""
        agents = result.workload.agents if result.workload else ()
        pythons = dict.fromkeys(".".join(agent.python.split(".")[:2]) for agent in agents)
        return {
            **fingerprint(self._plan),
            "version of pytest-sai3bench": __version__,
            "version of Python": ", ".join(pythons),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {_cpu_model()}",
        }

    def save(self, result: RunResult, rounds: Rounds) -> None:
        """Save what is to be saved of a run that completed; raises ResultsError."""
        if result.status != "completed" or not rounds or not all(rounds):
            return
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        names = {self._save}
        if self._creates:
            wanted = {name for name, baseline in self._found.items() if baseline.is_missing}
            self.created = {name for name in wanted if self._may_be_created(name)}
            names |= {name or self._chosen for name in self.created}
        for name in sorted(name for name in names if name is not None):
            self._files.save(self._run, Baseline(name, now, self.fingerprint(result), rounds))

    def _look_for(self, name: str | None) -> Baseline:
        if name is not None:
            return self._files.find(name, self._run)
        if self._chosen is None:
            return _NOT_CHOSEN
        if _is_path(self._chosen):
            return read_baseline(self._directory / self._chosen, self._chosen, self._run)
        return self._files.find(self._chosen, self._run)

    def _may_be_created(self, name: str | None) -> bool:
        chosen = name or self._chosen
        return chosen is not None and chosen != LATEST and (name is not None or not _is_path(chosen))


def _is_path(text: str) -> bool:
    return os.sep in text or text.endswith(".json")


def _cpu_model() -> str:
    """Return the name of this machine's processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")
