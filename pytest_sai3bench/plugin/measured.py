"""What a run measured, for tests in Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pytest_sai3bench.results.metrics import Metrics, metrics_by_operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict


@dataclass(frozen=True)
class Result:
    """A run that completed: ``run`` has all that was measured, ``folder`` the files of results.

    ``verdicts`` are those on the thresholds of the suite. Numbers are in base units: bytes per second, operations per
    second, seconds, and 1 for 100 %.
    """

    run: RunResult
    verdicts: tuple[Verdict, ...]
    folder: Path

    @cached_property
    def phase(self) -> PhaseResult:
        """The workload phase."""
        assert self.run.workload is not None
        return self.run.workload

    @cached_property
    def operations(self) -> Mapping[str, Metrics]:
        """``total`` and each operation that was asked for."""
        return metrics_by_operation(self.phase)

    @property
    def total(self) -> Metrics:
        """All operations together."""
        return self._of("total")

    @property
    def get(self) -> Metrics:
        """Gets; as with each operation, LookupError where none was asked for."""
        return self._of("get")

    @property
    def put(self) -> Metrics:
        """Puts."""
        return self._of("put")

    @property
    def list(self) -> Metrics:
        """Lists."""
        return self._of("list")

    @property
    def stat(self) -> Metrics:
        """Stats."""
        return self._of("stat")

    @property
    def delete(self) -> Metrics:
        """Deletes."""
        return self._of("delete")

    @property
    def mkdir(self) -> Metrics:
        """Folders made."""
        return self._of("mkdir")

    @property
    def rmdir(self) -> Metrics:
        """Folders removed."""
        return self._of("rmdir")

    @cached_property
    def endpoints(self) -> Mapping[str, Metrics]:
        """The requests to each endpoint, by URI; also those that were asked for nothing."""
        return {
            uri: Metrics.of_tally(self.phase, self.phase.tally(endpoint=uri)) for uri in self.phase.endpoints
        }

    @cached_property
    def agents(self) -> Mapping[str, Metrics]:
        """The operations of each agent, by id."""
        names = dict.fromkeys(report.agent for report in self.phase.agents)
        return {name: Metrics.of_tally(self.phase, self.phase.tally(agent=name)) for name in names}

    @property
    def imbalance(self) -> float:
        """(max - min) / mean of requests per endpoint."""
        return self.phase.imbalance

    def _of(self, name: str) -> Metrics:
        if name not in self.operations:
            raise LookupError(f"the run has no {name}; it has {', '.join(self.operations)}")
        return self.operations[name]
