from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TWO_MOUNTS = """\
name: reads
embedded_server: {mounts: 2}
multi_endpoint:
  endpoints: ["file://embedded-1/", "file://embedded-2/"]
duration: 200ms
concurrency: 2
prepare:
  ensure_objects:
    - {base_uri: data/, count: 20, size_spec: 1KiB}
workload:
  - {op: get, path: "data/*", weight: 1}
thresholds:
  - get.p99 < 1 ns
"""


def test_a_suite_passes(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    write_suite("get.max < 10 s", "put.ops > 1 /s")
    result = pytester.runpytest_inprocess("-v")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        [
            "suite.sai3.yaml::mixed PASSED *",
            "suite.sai3.yaml::mixed/get.max PASSED *",
            "suite.sai3.yaml::mixed/put.ops PASSED *",
            "suite.sai3.yaml::mixed/total.errors PASSED *",
        ],
        consecutive=True,
    )
    result.assert_outcomes(passed=4)


def test_a_threshold_that_is_not_met_shows_one_block(
    pytester: pytest.Pytester, block: Callable[..., list[str]], scrub: Callable[[str], str]
) -> None:
    pytester.path.joinpath("reads.sai3.yaml").write_text(_TWO_MOUNTS)
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=2, failed=1)
    shown = [scrub(line) for line in block(result, "reads/get.p99: get.p99 < 1 ns")]
    # Either endpoint may have been the slower one.
    assert sorted(line.endswith("  <") for line in shown[4:6]) == [False, True]
    assert [line.removesuffix("  <") for line in shown] == [
        "get.p99 was <time>, the limit is < <time> (# times the limit, # samples)",
        "reads.sai3.yaml:13: get.p99 < <time>",
        "",
        "  endpoint  share  ops/s  MiB/s  p50  p99  errors",
        "#  file://embedded-1/  #%  #  #  <time>  <time>  #",
        "#  file://embedded-2/  #%  #  #  <time>  <time>  #",
        "",
        "results: sai3-results/<session>/reads.sai3/reads",
    ]
    # Newer versions of pytest say why.
    result.stdout.fnmatch_lines(["FAILED reads.sai3.yaml::reads/get.p99*"])


def test_the_summary_shows_every_run(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    block: Callable[..., list[str]],
    scrub: Callable[[str], str],
) -> None:
    write_suite("get.max < 1 ns")
    # The table of pytest-benchmark follows it where that is installed.
    result = pytester.runpytest_inprocess("-p", "no:benchmark")
    lines = [scrub(line) for line in block(result, "storage benchmarks")]
    # Whether the machine was too slow for a fair measurement is not what is tested here.
    assert [line for line in lines if not line.startswith("  check generator-cpu: ")] == [
        "suite.sai3.yaml::mixed: completed (<time>, # agent, # lanes, # endpoint)",
        "  ops/s  MiB/s  p50  p99  errors",
        "  get  #  #  <time>  <time>  #",
        "  put  #  #  <time>  <time>  #",
        "  total  #  #  <time>  <time>  #",
        "  thresholds: # passed, # failed",
        "  results: sai3-results/<session>/suite.sai3/mixed",
    ]


def test_a_threshold_may_only_warn(pytester: pytest.Pytester, write_suite: Callable[..., Path]) -> None:
    path = write_suite("{rule: get.max < 1 ns, severity: warn}")
    result = pytester.runpytest_inprocess("-Wdefault")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "suite.sai3.yaml::mixed/get.max",
            f"  {path}:13: ThresholdWarning: get.max was *, the limit is < 1 ns (* times the limit, * samples)",
            "    - {rule: get.max < 1 ns, severity: warn}",
        ],
        consecutive=True,
    )


def test_a_warning_that_the_user_made_an_error_fails_without_traceback(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("{rule: get.max < 1 ns, severity: warn}")
    result = pytester.runpytest_inprocess("-Werror")
    result.assert_outcomes(passed=2, failed=1)
    assert block(result, "mixed/get.max: get.max < 1 ns")[1:] == [
        "suite.sai3.yaml:13: get.max < 1 ns",
        "",
        *[line for line in result.outlines if line.startswith("results: ")],
    ]


def test_a_threshold_may_be_expected_not_to_be_met(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite("{rule: get.max < 1 ns, xfail: firmware 4.2}", "{rule: get.p50 < 10 s, xfail: firmware 4.2}")
    result = pytester.runpytest_inprocess("-rxX")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=2, xfailed=1, xpassed=1)
    result.stdout.fnmatch_lines(
        [
            "XFAIL suite.sai3.yaml::mixed/get.max - firmware 4.2",
            "XPASS suite.sai3.yaml::mixed/get.p50 - firmware 4.2",
        ]
    )


def test_a_met_threshold_fails_under_strict_xfail(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], block: Callable[..., list[str]]
) -> None:
    write_suite("{rule: get.p50 < 10 s, xfail: firmware 4.2}")
    result = pytester.runpytest_inprocess("-oxfail_strict=true")
    result.assert_outcomes(passed=2, failed=1)
    assert block(result, "mixed/get.p50: get.p50 < 10 s") == ["[XPASS(strict)] firmware 4.2"]


def test_failures_stop_the_session_as_they_do_elsewhere(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite("get.max < 1 ns", "put.max < 1 ns", "get.p50 < 1 ns")
    result = pytester.runpytest_inprocess("--maxfail=2")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1, failed=2)
    assert list(store.rglob("*.dat")) == []


def test_a_suite_may_only_clean_up(pytester: pytest.Pytester) -> None:
    """What it would measure is not there to be judged, so its rules are no items."""
    store = pytester.mkdir("store")
    (store / "data").mkdir()
    for name in ("prepared-00000001.dat", "prepared-00000005.dat", "other"):
        (store / "data" / name).write_bytes(b"x")
    pytester.path.joinpath("only.sai3.yaml").write_text(
        f"target: file://{store}/\n"
        "prepare:\n  cleanup_only: true\n  ensure_objects: [{base_uri: data/, count: 5, size_spec: 1}]\n"
        "workload: [{op: get, path: data/*, weight: 1}]\nthresholds: [get.p99 < 1 s]\n"
    )
    result = pytester.runpytest_inprocess("-v")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["only.sai3.yaml::workload PASSED *"])
    assert sorted(path.name for path in (store / "data").iterdir()) == ["other", "prepared-00000005.dat"]
