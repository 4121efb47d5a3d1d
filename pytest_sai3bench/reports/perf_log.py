"""``perf_log.tsv``: the time series of a run, written while it goes on.

The columns of sai3-bench, then four for each endpoint when there are several. Percentiles are those of the interval, from
merged histograms; in sai3-bench they are those since the begin of the phase, and averages of the agents'.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_sai3bench.agent.messages import META_OPERATIONS
from pytest_sai3bench.reports.run_folder import GrowingFile, agent_folders
from pytest_sai3bench.reports.tsv import Column, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import Tally
    from pytest_sai3bench.results.timeline import HostCpu, Interval

MIB = 1024 * 1024
# What sai3-bench calls the parts of a run that has no stages.
_PARTS = {"prepare": "Prepare", "workload": "Workload", "cleanup": "Cleanup"}


@dataclass(frozen=True)
class Row:
    """One line: an interval of one agent, or of all of them together."""

    agent_id: str
    stage: str
    began_at: float
    interval: Interval
    agent: str | None = None

    def tally(self, ops: Collection[str] | None = None, endpoint: str | None = None) -> Tally:
        """Return what was completed."""
        return self.interval.tally(ops=ops, endpoint=endpoint, agent=self.agent)

    def per_s(self, amount: float) -> float:
        """Return an amount of this interval per second."""
        return amount / self.interval.length_s if self.interval.length_s else 0.0

    @property
    def cpu(self) -> HostCpu | None:
        """The mean of the agents' hosts, None when unknown."""
        known = [cpu for agent, cpu in self.interval.cpu.items() if self.agent is None or agent == self.agent]
        return type(known[0])(*(sum(parts) / len(known) for parts in zip(*known))) if known else None


def _ops(tally: Tally) -> int:
    return tally.ops + tally.tail_ops


def _bytes(tally: Tally) -> int:
    return tally.bytes + tally.tail_bytes


def _latencies(name: str, ops: Collection[str]) -> list[Column[Row]]:
    def mean(row: Row) -> str:
        return f"{row.tally(ops).latency.mean_ns / 1000:.0f}"

    def percentile(percent: int) -> Column[Row]:
        return Column(
            f"{name}_p{percent}_us",
            f"their {percent}th percentile, µs; 0 without any",
            lambda row: f"{row.tally(ops).latency.percentile_ns(percent) / 1000:.0f}",
        )

    return [
        Column(f"{name}_mean_us", "mean latency of these, µs; 0 without any", mean),
        *map(percentile, (50, 90, 99)),
    ]


def _transfers(name: str, what: str) -> list[Column[Row]]:
    def tally(row: Row) -> Tally:
        return row.tally([name])

    return [
        Column(f"{name}_ops", f"{what} completed in the interval", lambda row: str(_ops(tally(row)))),
        Column(f"{name}_bytes", "their bytes", lambda row: str(_bytes(tally(row)))),
        Column(f"{name}_iops", "the same per second", lambda row: f"{row.per_s(_ops(tally(row))):.1f}"),
        Column(
            f"{name}_mbps",
            "their MiB per second (the name is sai3-bench's)",
            lambda row: f"{row.per_s(_bytes(tally(row))) / MIB:.2f}",
        ),
        *_latencies(name, [name]),
    ]


def _cpu(number: int, name: str, what: str) -> Column[Row]:
    def share(row: Row) -> str:
        return "" if row.cpu is None else f"{100 * row.cpu[number]:.1f}"

    return Column(
        f"cpu_{name}_pct", f"{what} of the agent's host, percent of all cores; empty when unknown", share
    )


COLUMNS: tuple[Column[Row], ...] = (
    Column("agent_id", "id of the agent, or `controller` for the sum of several", lambda row: row.agent_id),
    Column(
        "timestamp_epoch_ms",
        "end of the interval, ms since 1970 by the controller's clock",
        lambda row: f"{(row.began_at + row.interval.end_s) * 1000:.0f}",
    ),
    Column("elapsed_s", "the same, s since the start of the phase", lambda row: f"{row.interval.end_s:.3f}"),
    Column(
        "stage",
        "`Prepare`, `Workload` or `Cleanup`; the name of the stage where the suite has stages",
        lambda row: row.stage,
    ),
    *_transfers("get", "gets"),
    *_transfers("put", "puts"),
    Column(
        "meta_ops",
        "lists, stats and deletes completed in the interval",
        lambda row: str(_ops(row.tally(META_OPERATIONS))),
    ),
    Column(
        "meta_iops",
        "the same per second",
        lambda row: f"{row.per_s(_ops(row.tally(META_OPERATIONS))):.1f}",
    ),
    *_latencies("meta", META_OPERATIONS),
    _cpu(0, "user", "CPU in programs"),
    _cpu(1, "system", "CPU in the kernel"),
    _cpu(2, "iowait", "cores idle while a disk worked,"),
    Column("errors", "failed attempts in the interval", lambda row: str(row.tally().errors)),
)


def endpoint_columns(number: int | str, uri: str) -> list[Column[Row]]:
    """Return the four columns of one endpoint, ``number`` as in ``[endpoint_stats]``."""

    def tally(row: Row) -> Tally:
        return row.tally(endpoint=uri)

    return [
        Column(
            f"ep{number}_ops",
            "operations completed there, or requests of those that take several",
            lambda row: str(_ops(tally(row))),
        ),
        Column(
            f"ep{number}_mibps",
            "their MiB per second",
            lambda row: f"{row.per_s(_bytes(tally(row))) / MIB:.2f}",
        ),
        Column(
            f"ep{number}_p99_us",
            "99th percentile of their latencies, µs; 0 without any",
            lambda row: f"{tally(row).latency.percentile_ns(99) / 1000:.0f}",
        ),
        Column(f"ep{number}_errors", "failed attempts there", lambda row: str(tally(row).errors)),
    ]


def describe_perf_log() -> str:
    """Return the reference of all columns in Markdown."""
    return Table("", (*COLUMNS, *endpoint_columns("N", ""))).describe()


class PerfLog:
    """The log of a run in its ``folder``: one of all agents, and where there are several, one of each.

    Endpoints keep the numbers that they have in the plan, in the logs of agents, too. Raises `ResultsError` when it
    cannot be begun; what cannot be written later is told by `close`, for a run does not end for its log.
    """

    def __init__(self, folder: Path, plan: RunPlan) -> None:
        numbers = {endpoint.uri: number for number, endpoint in enumerate(plan.endpoints, 1)}
        agents: dict[str, dict[str, int]] = {}
        for worker in plan.workers:
            known = agents.setdefault(worker.agent, {})
            known.update((endpoint.uri, numbers[endpoint.uri]) for endpoint in worker.endpoints)
        whole = "controller" if len(agents) > 1 else next(iter(agents))
        with ExitStack() as opened:
            self._logs = [opened.enter_context(closing(_Log(folder, whole, None, numbers)))]
            for agent, name in agent_folders(agents).items():
                log = _Log(folder / name, agent, agent, agents[agent])
                self._logs.append(opened.enter_context(closing(log)))
            self._opened = opened.pop_all()

    def add(self, stage: str, began_at: float, interval: Interval) -> None:
        """Write a line on an interval of a stage that began at ``began_at``, in seconds since the epoch."""
        for log in self._logs:
            log.add(stage, began_at, interval)

    def close(self) -> None:
        """End the logs; raises `ResultsError` when one of them is not whole."""
        self._opened.close()


class _Log:
    def __init__(self, folder: Path, agent_id: str, agent: str | None, numbers: Mapping[str, int]) -> None:
        endpoints = [column for uri, number in numbers.items() for column in endpoint_columns(number, uri)]
        self._table = Table("", (*COLUMNS, *(endpoints if len(numbers) > 1 else ())))
        self._agent_id, self._agent = agent_id, agent
        self._file = GrowingFile(folder / "perf_log.tsv")
        self._file.append(self._table.write_header)

    def close(self) -> None:
        self._file.close()

    def add(self, stage: str, began_at: float, interval: Interval) -> None:
        row = Row(self._agent_id, _PARTS.get(stage, stage), began_at, interval, self._agent)
        self._file.append(lambda stream: self._table.write_row(stream, row))
