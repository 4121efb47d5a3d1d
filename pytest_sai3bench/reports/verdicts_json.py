"""``--sai3-json``: how every run of a session was judged, for programs. Format 1."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args

from pytest_sai3bench import __version__
from pytest_sai3bench.thresholds.verdicts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict

FORMAT = 1


@dataclass(frozen=True)
class JudgedRun:
    """A run and the verdicts on it; ``nodeid`` is pytest's name of the run, ``folder`` has the results."""

    nodeid: str
    result: RunResult
    verdicts: Sequence[Verdict]
    folder: Path | None


def verdicts_document(runs: Sequence[JudgedRun]) -> dict[str, Any]:
    """Return the document of a session: how often there was each effect, and every run with its verdicts."""
    counts = Counter(verdict.effect for run in runs for verdict in run.verdicts)
    return {
        "format": FORMAT,
        "generator": f"pytest-sai3bench {__version__}",
        "counts": {effect: counts[effect] for effect in get_args(Effect)},
        "runs": [
            {
                "nodeid": run.nodeid,
                "suite": run.result.suite,
                "name": run.result.name,
                "run_id": run.result.run_id,
                "status": run.result.status,
                "reason": run.result.reason,
                "started_at": run.result.started_at,
                "results": str(run.folder) if run.folder else None,
                "verdicts": [
                    {
                        "nodeid": f"{run.nodeid}/{verdict.id}",
                        "effect": verdict.effect,
                        **asdict(verdict),
                    }
                    for verdict in run.verdicts
                ],
            }
            for run in runs
        ],
    }
