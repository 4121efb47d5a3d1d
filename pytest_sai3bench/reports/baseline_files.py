"""Baselines as files: plain JSON, a folder for each name, a file for each run. Format 1."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_sai3bench import __version__
from pytest_sai3bench.reports.result_json import series_from_json, series_to_json
from pytest_sai3bench.reports.run_folder import write_document
from pytest_sai3bench.results.windows import Window
from pytest_sai3bench.thresholds.baselines import Baseline

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_sai3bench.thresholds.baselines import Rounds

FORMAT = 1
LATEST = "latest"


@dataclass(frozen=True)
class BaselineFiles:
    """The baselines below ``folder``; ``run`` names one run of one suite in all of them."""

    folder: Path

    def find(self, name: str, run: str) -> Baseline:
        """Return the baseline of a run that is called ``name``, or ``latest``: the one that was saved last."""
        if name != LATEST:
            return read_baseline(self._path(name, run), name)
        known = [read_baseline(path, path.parent.name) for path in self.folder.glob(f"*/{_file_name(run)}")]
        usable = [baseline for baseline in known if not baseline.problem]
        missing = Baseline(
            LATEST, problem=f"no baseline of {run} was saved in {self.folder}", is_missing=True
        )
        return max(usable, key=lambda baseline: baseline.saved_at, default=missing)

    def save(self, run: str, baseline: Baseline) -> None:
        """Write a baseline of a run, over one of the same name; raises ResultsError."""
        write_document(self._path(baseline.name, run), _to_json(run, baseline))

    def _path(self, name: str, run: str) -> Path:
        return self.folder / name / _file_name(run)


def read_baseline(path: Path, name: str, run: str = "") -> Baseline:
    """Return what a file holds (or the one of a ``run``, if ``path`` is a folder); ``problem`` says why it is of no use."""
    if run and path.is_dir():
        path /= _file_name(run)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            return Baseline(
                name,
                problem=f"baseline {name} has format {document['format']}, this version reads {FORMAT}: {path}",
            )
        return _from_json(name, document)
    except FileNotFoundError:
        return Baseline(
            name, problem=f"there is no baseline {name} yet: {path} does not exist", is_missing=True
        )
    except OSError as error:
        return Baseline(name, problem=f"baseline {name} cannot be read: {path}: {error.strerror}")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return Baseline(name, problem=f"baseline {name} cannot be read: {path} is no baseline")


def _file_name(run: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.=\[\]-]+", "-", run).strip("-.") + ".json"


def _to_json(run: str, baseline: Baseline) -> dict[str, Any]:
    first = baseline.rounds[0][0]
    return {
        "format": FORMAT,
        "generator": f"pytest-sai3bench {__version__}",
        "run": run,
        "saved_at": baseline.saved_at,
        "fingerprint": dict(baseline.fingerprint),
        "endpoints": list(first.endpoints),
        "agents": list(first.agent_names),
        "rounds": [
            [
                {"start_s": batch.start_s, "end_s": batch.end_s, "series": series_to_json(batch.series)}
                for batch in batches
            ]
            for batches in baseline.rounds
        ],
    }


def _from_json(name: str, document: dict[str, Any]) -> Baseline:
    endpoints, agents = tuple(document["endpoints"]), tuple(document["agents"])
    rounds: Rounds = tuple(
        tuple(
            Window(
                "workload",
                endpoints,
                (),
                series_from_json(batch["series"]),
                start_s=batch["start_s"],
                end_s=batch["end_s"],
                agent_names=agents,
            )
            for batch in batches
        )
        for batches in document["rounds"]
    )
    return Baseline(name, document["saved_at"], document["fingerprint"], rounds)
