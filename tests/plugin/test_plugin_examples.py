from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

_ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def examples(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shutil.copytree(_ROOT / "example_suites", pytester.path / "example_suites")


def test_nothing_of_the_examples_runs_unasked(collected: Callable[..., list[str]]) -> None:
    assert collected() == []


def test_the_quickstart_has_plans_for_files_and_for_s3(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("example_suites/quickstart", "--sai3-dry-run", "-Werror")
    assert result.ret == pytest.ExitCode.OK
    folder = "example_suites/quickstart"
    assert [line for line in result.outlines if line.endswith("::mixed")] == [
        f"{folder}/s3_four_endpoints.yaml::mixed",
        f"{folder}/two_mounts.yaml::mixed",
    ]
    endpoints = [line.split()[0] for line in result.outlines if line.startswith(("  s3://", "  file://"))]
    assert endpoints == [
        *(f"s3://embedded-{number}/bench/" for number in (1, 2, 3, 4)),
        *(f"file://embedded-{number}/" for number in (1, 2)),
    ]


def test_the_failing_example_fails_as_the_readme_shows_it(
    pytester: pytest.Pytester, scrub: Callable[[str], str], block: Callable[..., list[str]]
) -> None:
    readme = _ROOT.joinpath("README.md").read_text().split("```")
    (shown,) = (part.strip().splitlines() for part in readme if "get.p99: get.p99 < 1 us" in part)
    result = pytester.runpytest_inprocess("example_suites/failing", "--sai3-duration=200ms")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=3, failed=1)
    assert shown[0] in result.outlines
    failure = block(result, "reads/get.p99: get.p99 < 1 us")
    # Either of the two endpoints may have been the slower one.
    assert [scrub(line).removesuffix("  <") for line in failure] == [
        scrub(line).removesuffix("  <") for line in shown[1:]
    ]
