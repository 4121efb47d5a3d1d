from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.errors import Location
from pytest_sai3bench.plan.work import MultipartPlan, RangesPlan, SizePlan
from pytest_sai3bench.reports.dry_run import dry_run
from pytest_sai3bench.reports.failure import failure_block
from pytest_sai3bench.reports.summary import summary
from pytest_sai3bench.reports.tables import abbreviate
from pytest_sai3bench.results.model import Check
from pytest_sai3bench.thresholds.collection import RuleText, compile_rules
from pytest_sai3bench.thresholds.evaluation import evaluate
from pytest_sai3bench.thresholds.verdicts import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.results.model import PhaseResult, RunResult
    from pytest_sai3bench.thresholds.verdicts import Verdict


@pytest.mark.parametrize("width", [80, 120])
def test_failed_threshold(
    check_gold: Callable[[str, str], None], workload: PhaseResult, failed: Verdict, width: int
) -> None:
    block = failure_block(
        failed, workload, width, results=Path("sai3-results/latest/three/mixed/results.tsv")
    )

    check_gold(f"failure_{width}.txt", block + "\n")
    assert max(map(len, block.splitlines())) <= width


def test_a_metric_that_is_no_column_gets_one(
    check_gold: Callable[[str, str], None], workload: PhaseResult, failed: Verdict
) -> None:
    verdict = replace(
        failed,
        text="get.p95 < 25 ms",
        reason="get.p95 was 30 ms, the limit is < 25 ms (20% over, 1,922 samples)",
        rows=(
            Row("s3://10.0.0.1:9000/bench/", "3 ms"),
            Row("s3://10.0.0.2:9000/bench/", "30 ms", worst=True),
        ),
    )

    check_gold("failure_p95.txt", failure_block(verdict, workload, 100) + "\n")


def test_failed_attempts_are_shown_with_their_cause_without_those_of_the_warmup(
    check_gold: Callable[[str, str], None], workload: PhaseResult, failed: Verdict
) -> None:
    verdict = replace(
        failed,
        id="total.errors",
        text="total.errors == 0",
        location=None,
        reason="total.errors was 3, the limit is == 0 (1,965 requests)",
        rows=(
            Row("s3://10.0.0.1:9000/bench/", "0"),
            Row("s3://10.0.0.2:9000/bench/", "3", worst=True),
        ),
    )

    check_gold("failure_errors.txt", failure_block(verdict, workload, 80) + "\n")


def test_a_rule_on_agents_shows_agents_alone(workload: PhaseResult, failed: Verdict) -> None:
    verdict = replace(
        failed,
        text="agents.cpu <= 80%",
        reason="agents.cpu was 98%, the limit is <= 80% (22% over, 2 agents)",
        rows=(Row("a1", "30%"), Row("a2", "98%", worst=True)),
    )

    assert failure_block(verdict, workload, 80) == (
        "agents.cpu was 98%, the limit is <= 80% (22% over, 2 agents)\n"
        "suites/three.yaml:19: agents.cpu <= 80%\n"
        "\n"
        "agent  cpu\n"
        "a1     30%\n"
        "a2     98%  <"
    )


def test_a_rule_on_one_agent_shows_no_sums_over_all_agents(workload: PhaseResult, failed: Verdict) -> None:
    verdict = replace(
        failed, text="agent[a2].get.p99 < 25 ms", rows=(Row("s3://x/", "1 ms"), Row("s3://y/", "30 ms", True))
    )

    assert failure_block(verdict, workload, 80).splitlines()[3:] == [
        "endpoint    p99",
        "s3://x/    1 ms",
        "s3://y/   30 ms  <",
    ]


def test_a_rule_that_compares_agents_shows_agents(workload: PhaseResult, failed: Verdict) -> None:
    verdict = replace(
        failed,
        text="each(agent).get.p99 <= 150% of median",
        rows=(Row("a1", "10 ms"), Row("a2", "30 ms", worst=True)),
    )

    assert failure_block(verdict, workload, 80).splitlines()[3:] == [
        "agent    p99",
        "a1     10 ms",
        "a2     30 ms  <",
    ]


def test_names_that_share_their_ends_still_differ_when_the_terminal_is_narrow(
    check_gold: Callable[[str, str], None], workload: PhaseResult, failed: Verdict
) -> None:
    check_gold("failure_64.txt", failure_block(failed, workload, 64) + "\n")


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (
            ["s3://10.0.0.1:9000/b/", "s3://10.0.0.2:9000/b/"],
            21,
            ["s3://10.0.0.1:9000/b/", "s3://10.0.0.2:9000/b/"],
        ),
        (
            ["s3://10.0.0.1:9000/b/", "s3://10.0.0.2:9000/b/"],
            20,
            ["s3://10.0.0.1:9000…", "s3://10.0.0.2:9000…"],
        ),
        (["s3://10.0.0.1:9000/b/", "s3://10.0.0.2:9000/b/"], 18, ["s3://10.0.0.1…", "s3://10.0.0.2…"]),
        (["s3://10.0.0.1:9000/b/", "s3://10.0.0.2:9000/b/"], 12, ["….0.0.1…", "….0.0.2…"]),
        (["s3://10.0.0.2:9000/b/", "s3://10.0.0.12:9000/b/"], 15, ["s3://10.0.0.2…", "s3://10.0.0.12…"]),
        (["s3://embedded-1/b/", "s3://embedded-2/b/"], 12, ["…-1/b/", "…-2/b/"]),
        (["file:///mnt/a/data", "file:///mnt/b"], 12, ["…/a/data", "…/b"]),
        (["file:///mnt/a", "file:///mnt/a/a"], 12, ["…:///mnt/a", "…:///mnt/a/a"]),
        (["a-long-name-alone"], 12, ["a-lon…-alone"]),
        ([], 12, []),
    ],
)
def test_abbreviation_gives_up_what_does_not_tell_names_apart(
    names: list[str], width: int, expected: list[str]
) -> None:
    assert abbreviate(names, width) == expected


@settings(deadline=None)
@given(st.lists(st.text("ab/", max_size=30), max_size=4), st.integers(min_value=3, max_value=30))
def test_abbreviated_names_fit(names: list[str], width: int) -> None:
    assert all(len(name) <= width for name in abbreviate(names, width))


def test_without_a_workload_the_reason_stands_alone_and_is_folded(failed: Verdict) -> None:
    verdict = replace(failed, outcome="inconclusive", reason="the run failed: agent a2 was lost", rows=())

    assert failure_block(verdict, None, 24) == (
        "the run failed: agent a2\n  was lost\nsuites/three.yaml:19: get.p99 < 25 ms"
    )


def test_what_evaluation_finds_is_what_the_block_shows(run: RunResult) -> None:
    texts = [RuleText("get.p99 < 25 ms", Location("suites/three.yaml", 19, 5), "thresholds[1]")]
    workload = run.workload
    assert workload is not None
    compiled, problems = compile_rules(
        texts, operations=["get"], endpoints=workload.endpoints, agents=["a1", "a2"]
    )
    assert problems == ()
    # With a busy client there would be no verdict.
    idle = replace(workload, agents=tuple(replace(report, cpu_s=1.0) for report in workload.agents))

    block = failure_block(evaluate(compiled[0], replace(run, phases=(idle,))), idle, 100)

    worst = [line for line in block.splitlines() if line.endswith("<")]
    assert [line.split()[:2] for line in worst] == [["2", "s3://10.0.0.2:9000/bench/"]]


def test_dry_run(check_gold: Callable[[str, str], None], plan: RunPlan) -> None:
    check_gold("dry_run.txt", dry_run(plan))


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({"look": True, "create": True}, "those that are missing are written"),
        ({"look": False, "create": True}, "all are written"),
        ({"look": True, "create": False}, "they must be there"),
        ({"look": False, "create": False}, "taken to be there"),
    ],
)
def test_dry_run_says_what_prepare_does_about_objects(
    plan: RunPlan, switches: dict[str, bool], expected: str
) -> None:
    stage = replace(plan.workers[0].stages[0], **switches)  # type: ignore[arg-type]
    alone = replace(plan, workers=(replace(plan.workers[0], stages=(stage,)),))

    assert f"\nprepare: 335 objects, 168 MiB; {expected}\n" in dry_run(alone)


def test_dry_run_says_how_large_objects_are_moved(plan: RunPlan) -> None:
    multipart = MultipartPlan(part_size=8 << 20, parallel=4, threshold=16 << 20)
    prepare, workload, _ = plan.workers[0].stages
    get, put = workload.operations
    operations = (replace(get, ranges=RangesPlan(1 << 20, 4)), replace(put, multipart=multipart))
    stages = (replace(prepare, multipart=multipart), replace(workload, operations=operations))

    text = dry_run(replace(plan, workers=(replace(plan.workers[0], stages=stages),)))

    assert "; those that are missing are written, from 16 MiB on in parts of 8 MiB\n" in text
    assert "\n  get data/prepared-*, in ranges of 1 MiB " in text
    assert "\n  put new/, from 16 MiB on in parts of 8 MiB " in text


def test_dry_run_shows_sizes_without_and_with_spread(plan: RunPlan) -> None:
    stage = plan.workers[0].stages[0]
    fixed = replace(stage.objects[0], size=SizePlan("fixed", 4096, 4096), count=1, shares=1)
    spread = replace(fixed, stem="deletable", size=SizePlan("lognormal", 1024, 8192, mean=3072, std_dev=512))
    alone = replace(plan.workers[0], stages=(replace(stage, objects=(fixed, spread)),))

    assert dry_run(replace(plan, workers=(alone,), notes=())).splitlines()[-5:] == [
        "prepare: 2 objects, 7 KiB; those that are missing are written",
        "  data/prepared-*.dat            1 x 4 KiB  4 KiB  suites/three.yaml:12",
        "  data/deletable-*.dat  1 x 1 KiB to 8 KiB  3 KiB  suites/three.yaml:12",
        "",
        "takes 0 ns without prepare",
    ]


@pytest.mark.parametrize(
    ("count", "size_bytes", "prepared"),
    [
        (1000, 2**20, ""),
        (9999, 2**10, ""),
        (10_000, 2**10, "; prepare 10 s at 1,000 objects/s"),
        (500, 2**22, "; prepare 1.95 s at 1 GiB/s"),
        (200_000, 2**20, "; prepare 3m 20s at 1,000 objects/s"),
        (200_000, 2**21, "; prepare 6m 31s at 1 GiB/s"),
    ],
)
def test_dry_run_says_how_long_the_run_takes(
    plan: RunPlan, count: int, size_bytes: int, prepared: str
) -> None:
    prepare, workload, cleanup = plan.workers[0].stages
    objects = replace(prepare.objects[0], count=count, size=SizePlan("fixed", size_bytes, size_bytes))
    prepare = replace(prepare, objects=(objects,), delay_s=5.0)
    workload = replace(workload, rate=None)
    alone = replace(plan.workers[0], stages=(prepare, workload, cleanup))

    text = "takes 1m 10s without prepare and cleanup"
    lines = dry_run(replace(plan, workers=(alone,), notes=())).splitlines()
    assert [line for line in lines if line.startswith("takes")] == [text + prepared]
    taken = replace(alone, stages=(replace(prepare, create=False), workload, cleanup))
    lines = dry_run(replace(plan, workers=(taken,), notes=())).splitlines()
    assert text in lines


@pytest.mark.parametrize(
    ("namespace", "count", "amounts"),
    [
        ("shared", 6, ["about 3 objects of prepare", "about 3 objects of prepare"]),
        ("shared", 1, ["at most 1 object of prepare", "at most 1 object of prepare"]),
        ("independent", 5, ["3 objects of prepare", "2 objects of prepare"]),
        ("replicated", 5, ["5 objects of prepare", "5 objects of prepare"]),
    ],
)
def test_dry_run_counts_objects_where_they_live(
    plan: RunPlan, namespace: Literal["shared", "independent", "replicated"], count: int, amounts: list[str]
) -> None:
    prepare = plan.workers[0].stages[0]
    objects = replace(prepare.objects[0], count=count, shares=1)
    worker = replace(
        plan.workers[0],
        endpoints=plan.endpoints[:2],
        processes=1,
        namespace=namespace,
        sharers=((0, 1), (0, 1)),
        stages=(replace(prepare, objects=(objects,)),),
    )

    lines = dry_run(replace(plan, workers=(worker,))).splitlines()[3:5]
    assert [line.partition(")  ")[2] for line in lines] == amounts


def test_dry_run_spreads_objects_by_weight(plan: RunPlan) -> None:
    worker = replace(plan.workers[0], endpoints=plan.endpoints[:2], strategy="weighted", weights=(3.0, 1.0))
    objects = replace(worker.stages[0].objects[0], shares=1)
    worker = replace(worker, stages=(replace(worker.stages[0], objects=(objects,)),))

    assert dry_run(replace(plan, workers=(worker,))).splitlines()[3:5] == [
        (
            "  s3://10.0.0.1:9000/bench/  suites/three.yaml:6 (multi_endpoint.endpoints[0])  weight 3, about 750 objects "
            "of prepare"
        ),
        (
            "  s3://10.0.0.2:9000/bench/  suites/three.yaml:7 (multi_endpoint.endpoints[1])  weight 1, about 250 objects "
            "of prepare"
        ),
    ]


def test_dry_run_of_a_stage_without_objects(plan: RunPlan) -> None:
    stage = replace(plan.workers[0].stages[2], objects=())
    alone = replace(plan, workers=(replace(plan.workers[0], stages=(stage,)),), notes=())

    assert dry_run(alone).splitlines()[-3:] == [
        "cleanup: what the run made",
        "",
        "takes 0 ns without cleanup",
    ]


def test_summary(
    check_gold: Callable[[str, str], None], run: RunResult, passed: Verdict, failed: Verdict
) -> None:
    lines = summary(
        run, [passed, failed, failed], 80, folder=Path("sai3-results/20261124-101530-k3x9/three/mixed")
    )

    check_gold("summary.txt", "\n".join(lines) + "\n")


def test_summary_counts_what_was_to_be_expected_apart(run: RunResult, failed: Verdict) -> None:
    verdicts = [
        replace(failed, xfail="firmware 4.2"),
        replace(failed, severity="warn"),
        replace(failed, outcome="inconclusive", xfail="firmware 4.2"),
        replace(failed, outcome="passed", rows=()),
    ]

    assert [line.strip() for line in summary(run, verdicts, 80) if "thresholds:" in line] == [
        "thresholds: 1 passed, 1 xfailed, 1 warned, 1 inconclusive"
    ]


def test_summary_of_a_run_that_failed_early(run: RunResult) -> None:
    result = replace(
        run,
        status="failed",
        reason="prepare: agent a2 was lost\nno sign of life for 15 s",
        phases=(),
        checks=(Check("littles-law", True, "50.0%", "at most 105%"),),
        notes=(),
    )

    assert summary(result, [], 80) == [
        "suites/three.yaml::mixed: failed",
        "  prepare: agent a2 was lost",
        "  no sign of life for 15 s",
    ]


def test_summary_of_one_operation_has_no_total(run: RunResult, prepare: PhaseResult) -> None:
    result = replace(run, phases=(replace(prepare, phase="workload"),), checks=(), notes=())

    assert summary(result, [], 80) == [
        "suites/three.yaml::mixed: completed (1 s, 1 agent, 8 lanes, 1 endpoint)",
        "       ops/s  MiB/s   p50   p99  errors",
        "  put    500   1.95  4 ms  4 ms       0",
    ]
