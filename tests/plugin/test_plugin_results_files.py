from __future__ import annotations

import gzip
import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from pytest_sai3bench.reports import run_folder

if TYPE_CHECKING:
    from collections.abc import Callable

# One operation in all, so that one of the endpoints stays idle.
_IDLE = """\
name: once
embedded_server: {mounts: 2}
multi_endpoint:
  endpoints: ["file://embedded-1/", "file://embedded-2/"]
duration: 1m
prepare:
  ensure_objects:
    - {base_uri: data/, count: 1, size_spec: 1KiB}
workload:
  - {op: delete, path: "data/*", weight: 1}
"""


def _sections(path: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each section of a results.tsv by its name, that of the first table empty."""
    sections = {}
    for part in path.read_text().removesuffix("\n").split("\n\n"):
        lines = part.split("\n")
        name = lines.pop(0).strip("[]") if lines[0].startswith("[") else ""
        header, *rows = (line.split("\t") for line in lines)
        sections[name] = [dict(zip(header, row, strict=True)) for row in rows]
    return sections


def test_a_run_leaves_its_files(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 10 s")
    pytester.runpytest_inprocess("--sai3-results=out/put", "-v").assert_outcomes(passed=3)
    sessions = sorted(path.name for path in pytester.path.joinpath("out", "put").iterdir())
    assert len(sessions) == 2
    assert sessions[1] == "latest"
    latest = pytester.path / "out" / "put" / "latest"
    assert latest.readlink().name == sessions[0]
    folder = latest / "suite.sai3" / "mixed"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "metadata.json",
        "perf_log.tsv",
        "plan.json",
        "prepare_results.tsv",
        "result.json",
        "results.tsv",
    ]
    metadata = json.loads((folder / "metadata.json").read_text())
    assert metadata["command"] == ["--sai3-results=out/put", "-v"]


_SHARED = """\
name: shared
embedded_server: {mounts: 3}
concurrency: 3
distributed:
  agents:
    - {address: localhost, id: one, multi_endpoint: {endpoints: ["file://embedded-1/", "file://embedded-2/"]}}
    - {address: localhost, id: two, multi_endpoint: {endpoints: ["file://embedded-2/", "file://embedded-3/"]}}
duration: 300ms
prepare:
  ensure_objects:
    - {base_uri: data/, count: 12, size_spec: 1KiB}
workload:
  - {op: get, path: "data/*", weight: 3}
  - {op: put, path: new/, object_size: 2KiB, weight: 1}
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_files_of_agents_add_up_to_those_of_the_whole(pytester: pytest.Pytester, processes: int) -> None:
    """Both drive the second endpoint, and each one of its own."""
    pytester.makefile(".sai3.yaml", shared=f"{_SHARED}processes: {processes}\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    folder = pytester.path / "sai3-results" / "latest" / "shared.sai3" / "shared"

    for name in ("results.tsv", "prepare_results.tsv"):
        whole = _sections(folder / name)["endpoint_stats"]
        parts = [_sections(folder / "agents" / agent / name)["endpoint_stats"] for agent in ("one", "two")]
        first, shared, last = (row["endpoint_uri"] for row in whole)
        assert [[row["endpoint_uri"] for row in part] for part in parts] == [[first, shared], [shared, last]]
        assert [[row["endpoint_idx"] for row in part] for part in parts] == [["1", "2"], ["2", "3"]]
        for column in ("total_requests", "bytes_read", "bytes_written", "error_count", "active_requests"):
            sums = dict.fromkeys((first, shared, last), 0)
            for row in (*parts[0], *parts[1]):
                sums[row["endpoint_uri"]] += int(row[column])
            assert sums == {row["endpoint_uri"]: int(row[column]) for row in whole}
        worst = max(float(row["max_us"]) for row in (parts[0][1], parts[1][0]))
        assert float(whole[1]["max_us"]) == worst
        assert all(int(row["total_requests"]) > 0 for row in whole)


def test_a_log_of_operations_is_in_the_results_if_it_is_asked_for(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    elsewhere = pytester.path / "elsewhere.tsv.zst"
    write_suite(more=f"op_log_path: {elsewhere}\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    header, *lines = gzip.decompress((folder / "op_log.tsv.gz").read_bytes()).decode().splitlines()
    document = json.loads((folder / "result.json").read_text())

    counted = sum(
        series["ops"] + series["tail_ops"] for phase in document["phases"] for series in phase["series"]
    )
    assert len(lines) == counted
    assert header.split("\t")[6] == "endpoint"
    assert {line.split("\t")[6] for line in lines} == set(document["phases"][0]["endpoints"])
    assert not elsewhere.exists()


def test_there_need_not_be_a_log(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite(more="perf_log: {enabled: false}\n")
    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    assert list(pytester.path.rglob("perf_log.tsv")) == []


def test_a_log_that_cannot_be_written_is_told_at_the_end(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite()
    monkeypatch.setattr(run_folder, "_open", partial(_open_full, run_folder._open))
    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["results cannot be written: *perf_log.tsv: No space left on device"])
    assert (pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed" / "results.tsv").exists()


def _open_full(open_file: Callable[[Path], TextIO], path: Path) -> TextIO:
    return open_file(Path("/dev/full") if path.name == "perf_log.tsv" else path)


def test_two_suites_of_one_session_share_its_folder_and_a_second_session_gets_its_own(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(name="one/load.sai3.yaml")
    write_suite(name="two/load.sai3.yaml")
    pytester.runpytest_inprocess("-kmixed and not errors").assert_outcomes(passed=2)
    first = pytester.path.joinpath("sai3-results", "latest").resolve()
    assert sorted(path.name for path in (first / "load.sai3").iterdir()) == ["mixed", "mixed-2"]
    pytester.runpytest_inprocess("one").assert_outcomes(passed=2)
    second = pytester.path.joinpath("sai3-results", "latest").resolve()
    assert second != first
    assert (first / "load.sai3" / "mixed" / "results.tsv").exists()


def test_an_idle_endpoint_has_a_row_of_zeros(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("suite.sai3.yaml").write_text(_IDLE)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "once"
    rows = _sections(folder / "results.tsv")["endpoint_stats"]
    assert [row["endpoint_uri"] for row in rows] == ["file://embedded-1/", "file://embedded-2/"]
    used, idle = sorted(rows, key=lambda row: row["total_requests"], reverse=True)
    assert (used["total_requests"], used["request_pct"]) == ("1", "100.00")
    # What its folder is on is known all the same.
    assert idle.pop("reached") == used["reached"] != ""
    assert {value for name, value in idle.items() if not name.startswith("endpoint_")} == {"0", "0.00"}


def test_the_files_of_a_run_agree_with_each_other(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("get.max < 10 s")
    pytester.runpytest_inprocess().assert_outcomes(passed=3)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    sections = _sections(folder / "results.tsv")
    assert list(sections) == [
        "",
        "operation_stats",
        "endpoint_stats",
        "agent_stats",
        "endpoint_events",
        "thresholds",
        "checks",
    ]
    document = json.loads((folder / "result.json").read_text())
    assert (document["run"]["status"], document["run"]["reason"]) == ("completed", "")
    prepare, workload, cleanup = document["phases"]
    assert [phase["phase"] for phase in (prepare, workload, cleanup)] == ["prepare", "workload", "cleanup"]
    total = sections["operation_stats"][-1]
    assert total["operation"] == "TOTAL"
    assert int(total["count"]) == sum(series["ops"] for series in workload["series"]) > 0
    assert int(total["bytes"]) == sum(series["bytes"] for series in workload["series"])
    assert int(total["tail_count"]) == sum(series["tail_ops"] for series in workload["series"])
    assert [row["total_requests"] for row in sections["endpoint_stats"]] == [total["total_requests"]]
    assert [row["total_requests"] for row in sections["agent_stats"]] == [total["total_requests"]]
    assert [(row["id"], row["outcome"]) for row in sections["thresholds"]] == [
        ("get.max", "passed"),
        ("total.errors", "passed"),
    ]
    assert [verdict["id"] for verdict in document["verdicts"]] == ["get.max", "total.errors"]
    reconciled = [row for row in sections["checks"] if row["check"].startswith("reconcile-")]
    assert {row["passed"] for row in reconciled} == {"yes"}
    assert sum(series["ops"] for series in prepare["series"]) == 20
    assert sum(series["ops"] for series in cleanup["series"]) == 20 + _puts(workload)


def _puts(phase: dict[str, Any]) -> int:
    return sum(series["ops"] + series["tail_ops"] for series in phase["series"] if series["op"] == "put")


def test_a_run_that_failed_leaves_what_it_had_measured(
    pytester: pytest.Pytester, store: Path, block: Callable[..., list[str]]
) -> None:
    """Half of what is read has been deleted, and the run gives up on that."""
    folder = store / "data"
    folder.mkdir()
    for number in range(400):
        folder.joinpath(f"{number}").write_bytes(b"x")
    pytester.path.joinpath("suite.sai3.yaml").write_text(
        f"""\
target: {store.as_uri()}/
duration: 1m
concurrency: 1
error_handling: {{max_total_errors: 5}}
workload:
  - {{op: get, path: "data/*", weight: 1}}
  - {{op: delete, path: "data/*", weight: 1}}
thresholds:
  - get.max < 10 s
"""
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=3)
    (reason,) = block(result, "workload workload")
    cause = "No such file or directory: " + re.escape(f"{folder}/")
    assert re.fullmatch(
        rf"workload: local gave up after 5 errors \(error_handling.max_total_errors\); the last: {cause}\d+",
        reason,
    )
    results = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "workload"
    document = json.loads((results / "result.json").read_text())
    assert (document["run"]["status"], document["run"]["reason"]) == ("failed", reason)
    sections = _sections(results / "results.tsv")
    assert sections["operation_stats"][0]["operation"] == "GET"
    assert sections["operation_stats"][0]["error_count"] == "5"
    assert int(sections["operation_stats"][1]["count"]) == 400 - len(list(folder.iterdir()))
    assert [row["outcome"] for row in sections["thresholds"]] == ["inconclusive", "inconclusive"]


def test_a_run_that_could_not_begin_leaves_its_plan_and_the_reason(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(target="file:///no/such/folder/")
    pytester.runpytest_inprocess().assert_outcomes(errors=2)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.yaml",
        "metadata.json",
        "perf_log.tsv",
        "plan.json",
        "result.json",
    ]
    run = json.loads((folder / "result.json").read_text())["run"]
    assert run["status"] == "failed"
    assert run["reason"].startswith("suite.sai3.yaml:2: local cannot use file:///no/such/folder/: ")


def test_a_folder_that_cannot_be_made_is_an_error_before_anything_is_touched(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]], store: Path
) -> None:
    write_suite()
    pytester.path.joinpath("file").write_text("precious")
    result = pytester.runpytest_inprocess("--sai3-results=file/results")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=2)
    cause = f"results cannot be written: {pytester.path}/file/results: Not a directory"
    assert block(result, "ERROR at setup of workload mixed") == [
        cause,
        "Make room or permit writing there, or choose another place with --sai3-results or --sai3-json.",
    ]
    assert block(result, "ERROR at setup of mixed/total.errors: total.errors == 0") == [
        f"mixed did not run: {cause}"
    ]
    assert "Traceback" not in result.stdout.str()
    assert list(store.iterdir()) == []
    assert pytester.path.joinpath("file").read_text() == "precious"
