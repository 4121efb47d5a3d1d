from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING

from pytest_sai3bench.reports.results_tsv import (
    AGENT_STATS,
    CHECKS,
    ENDPOINT_STATS,
    OPERATION_STATS,
    SIZES,
    THRESHOLDS,
    describe_columns,
    write_results,
)
from pytest_sai3bench.results.model import PhaseResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict


def written(phase: PhaseResult, verdicts: Sequence[Verdict] = ()) -> str:
    stream = StringIO()
    write_results(stream, phase, verdicts=verdicts)
    return stream.getvalue()


def section(text: str, name: str) -> list[dict[str, str]]:
    lines = text.partition(f"\n[{name}]\n")[2].partition("\n\n")[0].splitlines()
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"))) for line in lines[1:]]


def test_whole_file(
    check_gold: Callable[[str, str], None],
    run: RunResult,
    workload: PhaseResult,
    passed: Verdict,
    failed: Verdict,
) -> None:
    stream = StringIO()

    write_results(stream, workload, verdicts=[passed, replace(failed, location=None)], checks=run.checks)

    check_gold("results.tsv", stream.getvalue())


def test_an_empty_phase_keeps_every_section_with_its_header(check_gold: Callable[[str, str], None]) -> None:
    check_gold("results_empty.tsv", written(PhaseResult("workload", (), (), {})))


def test_the_first_table_has_the_thirteen_columns_of_sai3_bench_in_order() -> None:
    assert [column.name for column in SIZES.columns] == [
        "operation",
        "size_bucket",
        "bucket_idx",
        "mean_us",
        "p50_us",
        "p90_us",
        "p95_us",
        "p99_us",
        "max_us",
        "avg_bytes",
        "ops_per_sec",
        "throughput_mibps",
        "count",
    ]


def test_endpoint_stats_begin_with_the_ten_columns_of_sai3_bench_and_go_on_with_rates_and_latencies() -> None:
    assert [column.name for column in ENDPOINT_STATS.columns] == [
        "endpoint_idx",
        "endpoint_uri",
        "total_requests",
        "bytes_read",
        "bytes_written",
        "error_count",
        "active_requests",
        "request_pct",
        "read_pct",
        "write_pct",
        "ops_per_sec",
        "read_mibps",
        "write_mibps",
        "mean_us",
        "p50_us",
        "p90_us",
        "p95_us",
        "p99_us",
        "max_us",
        "connections",
        "reached",
    ]


def test_rows_go_by_size_then_the_sums_of_meta_get_and_put(workload: PhaseResult) -> None:
    rows = [line.split("\t")[:3] for line in written(workload).partition("\n\n")[0].splitlines()[1:]]

    assert rows == [
        ["META", "zero", "0"],
        ["GET", "1B-8KiB", "1"],
        ["PUT", "1B-8KiB", "1"],
        ["GET", "512KiB-4MiB", "4"],
        ["META", "ALL", "97"],
        ["GET", "ALL", "98"],
        ["PUT", "ALL", "99"],
    ]


def test_every_section_adds_up_to_the_same_requests_and_bytes(workload: PhaseResult) -> None:
    text = written(workload)
    whole = next(row for row in section(text, "operation_stats") if row["operation"] == "TOTAL")
    operations = [row for row in section(text, "operation_stats") if row["operation"] != "TOTAL"]

    for column in ("total_requests", "error_count"):
        for rows in (operations, section(text, "endpoint_stats"), section(text, "agent_stats")):
            assert sum(int(row[column]) for row in rows) == int(whole[column])
    for rows in (section(text, "endpoint_stats"), section(text, "agent_stats")):
        moved = sum(int(row["bytes_read"]) + int(row["bytes_written"]) for row in rows)
        assert moved == int(whole["bytes"]) + int(whole["tail_bytes"])


def test_an_idle_endpoint_has_a_row_of_zeros(workload: PhaseResult) -> None:
    idle = section(written(workload), "endpoint_stats")[2]

    assert (idle.pop("endpoint_idx"), idle.pop("endpoint_uri")) == ("3", "s3://10.0.0.3:9000/bench/")
    assert idle.pop("reached") == "nfs4 srv:/c 10.0.0.3"
    assert {float(value) for value in idle.values()} == {0.0}


def test_white_space_in_a_text_does_not_break_the_table(workload: PhaseResult, failed: Verdict) -> None:
    odd = replace(failed, text="get.p99\t<\n25 ms", reason="a\r\nb")

    row = section(written(workload, [odd]), "thresholds")[0]

    assert (row["threshold"], row["reason"]) == ("get.p99 < 25 ms", "a b")


def test_the_reference_lists_every_column_of_every_section() -> None:
    text = describe_columns()

    for table in (SIZES, OPERATION_STATS, ENDPOINT_STATS, AGENT_STATS, THRESHOLDS, CHECKS):
        assert table.describe() in text
    assert text.startswith(
        "### First table\n\n"
        "| column | meaning |\n"
        "| --- | --- |\n"
        "| `operation` | `GET`, `PUT`, or `META` for all others |\n"
    )
