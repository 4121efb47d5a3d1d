"""The only code that creates folders and files of results."""

from __future__ import annotations

import errno
import json
import os
import re
from typing import TYPE_CHECKING, Any, TextIO

from pytest_sai3bench.errors import ResultsError
from pytest_sai3bench.reports.result_json import to_json
from pytest_sai3bench.reports.results_tsv import write_results, write_tallies
from pytest_sai3bench.results.checks import check_phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict

    _Files = dict[str, Callable[[TextIO], object]]

_NO_SYMLINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def create(results_root: Path, now: datetime, token: str) -> Path:
    """Create and return the folder ``<YYYYMMDD-HHMMSS-token>`` of a session, and let ``latest`` point to it.

    ``token`` keeps sessions of one second apart. Where links are not supported there is no ``latest``.
    Raises ResultsError.
    """
    folder = results_root / f"{now:%Y%m%d-%H%M%S}-{token}"
    try:
        results_root.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        _point_to(folder, results_root / "latest")
    except OSError as error:
        raise _failure(folder, error) from error
    return folder


def create_run(folder: Path, suite_stem: str, workload_name: str) -> Path:
    """Create and return the folder of one run below the session's ``folder``.

    Runs whose names would collide (suites of the same name in different folders) get ``-2``, ``-3`` … at the end.
    Raises ResultsError.
    """
    try:
        return _create_run_folder(folder / _file_name(suite_stem), _file_name(workload_name))
    except OSError as error:
        raise _failure(folder, error) from error


def agent_folders(agents: Iterable[str]) -> dict[str, str]:
    """Return where the files of each agent are in the folder of a run: nowhere when there is one only."""
    names: dict[str, str] = {}
    for agent in agents:
        name = _file_name(agent)
        while f"agents/{name}" in names.values():
            name += "-2"
        names[agent] = f"agents/{name}"
    return names if len(names) > 1 else {}


class GrowingFile:
    """A text file of results that is written piece by piece, each of which is in the file at once.

    Raises ResultsError when it cannot be made. When it cannot be written later, the rest is left out, and `close` raises.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: OSError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = _open(path)
        except OSError as error:
            raise _failure(path, error) from error

    def append(self, write: Callable[[TextIO], object]) -> None:
        """Let ``write`` add to the end."""
        if self._error is None:
            try:
                write(self._stream)
                self._stream.flush()
            except OSError as error:
                self._error = error

    def close(self) -> None:
        """Close the file; raises ResultsError when something is missing in it."""
        try:
            self._stream.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            raise _failure(self._path, self._error) from self._error


def write_inputs(folder: Path, *, plan: RunPlan, config_text: str, metadata: Mapping[str, Any]) -> None:
    """Write what is known before a run, so that a run which is killed can be told what it was. Raises ResultsError."""
    _write_files(folder, _inputs(plan, config_text, metadata))


def write_run(
    folder: Path,
    *,
    result: RunResult,
    verdicts: Sequence[Verdict],
    plan: RunPlan,
    config_text: str,
    metadata: Mapping[str, Any],
) -> None:
    """Write all files of one run into its ``folder``, over those of an earlier call.

    Every file appears whole or not at all. Raises ResultsError.
    """
    files = _inputs(plan, config_text, metadata)
    # Most of it are numbers that nobody reads line by line.
    files["result.json"] = _json_writer(to_json(result, verdicts, plan.to_document()), indent=None)
    prepare = next((phase for phase in result.phases if phase.does == "prepare"), None)
    if prepare is not None and prepare.tally(ops=["put"]).requests:
        files["prepare_results.tsv"] = lambda stream: write_results(
            stream, prepare, checks=check_phase(prepare)
        )
        files |= _of_agents("prepare_results.tsv", prepare)
    workload = result.workload
    if workload is not None:
        files["results.tsv"] = _results_writer(workload, result, verdicts)
        files |= _of_agents("results.tsv", workload)
    for phase in result.phases:
        if phase.position:
            name = f"{phase.position:02d}_{_file_name(phase.phase)}_results.tsv"
            files[name] = _results_writer(phase, result, verdicts)
    _write_files(folder, files)


def _results_writer(
    phase: PhaseResult, result: RunResult, verdicts: Sequence[Verdict]
) -> Callable[[TextIO], object]:
    """Return what writes the tables of a phase, with its checks and the verdicts on it."""
    if phase.does != "workload":
        return lambda stream: write_results(stream, phase, checks=check_phase(phase))
    checks = [check for check in result.checks if check.phase in ("", phase.phase)]
    own = [verdict for verdict in verdicts if verdict.stage in ("", phase.phase)]
    return lambda stream: write_results(stream, phase, verdicts=own, checks=checks)


def _of_agents(name: str, phase: PhaseResult) -> _Files:
    folders = agent_folders(report.agent for report in phase.agents)
    return {
        f"{folder}/{name}": lambda stream, agent=agent: write_tallies(stream, phase.of_agent(agent))  # type: ignore[misc]
        for agent, folder in folders.items()
    }


def _inputs(plan: RunPlan, config_text: str, metadata: Mapping[str, Any]) -> _Files:
    return {
        "config.yaml": lambda stream: stream.write(config_text),
        "plan.json": _json_writer({"format": 1, **plan.to_document()}),
        "metadata.json": _json_writer(metadata),
    }


def _write_files(folder: Path, files: _Files) -> None:
    try:
        for name, write in files.items():
            _write_whole(folder / name, write)
    except OSError as error:
        raise _failure(folder, error) from error


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document to a file of the user's choice, whole or not at all; raises ResultsError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, _json_writer(document))
    except OSError as error:
        raise _failure(path, error) from error


def _create_run_folder(parent: Path, name: str) -> Path:
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / name
    number = 1
    # Only this process writes below its session's folder.
    while folder.exists():
        number += 1
        folder = parent / f"{name}-{number}"
    folder.mkdir()
    return folder


def _file_name(text: str) -> str:
    """Return ``text`` without what would leave its folder or hide the result."""
    return re.sub(r"[^A-Za-z0-9_.=\[\]-]", "_", text).lstrip(".") or "_"


def _json_writer(document: Mapping[str, Any], *, indent: int | None = 1) -> Callable[[TextIO], object]:
    separators = (",", ": ") if indent else (",", ":")
    return lambda stream: stream.write(json.dumps(document, indent=indent, separators=separators) + "\n")


def _write_whole(path: Path, write: Callable[[TextIO], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")
    try:
        with _open(draft) as stream:
            write(stream)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _open(path: Path) -> TextIO:
    # Names of files on a host may be no Unicode; a report is written all the same.
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")


def _point_to(folder: Path, link: Path) -> None:
    draft = link.with_name(f".{link.name}-{folder.name}")
    try:
        draft.symlink_to(folder.name, target_is_directory=True)
    except OSError as error:
        if error.errno in _NO_SYMLINKS:
            return
        raise
    try:
        draft.replace(link)
    except OSError:
        draft.unlink()
        raise


def _failure(folder: Path, error: OSError) -> ResultsError:
    where = error.filename2 or error.filename or folder
    return ResultsError(
        f"results cannot be written: {os.fspath(where)}: {error.strerror}",
        remedy="Make room or permit writing there, or choose another place with --sai3-results or --sai3-json.",
    )
