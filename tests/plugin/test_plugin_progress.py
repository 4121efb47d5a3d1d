"""What the console shows of a run while it goes on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, RunPlan, WorkerPlan
from pytest_sai3bench.plan.work import StagePlan
from pytest_sai3bench.plugin import console
from pytest_sai3bench.plugin.console import PlainLines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUITE = """\
name: mixed
multi_endpoint: {{endpoints: ["file://{store}/a/", "file://{store}/b/"]}}
duration: {duration}
concurrency: 2
workload:
  - {{op: put, path: new/, weight: 1, object_size: 1KiB}}
thresholds:
  - put.max < 10 s
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return ``suite(duration=)``, which writes a suite over two folders."""

    # Wide enough for the names of the folders.
    monkeypatch.setenv("COLUMNS", "250")

    def suite(duration: str = "100ms") -> None:
        for name in ("a", "b"):
            (store / name).mkdir(exist_ok=True)
        pytester.path.joinpath("s.sai3.yaml").write_text(_SUITE.format(store=store, duration=duration))

    return suite


def _block(lines: list[str], store: Path) -> list[str]:
    """Return what stands between the collection and the summary."""
    start = next(n for n, line in enumerate(lines) if " items" in line and "collected" in line)
    end = next((n for n, line in enumerate(lines) if "storage benchmarks" in line), None)
    shown = (line.replace(str(store), "STORE") for line in lines[start + 1 : end])
    return [re.sub(r" +\[ *\d+%\]$", "", line) for line in shown]


_ENDPOINTS = [
    "Endpoints: 2 (round_robin)",
    "  1  file://STORE/a/",
    "  2  file://STORE/b/",
]


def test_a_run_begins_with_its_endpoints(
    pytester: pytest.Pytester, suite: Callable[..., None], store: Path
) -> None:
    suite()
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    assert _block(result.outlines, store) == [
        "",
        "s.sai3.yaml ",
        *_ENDPOINTS,
        "",
        "s.sai3.yaml ...",
        "",
    ]


@pytest.mark.parametrize("capture", ["--capture=fd", "--capture=sys", "--capture=no"])
def test_pytests_own_lines_stay_whole(
    pytester: pytest.Pytester, suite: Callable[..., None], store: Path, capture: str
) -> None:
    suite()
    result = pytester.runpytest_inprocess("-v", capture)
    assert _block(result.outlines, store) == [
        "",
        "s.sai3.yaml::mixed ",
        *_ENDPOINTS,
        "",
        "s.sai3.yaml::mixed PASSED",
        "s.sai3.yaml::mixed/put.max PASSED",
        "s.sai3.yaml::mixed/total.errors PASSED",
        "",
    ]


@pytest.mark.parametrize("arguments", [["-q"], ["--sai3-progress=none"], ["-v", "--sai3-progress=none"]])
def test_a_quiet_run_shows_nothing_before_its_end(
    pytester: pytest.Pytester, suite: Callable[..., None], arguments: list[str]
) -> None:
    suite()
    result = pytester.runpytest_inprocess(*arguments)
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("Endpoints:*")


def test_who_asks_for_lines_gets_them_with_q(
    pytester: pytest.Pytester, suite: Callable[..., None], store: Path
) -> None:
    suite()
    other = pytester.makepyfile("def test_other(): pass")
    result = pytester.runpytest_inprocess("-q", "--sai3-progress=plain", str(other), "s.sai3.yaml")
    shown = [line.replace(str(store), "STORE") for line in result.outlines[:5]]
    assert [re.sub(r" +\[ *\d+%\]$", "", line) for line in shown] == [".", *_ENDPOINTS, "..."]


def test_without_a_terminal_there_is_no_progress(
    pytester: pytest.Pytester, suite: Callable[..., None]
) -> None:
    suite()
    result = pytester.runpytest_inprocess("-p", "no:terminal")
    assert (result.ret, result.outlines) == (pytest.ExitCode.OK, [])


def test_a_run_that_cannot_begin_is_reported_behind_its_file(
    pytester: pytest.Pytester, suite: Callable[..., None], store: Path
) -> None:
    suite()
    (store / "b").rmdir()
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(errors=3)
    lines = [line.rstrip() for line in result.outlines]
    assert [line for line in lines if line.startswith("s.sai3.yaml ")] == [
        f"s.sai3.yaml EEE{' ' * 228}[100%]"
    ]


def test_lines_come_while_the_load_goes_on(
    pytester: pytest.Pytester, suite: Callable[..., None], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "EVERY_S", 1)
    suite("4s")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=3)
    told = [line for line in _block(result.outlines, store) if " of 4 s: " in line]
    # On a busy machine one line may tell of two seconds.
    assert len(told) >= 1
    for line in told:
        assert re.fullmatch(
            r"  [1-3] s of 4 s: [\d,.]+ ops/s, [\d.,]+ [KM]?i?B/s, p99 [\d.]+ [mµ]?s, 0 errors, shares \d+ \d+%",
            line,
        )
    # What pytest captured of the item is none of it.
    assert "Captured stdout" not in result.stdout.str()


class _Console:
    def __init__(self) -> None:
        self.shown: list[list[str]] = []

    def show(self, lines: list[str]) -> None:
        self.shown.append(lines)


def test_lines_keep_to_their_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0]
    monkeypatch.setattr(console, "monotonic_ns", lambda: now[0] * 1_000_000_000)
    endpoint = Endpoint("file:///a/", "file", Origin("s.yaml:1", "target"), root="/a/")
    stages = (StagePlan("workload", duration_s=100, warmup_s=13),)
    worker = WorkerPlan("local", "localhost", 0, 1, (endpoint,), "round_robin", 1, 0, stages, ErrorPolicy())
    seen: Any = _Console()
    lines = PlainLines(RunPlan("s.yaml", "mixed", (worker,)), seen, everything=False, width=80)
    assert seen.shown == [["Endpoints: 1", "  1  file:///a/"]]
    lines.pulse()
    lines.began(0, 5_000_000_000)
    for second in (17, 18, 19, 20, 29, 30, 60, 61):
        now[0] = second
        lines.pulse()
    lines.ended(None)  # type: ignore[arg-type]
    now[0] = 500
    lines.pulse()
    assert [line.partition(":")[0].strip() for (line,) in seen.shown[1:]] == [
        "warm-up, 13 s of 13 s",
        "10 s of 1m 40s",
        # The machine slept, and the lines that were due meanwhile are one.
        "40 s of 1m 40s",
    ]
