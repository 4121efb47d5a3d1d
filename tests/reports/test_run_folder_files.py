from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import ResultsError
from pytest_sai3bench.reports.result_json import from_json
from pytest_sai3bench.reports.run_folder import create, create_run, write_run

if TYPE_CHECKING:
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict

NOW = datetime(2026, 11, 24, 10, 15, 30)  # noqa: DTZ001 - folders are named by local time
LATER = datetime(2026, 11, 24, 10, 15, 31)  # noqa: DTZ001
REMEDY = "Make room or permit writing there, or choose another place with --sai3-results or --sai3-json."


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(folder: Path, result: RunResult, plan: RunPlan, **changed: Any) -> Path:
    options: dict[str, Any] = {
        "result": result,
        "verdicts": (),
        "plan": plan,
        "config_text": "name: mixed\n",
        "metadata": {"version": "1"},
    }
    run_folder = create_run(folder, "three", "mixed")
    write_run(run_folder, **options | changed)
    return run_folder


def test_a_session_folder_is_named_by_time_and_token_and_latest_points_to_the_newest(tmp_path: Path) -> None:
    first = create(tmp_path / "new" / "results", NOW, "k3x9")
    second = create(tmp_path / "new" / "results", LATER, "aaaa")

    assert first == tmp_path / "new" / "results" / "20261124-101530-k3x9"
    assert names(tmp_path / "new" / "results") == [
        "20261124-101530-k3x9",
        "20261124-101531-aaaa",
        "latest",
    ]
    assert (tmp_path / "new" / "results" / "latest").readlink() == Path(second.name)


def test_without_links_there_is_no_latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "links are not supported")

    monkeypatch.setattr(Path, "symlink_to", refuse)

    folder = create(tmp_path, NOW, "k3x9")

    assert names(tmp_path) == [folder.name]


def test_a_folder_called_latest_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()

    with pytest.raises(ResultsError) as caught:
        create(tmp_path, NOW, "k3x9")

    assert str(caught.value) == f"results cannot be written: {tmp_path}/latest: Is a directory\n{REMEDY}"
    assert names(tmp_path) == ["20261124-101530-k3x9", "latest"]


def test_a_results_root_that_is_a_file_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "results"
    root.write_text("mine")

    with pytest.raises(ResultsError) as caught:
        create(root, NOW, "k3x9")

    assert str(caught.value) == f"results cannot be written: {root}: File exists\n{REMEDY}"
    assert root.read_text() == "mine"


def test_a_run_leaves_all_its_files(
    tmp_path: Path, run: RunResult, plan: RunPlan, passed: Verdict, failed: Verdict
) -> None:
    folder = write(tmp_path, run, plan, verdicts=(passed, failed))

    assert folder == tmp_path / "three" / "mixed"
    assert names(folder) == [
        "agents",
        "config.yaml",
        "metadata.json",
        "plan.json",
        "prepare_results.tsv",
        "result.json",
        "results.tsv",
    ]
    # One of them alone did all of prepare.
    assert [str(path.relative_to(folder)) for path in sorted(folder.glob("agents/*/*"))] == [
        "agents/a1/results.tsv",
        "agents/a2/results.tsv",
    ]
    assert (folder / "config.yaml").read_text() == "name: mixed\n"
    assert json.loads((folder / "metadata.json").read_text()) == {"version": "1"}
    plan_document = json.loads((folder / "plan.json").read_text())
    assert (plan_document["format"], plan_document["workers"][0]["endpoints"][0]["uri"]) == (
        1,
        "s3://10.0.0.1:9000/bench/",
    )
    assert from_json(json.loads((folder / "result.json").read_text())) == run
    assert "\nget.p99\tget.p99 < 25 ms\t" in (folder / "results.tsv").read_text()
    assert "\nPUT\tALL\t99\t" in (folder / "prepare_results.tsv").read_text()
    assert "\nreconcile-ticks\tyes\t500 ops," in (folder / "prepare_results.tsv").read_text()


def test_a_prepare_that_put_nothing_has_no_table(
    tmp_path: Path, run: RunResult, plan: RunPlan, prepare: PhaseResult
) -> None:
    folder = write(tmp_path, replace(run, phases=(replace(prepare, series={}), run.phases[1])), plan)

    assert not (folder / "prepare_results.tsv").exists()


def test_a_run_that_failed_before_its_workload_keeps_what_there_is(
    tmp_path: Path, run: RunResult, plan: RunPlan
) -> None:
    result = replace(run, status="failed", reason="agent a2 was lost", phases=(), checks=())

    folder = write(tmp_path, result, plan)

    assert names(folder) == ["config.yaml", "metadata.json", "plan.json", "result.json"]


def test_suites_of_the_same_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    folders = [create_run(tmp_path, "three", "mixed") for _ in range(3)]

    assert [folder.name for folder in folders] == ["mixed", "mixed-2", "mixed-3"]


def test_a_run_that_is_written_again_replaces_its_files(
    tmp_path: Path, run: RunResult, plan: RunPlan, prepare: PhaseResult
) -> None:
    folder = create_run(tmp_path, "three", "mixed")
    options: dict[str, Any] = {"verdicts": (), "plan": plan, "config_text": "", "metadata": {}}
    write_run(folder, result=replace(run, phases=(prepare,)), **options)

    write_run(folder, result=run, **options)

    assert from_json(json.loads((folder / "result.json").read_text())) == run


@pytest.mark.parametrize(
    ("stem", "name", "expected"),
    [
        ("four host", "mixed[size=4KiB-concurrency=8]", "four_host/mixed[size=4KiB-concurrency=8]"),
        ("..", "../../etc", "_/_.._etc"),
        (".hidden", "a/b", "hidden/a_b"),
    ],
)
def test_names_stay_inside_the_session_folder(tmp_path: Path, stem: str, name: str, expected: str) -> None:
    assert create_run(tmp_path, stem, name) == tmp_path / expected


def test_a_full_disk_is_reported_and_leaves_no_half_written_file(
    tmp_path: Path, run: RunResult, plan: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("pytest_sai3bench.reports.run_folder.write_results", fail)

    with pytest.raises(ResultsError) as caught:
        write(tmp_path, run, plan)

    assert (
        str(caught.value)
        == f"results cannot be written: {tmp_path}/three/mixed: No space left on device\n{REMEDY}"
    )
    assert names(tmp_path / "three" / "mixed") == [
        "config.yaml",
        "metadata.json",
        "plan.json",
        "result.json",
    ]


def test_names_that_are_no_unicode_are_written_escaped(tmp_path: Path, run: RunResult, plan: RunPlan) -> None:
    workload = run.phases[1]
    odd = replace(
        workload, agents=(replace(workload.agents[0], reason="bad name \udcff"), workload.agents[1])
    )

    folder = write(tmp_path, replace(run, phases=(odd,)), plan)

    assert "bad name \\udcff\n" in (folder / "results.tsv").read_text()
