"""Endpoints on the console: which there are, at the start, and what each did, at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.reports.parts import by_endpoint
from pytest_sai3bench.reports.tables import MEASURES, lay_out, measures
from pytest_sai3bench.results.outliers import find_outliers
from pytest_sai3bench.units import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_sai3bench.plan.model import Endpoint, RunPlan, WorkerPlan
    from pytest_sai3bench.reports.parts import EndpointPart
    from pytest_sai3bench.results.model import PhaseResult
    from pytest_sai3bench.results.outliers import Mark

# More lines than that hide what they should show.
MOST_LINES = 16

_SEVERITY = ("failing", "idle", "slow")


def endpoint_list(plan: RunPlan, width: int, *, everything: bool = False) -> list[str]:
    """Return the endpoints of ``plan``, which is bound to addresses: a line on all, then number, URI, agents.

    Where a URI does not say the address it stands for, that is shown, too.
    Beyond `MOST_LINES` the rest is counted, unless ``everything`` is wanted.
    """
    drivers: dict[str, dict[str, None]] = {}
    driven: dict[str, set[str]] = {}
    for worker in plan.workers:
        for endpoint in worker.endpoints:
            drivers.setdefault(endpoint.uri, {})[worker.agent] = None
            driven.setdefault(worker.agent, set()).add(endpoint.uri)
    facts = [_per_agent([len(uris) for uris in driven.values()])] if len(driven) > 1 else []
    if len(drivers) > 1:
        facts.append(" and ".join(dict.fromkeys(_choice(worker) for worker in plan.workers)))
    rows: list[tuple[str, ...]] = [(endpoint.uri,) for endpoint in plan.endpoints]
    addresses = [_address(endpoint) for endpoint in plan.endpoints]
    if any(address not in uri for (uri,), address in zip(rows, addresses)):
        rows = [(*row, address) for row, address in zip(rows, _left(addresses))]
    if len(driven) > 1:
        everybody = len(driven)
        names = [
            "all agents" if len(agents) == everybody else ", ".join(agents) for agents in drivers.values()
        ]
        rows = [(*row, agents) for row, agents in zip(rows, _left(names))]
    about = f" ({', '.join(facts)})" if facts else ""
    lines = _number(range(1, len(rows) + 1), lay_out(rows, width=width - _room(rows) - 2))
    return [
        f"Endpoints: {format_count(len(rows))}{about}",
        *(f"  {line}" for line in _cut(lines, "" if everything else "-v shows all")),
    ]


def endpoint_table(phase: PhaseResult, width: int, *, everything: bool = False) -> list[str]:
    """Return what each endpoint did, with a mark at those that stand out; nothing when there is only one.

    Beyond `MOST_LINES` endpoints the worst come first and the rest is counted; with ``everything`` all are there, even
    a single one.
    """
    parts = by_endpoint(phase)
    if len(parts) < 2 and not everything:
        return []
    marks = find_outliers(phase)
    if len(parts) > MOST_LINES:
        parts.sort(key=lambda part: badness(part, marks.get(part.name)))
    return number_and_mark(
        [(part.name, f"{part.share:.1%}", *measures(part)) for part in parts],
        header=("endpoint", "share", *MEASURES),
        numbers=[part.number for part in parts],
        marks=[str(marks.get(part.name, "")) for part in parts],
        width=width,
        hint="" if everything else "-v shows all",
    )


def number_and_mark(
    rows: Sequence[Sequence[str]],
    *,
    header: Sequence[str],
    numbers: Sequence[int],
    marks: Sequence[str],
    width: int,
    hint: str,
) -> list[str]:
    """Return a table with a line for each endpoint: its number, then ``rows``, then its mark if it has one.

    Beyond `MOST_LINES` the rest is counted, and ``hint`` says where it is to be found; without a hint all are there.
    """
    room = width - _room(numbers) - max(len(f"  {mark}") if mark else 0 for mark in marks)
    top, *lines = lay_out(rows, header=header, width=room)
    marked = [f"{line}  {mark}".rstrip() for line, mark in zip(lines, marks)]
    return [" " * _room(numbers) + top, *_cut(_number(numbers, marked), hint)]


def badness(part: EndpointPart, mark: Mark | None) -> tuple[float, ...]:
    """Return a key that puts the worst first."""
    kind = _SEVERITY.index(mark.kind) if mark else len(_SEVERITY)
    factor = mark.factor if mark else 0.0
    return kind, -part.tally.errors, -factor, -part.tally.latency.percentile_ns(99)


def _cut(lines: list[str], hint: str) -> list[str]:
    hidden = len(lines) - MOST_LINES
    if not hint or hidden <= 0:
        return lines
    return [*lines[:MOST_LINES], f"and {hidden} more, {hint}"]


def _number(numbers: Iterable[int], lines: Sequence[str]) -> list[str]:
    """Put the numbers by which rules and ids know the endpoints in front of their lines."""
    return [f"{number:>{_room(lines) - 2}}  {line}" for number, line in zip(numbers, lines)]


def _room(lines: Sequence[object]) -> int:
    """Return the width of the column of numbers, with the gap behind it."""
    return len(str(len(lines))) + 2


def _left(column: Sequence[str]) -> list[str]:
    """Return cells of text as wide as the widest: tables set all but the first column to the right."""
    return [cell.ljust(max(map(len, column))) for cell in column]


def _per_agent(counts: Sequence[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{low} per agent" if low == high else f"{low} to {high} per agent"


def _address(endpoint: Endpoint) -> str:
    if endpoint.scheme != "s3":
        return endpoint.root
    host = endpoint.address or endpoint.host
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{endpoint.port}"


def _choice(worker: WorkerPlan) -> str:
    """Return in a word what decides on the endpoint of an operation."""
    return worker.namespace if worker.namespace == "independent" else worker.strategy
