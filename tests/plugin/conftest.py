"""What the tests of the plugin share: a folder to measure, a suite on it, and runs of pytest in a clean environment."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

# Otherwise each run of pytest inside a test would import all of it again.
import pytest_sai3bench.plugin.items
import pytest_sai3bench.thresholds.reading  # noqa: F401
from pytest_sai3bench.fleet import clocks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUITE = """\
name: mixed
target: {target}
duration: {duration}
concurrency: 2
prepare:
  ensure_objects:
    - {{base_uri: data/, count: 20, size_spec: 1KiB}}
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 3}}
  - {{op: put, path: new/, weight: 1, object_size: 1KiB}}
"""
# One agent on this host, and one that is reached as on another.
_SUITE_OF_TWO = """\
name: mixed
target: file://{store}/
duration: {duration}
concurrency: 2
perf_log: {{interval: 100ms}}
distributed:
  lost_agent: {lost_agent}
  agents:
    - {{address: localhost, id: near}}
    - {{address: pod, id: far, gateway: "popen//python={python} -I -S"}}
prepare:
  ensure_objects:
    - {{base_uri: data/, count: 20, size_spec: 1KiB}}
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 1}}
thresholds:
  - {threshold}
"""


@pytest.fixture(autouse=True)
def clean_environment(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make runs inside a test independent of the user's terminal and keys, and quick to start."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:cacheprovider -p no:hypothesispytest -p no:benchmark")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in (
        "AWS_PROFILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_ENDPOINT_URL",
        "S3_ENDPOINT_URIS",
    ):
        monkeypatch.delenv(name, raising=False)
    # Under CI pytest repeats whole failure texts in its summary.
    for name in ("CI", "BUILD_NUMBER", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)
    # Agents here are near: the long way of an order would be most of a short run.
    monkeypatch.setattr(clocks, "_LEAD_NS", 20_000_000)


@pytest.fixture
def store(pytester: pytest.Pytester) -> Path:
    """Return an empty folder to measure."""
    return pytester.mkdir("store")


@pytest.fixture
def write_suite(pytester: pytest.Pytester, store: Path) -> Callable[..., Path]:
    """Return ``write_suite(*thresholds, name=, target=, duration=, more=)``, which writes a suite and returns its path.

    The first threshold stands in line 13.
    """

    def write_suite(
        *thresholds: str,
        name: str = "suite.sai3.yaml",
        target: str = "",
        duration: str = "300ms",
        more: str = "",
    ) -> Path:
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        text = _SUITE.format(target=target or f"{store.as_uri()}/", duration=duration)
        if thresholds:
            text += "thresholds:\n" + "".join(f"  - {threshold}\n" for threshold in thresholds)
        path.write_text(text + more)
        return path

    return write_suite


@pytest.fixture
def write_suite_of_two(pytester: pytest.Pytester, store: Path) -> Callable[..., None]:
    """Return ``write_suite_of_two(threshold, name=, duration=, lost_agent=)``, which writes a suite for two agents."""

    def write(threshold: str, *, name: str, duration: str, lost_agent: str = "fail") -> None:
        text = _SUITE_OF_TWO.format(
            store=store, duration=duration, lost_agent=lost_agent, python=sys.executable, threshold=threshold
        )
        pytester.path.joinpath(f"{name}.sai3.yaml").write_text(text)

    return write


@pytest.fixture
def collected(pytester: pytest.Pytester) -> Callable[..., list[str]]:
    """Return ``collected(*arguments)``: the ids that pytest collects, in order."""

    def collected(*arguments: str) -> list[str]:
        result = pytester.runpytest_inprocess("--collect-only", "-q", *arguments)
        assert result.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED), result.outlines
        return [line for line in result.outlines if "::" in line]

    return collected


@pytest.fixture
def block() -> Callable[[pytest.RunResult, str], list[str]]:
    """Return ``block(result, title)``: the lines below the heading with that title, up to the next heading."""

    def block(result: pytest.RunResult, title: str) -> list[str]:
        lines = result.outlines
        start = next(number for number, line in enumerate(lines) if line.strip("=_ ") == title)
        rest = lines[start + 1 :]
        end = next((number for number, line in enumerate(rest) if re.match("(==|__).*(==|__)$", line)), None)
        return rest[:end]

    return block


@pytest.fixture
def scrub() -> Callable[[str], str]:
    """Return ``scrub(text)``, which puts signs in place of times, numbers and the gaps that depend on them."""

    def scrub(text: str) -> str:
        text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "<session>", text)
        text = re.sub(r"(?<![\w.-])\d+(,\d{3})*(\.\d+)? (ns|us|µs|ms|s)\b", "<time>", text)
        text = re.sub(r"(?<![\w.:-])\d+(,\d{3})*(\.\d+)?(?![\w:-])", "#", text)
        return re.sub(r" {3,}", "  ", text)

    return scrub
