"""``result.json``: everything a run measured, as builtins, and back.

Format 1. Histograms are HdrHistogram V2 texts, which other tools decode. The exact sum, minimum and maximum stand beside
them. The document does not grow with the length of the run.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pytest_sai3bench import __version__
from pytest_sai3bench.errors import Location, ResultsError
from pytest_sai3bench.results.contacts import Contact
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
    TickSum,
)
from pytest_sai3bench.results.outages import Outage
from pytest_sai3bench.thresholds.verdicts import Row, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FORMAT = 1
# What of an agent's report JSON has no type for.
_TUPLES = ("notes", "worker_cpu", "endpoints")

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
        "kind": phase.does,
        "position": phase.position,
        "endpoints": list(phase.endpoints),
        "agents": [
            asdict(report)
            | {name: list(getattr(report, name)) for name in _TUPLES}
            | {"contacts": [contact.to_json() for contact in report.contacts]}
            for report in phase.agents
        ],
        "series": series_to_json(phase.series),
        "warmup": series_to_json(phase.warmup),
        "errors": [asdict(error) for error in phase.errors],
        "outages": [asdict(outage) for outage in phase.outages],
        "ticked": asdict(phase.ticked) | {"differing": list(phase.ticked.differing)},
    }


def _phase_from_json(document: Document) -> PhaseResult:
    return PhaseResult(
        phase=document["phase"],
        kind=document["kind"] if document.get("position") else "",
        position=document.get("position", 0),
        endpoints=tuple(document["endpoints"]),
        agents=tuple(
            AgentReport(
                **report
                | {name: tuple(report.get(name, ())) for name in _TUPLES}
                | {"contacts": tuple(map(Contact.from_json, report.get("contacts", ())))}
            )
            for report in document["agents"]
        ),
        series=series_from_json(document["series"]),
        warmup=series_from_json(document["warmup"]),
        errors=tuple(ErrorSample(**error) for error in document["errors"]),
        outages=tuple(Outage(**outage) for outage in document.get("outages", ())),
        ticked=TickSum(**document["ticked"] | {"differing": tuple(document["ticked"]["differing"])}),
    )


def series_to_json(series: Mapping[SeriesKey, Tally]) -> list[Document]:
    """Return tallies by key as builtins."""
    return [
        {
            **asdict(key),
            "ops": tally.ops,
            "bytes": tally.bytes,
            "tail_ops": tally.tail_ops,
            "tail_bytes": tally.tail_bytes,
            "errors": tally.errors,
            **_latency_to_json(tally.latency),
            "response": _latency_to_json(tally.response) if tally.response.counts else None,
            "ttfb": _ttfb_to_json(tally),
        }
        for key, tally in series.items()
    ]


def series_from_json(documents: Iterable[Document]) -> dict[SeriesKey, Tally]:
    """Return what `series_to_json` made builtins of."""
    return {
        SeriesKey(one["agent"], one["endpoint"], one["op"], one["bucket"], one.get("role", "")): Tally(
            one["ops"],
            one["bytes"],
            one["tail_ops"],
            one["tail_bytes"],
            one["errors"],
            _latency(one),
            _latency(one["response"]) if one.get("response") else Latency(),
            _ttfb(one),
        )
        for one in documents
    }


def _latency_to_json(latency: Latency) -> Document:
    return {
        "sum_ns": latency.sum_ns,
        "min_ns": latency.min_ns,
        "max_ns": latency.max_ns,
        "hdr": encode(latency),
    }


def _ttfb_to_json(tally: Tally) -> Document | str | None:
    if not tally.ttfb.counts:
        return None
    # Of small objects, first and last byte arrive together: no need to write the same twice.
    return "latency" if tally.ttfb == tally.latency else _latency_to_json(tally.ttfb)


def _ttfb(one: Document) -> Latency:
    ttfb = one.get("ttfb")
    if not ttfb:
        return Latency()
    return _latency(one if ttfb == "latency" else ttfb)


def _latency(one: Document) -> Latency:
    return decode(one["hdr"], sum_ns=one["sum_ns"], min_ns=one["min_ns"], max_ns=one["max_ns"])
