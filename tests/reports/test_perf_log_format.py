from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import ResultsError
from pytest_sai3bench.reports.perf_log import PerfLog
from pytest_sai3bench.reports.run_folder import GrowingFile
from pytest_sai3bench.results.timeline import HostCpu, Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult

# In the order of sai3-bench 0.8.97.
THIRTY = [
    *("agent_id", "timestamp_epoch_ms", "elapsed_s", "stage"),
    *(
        "get_ops",
        "get_bytes",
        "get_iops",
        "get_mbps",
        "get_mean_us",
        "get_p50_us",
        "get_p90_us",
        "get_p99_us",
    ),
    *(
        "put_ops",
        "put_bytes",
        "put_iops",
        "put_mbps",
        "put_mean_us",
        "put_p50_us",
        "put_p90_us",
        "put_p99_us",
    ),
    *("meta_ops", "meta_iops", "meta_mean_us", "meta_p50_us", "meta_p90_us", "meta_p99_us"),
    *("cpu_user_pct", "cpu_system_pct", "cpu_iowait_pct", "errors"),
]
BEGAN_AT = 1_795_515_330.25


def write(folder: Path, plan: RunPlan, workload: PhaseResult) -> None:
    log = PerfLog(folder, plan)
    log.add("prepare", BEGAN_AT, Interval(0.0, 0.125, {}))
    cpu = {"a1": HostCpu(0.5, 0.25, 0.125), "a2": HostCpu(0.25, 0.125, 0.0)}
    sections = {"warmup": workload.warmup, "measured": workload.series}
    log.add("workload", BEGAN_AT + 10, Interval(0.0, 2.0, sections, cpu))
    log.add("workload", BEGAN_AT + 10, Interval(2.0, 4.0, {}, {"a2": cpu["a2"]}))
    log.close()


def rows_of(path: Path) -> list[dict[str, str]]:
    header, *rows = (line.split("\t") for line in path.read_text().removesuffix("\n").split("\n"))
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_the_log_of_several_agents_and_endpoints(
    tmp_path: Path, plan: RunPlan, workload: PhaseResult, check_gold: Callable[[str, str], None]
) -> None:
    write(tmp_path, plan, workload)

    check_gold("perf_log.tsv", (tmp_path / "perf_log.tsv").read_text())


def test_the_columns_of_sai3_bench_come_first_and_in_its_order(
    tmp_path: Path, plan: RunPlan, workload: PhaseResult
) -> None:
    write(tmp_path, plan, workload)
    header = (tmp_path / "perf_log.tsv").read_text().partition("\n")[0].split("\t")

    assert header[:30] == THIRTY
    assert header[30:] == [
        f"ep{number}_{what}" for number in (1, 2, 3) for what in ("ops", "mibps", "p99_us", "errors")
    ]


def test_each_agent_has_its_own_log_with_the_numbers_of_its_endpoints(
    tmp_path: Path, plan: RunPlan, workload: PhaseResult
) -> None:
    write(tmp_path, plan, workload)
    first, second = (rows_of(tmp_path / "agents" / agent / "perf_log.tsv") for agent in ("a1", "a2"))
    whole = rows_of(tmp_path / "perf_log.tsv")

    # a1 has two of the three, a2 one, and so no columns for it.
    assert list(first[0])[30:] == [
        f"ep{number}_{what}" for number in (1, 2) for what in ("ops", "mibps", "p99_us", "errors")
    ]
    assert list(second[0]) == THIRTY
    assert [row["agent_id"] for row in (whole[0], first[0], second[0])] == ["controller", "a1", "a2"]
    for column in ("get_ops", "get_bytes", "put_ops", "meta_ops", "errors"):
        for of_first, of_second, of_all in zip(first, second, whole, strict=True):
            assert int(of_first[column]) + int(of_second[column]) == int(of_all[column])
    assert [row["cpu_user_pct"] for row in first] == ["", "50.0", ""]
    assert [row["cpu_user_pct"] for row in whole] == ["", "37.5", "25.0"]


def test_one_agent_with_one_endpoint_has_the_columns_of_sai3_bench_alone(
    tmp_path: Path, plan: RunPlan, workload: PhaseResult
) -> None:
    write(tmp_path, replace(plan, workers=plan.workers[:1]), workload)

    assert [path.name for path in tmp_path.iterdir()] == ["perf_log.tsv"]
    rows = rows_of(tmp_path / "perf_log.tsv")
    assert (list(rows[0]), rows[0]["agent_id"]) == (THIRTY, "a1")


def test_a_line_is_in_the_file_at_once(tmp_path: Path, plan: RunPlan) -> None:
    log = PerfLog(tmp_path, plan)
    log.add("cleanup", BEGAN_AT, Interval(0.0, 1.0, {}))

    assert [row["stage"] for row in rows_of(tmp_path / "agents" / "a2" / "perf_log.tsv")] == ["Cleanup"]
    log.close()


def test_agents_whose_folders_would_have_one_name_get_two(tmp_path: Path, plan: RunPlan) -> None:
    workers = tuple(replace(worker, agent=name) for worker, name in zip(plan.workers, ("h:1", "h_1", "h/1")))
    PerfLog(tmp_path, replace(plan, workers=workers)).close()

    assert sorted(path.name for path in (tmp_path / "agents").iterdir()) == ["h_1", "h_1-2", "h_1-2-2"]


def test_a_log_that_cannot_be_begun_is_an_error(tmp_path: Path, plan: RunPlan) -> None:
    (tmp_path / "agents").write_text("mine")

    with pytest.raises(ResultsError) as caught:
        PerfLog(tmp_path, plan)

    assert (
        str(caught.value).splitlines()[0]
        == f"results cannot be written: {tmp_path}/agents/a1: Not a directory"
    )


def test_what_cannot_be_written_in_the_middle_is_told_at_the_end() -> None:
    file = GrowingFile(Path("/dev/full"))
    for _ in range(3):
        file.append(lambda stream: stream.write("line\n"))

    with pytest.raises(ResultsError) as caught:
        file.close()
    assert (
        str(caught.value).splitlines()[0] == "results cannot be written: /dev/full: No space left on device"
    )
