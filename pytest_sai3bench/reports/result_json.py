"""``result.json``: everything a run measured, as builtins, and back.

Format 1. Histograms of a phase are HdrHistogram V2 texts, which other tools decode; those of ticks, which are many and
sparse, are lists of bucket indices and counts. The exact sum, minimum and maximum stand beside both.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_sai3bench import __version__
from pytest_sai3bench.errors import Location, ResultsError
from pytest_sai3bench.results.interchange import decode, encode
from pytest_sai3bench.results.latency import Latency
from pytest_sai3bench.results.model import (
    AgentReport,
    Check,
    ErrorSample,
    PhaseResult,
    RunResult,
    SeriesKey,
    Tally,
    Tick,
)
from pytest_sai3bench.thresholds.verdicts import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

FORMAT = 1

Document = dict[str, Any]


def to_json(result: RunResult, verdicts: Iterable[Verdict], plan: Mapping[str, Any]) -> Document:
    """Return the document of one run; ``plan`` is its resolved plan as builtins."""
    return {
        "format": FORMAT,
        "generator": f"pytest-sai3bench {__version__}",
        "run": {
            "suite": result.suite,
            "name": result.name,
            "run_id": result.run_id,
            "status": result.status,
            "reason": result.reason,
            "started_at": result.started_at,
            "notes": list(result.notes),
        },
        "phases": [_phase_to_json(phase) for phase in result.phases],
        "checks": [asdict(check) for check in result.checks],
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "plan": dict(plan),
    }


def from_json(document: Document) -> RunResult:
    """Return the result in a document of `to_json`.

    Raises ResultsError when the document has another format.
    """
    _check_format(document)
    run = document["run"] | {"notes": tuple(document["run"]["notes"])}
    return RunResult(
        **run,
        phases=tuple(_phase_from_json(phase) for phase in document["phases"]),
        checks=tuple(Check(**check) for check in document["checks"]),
    )


def verdicts_from_json(document: Document) -> tuple[Verdict, ...]:
    """Return the verdicts in a document of `to_json`; errors as `from_json`."""
    _check_format(document)
    return tuple(
        Verdict(
            **verdict
            | {
                "location": verdict["location"] and Location(**verdict["location"]),
                "rows": tuple(Row(**row) for row in verdict["rows"]),
            }
        )
        for verdict in document["verdicts"]
    )


def _check_format(document: Document) -> None:
    found = document.get("format")
    if found != FORMAT:
        raise ResultsError(
            f"the result has format {found}, this version of pytest-sai3bench reads format {FORMAT}",
            remedy="Read it with the version that wrote it; its name stands under `generator`.",
        )


def _phase_to_json(phase: PhaseResult) -> Document:
    return {
        "phase": phase.phase,
        "endpoints": list(phase.endpoints),
        "agents": [
            asdict(report) | {"notes": list(report.notes), "worker_cpu": list(report.worker_cpu)}
            for report in phase.agents
        ],
        "series": _series_to_json(phase.series, _as_hdr),
        "warmup": _series_to_json(phase.warmup, _as_hdr),
        "errors": [asdict(error) for error in phase.errors],
        "ticks": [
            {
                "agent": tick.agent,
                "second": tick.second,
                "section": tick.section,
                "series": _series_to_json(tick.series, _as_lists),
            }
            for tick in phase.ticks
        ],
    }


def _phase_from_json(document: Document) -> PhaseResult:
    return PhaseResult(
        phase=document["phase"],
        endpoints=tuple(document["endpoints"]),
        agents=tuple(
            AgentReport(
                **report
                | {"notes": tuple(report["notes"]), "worker_cpu": tuple(report.get("worker_cpu", ()))}
            )
            for report in document["agents"]
        ),
        series=_series_from_json(document["series"]),
        warmup=_series_from_json(document["warmup"]),
        errors=tuple(ErrorSample(**error) for error in document["errors"]),
        ticks=tuple(
            Tick(tick["agent"], tick["second"], tick["section"], _series_from_json(tick["series"]))
            for tick in document["ticks"]
        ),
    )


def _series_to_json(
    series: Mapping[SeriesKey, Tally], histogram: Callable[[Latency], Document]
) -> list[Document]:
    return [
        {
            **asdict(key),
            "ops": tally.ops,
            "bytes": tally.bytes,
            "tail_ops": tally.tail_ops,
            "tail_bytes": tally.tail_bytes,
            "errors": tally.errors,
            "sum_ns": tally.latency.sum_ns,
            "min_ns": tally.latency.min_ns,
            "max_ns": tally.latency.max_ns,
            **histogram(tally.latency),
            "response": _distribution_to_json(tally.response, histogram) if tally.response.counts else None,
        }
        for key, tally in series.items()
    ]


def _series_from_json(documents: Iterable[Document]) -> dict[SeriesKey, Tally]:
    return {
        SeriesKey(one["agent"], one["endpoint"], one["op"], one["bucket"]): Tally(
            one["ops"],
            one["bytes"],
            one["tail_ops"],
            one["tail_bytes"],
            one["errors"],
            _latency(one),
            _latency(one["response"]) if one.get("response") else Latency(),
        )
        for one in documents
    }


def _distribution_to_json(latency: Latency, histogram: Callable[[Latency], Document]) -> Document:
    exact = {"sum_ns": latency.sum_ns, "min_ns": latency.min_ns, "max_ns": latency.max_ns}
    return exact | histogram(latency)


def _as_hdr(latency: Latency) -> Document:
    return {"hdr": encode(latency)}


def _as_lists(latency: Latency) -> Document:
    return {"index": list(latency.counts), "counts": list(latency.counts.values())}


def _latency(one: Document) -> Latency:
    exact = {name: one[name] for name in ("sum_ns", "min_ns", "max_ns")}
    if "hdr" in one:
        return decode(one["hdr"], **exact)
    return Latency(dict(zip(one["index"], one["counts"])), **exact)
