"""The plugin as pytest sees it: options and hooks. What they need is imported when they are called."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plugin.state import CONTROLLER, GITHUB, MET_SUITES, RUNS, SUFFIXES, uses_fixture

if TYPE_CHECKING:
    from pytest_sai3bench.plugin.api import Sai3bench
    from pytest_sai3bench.plugin.collection import SuiteFile

_DEFAULT_FILES = ("*.sai3.yaml", "*.sai3.yml")


def _duration(text: str) -> float:
    from pytest_sai3bench.units import parse_duration  # noqa: PLC0415 - see the module's docstring

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if seconds <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration above 0")
    return seconds


def _hosts(text: str) -> tuple[str, ...]:
    hosts = tuple(text.split(","))
    for host in hosts:
        if not host or host.startswith("-") or "/" in host or any(letter.isspace() for letter in host):
            raise argparse.ArgumentTypeError(
                f"{host!r} is not the address of a host: expected host,user@host,…"
            )
    return hosts


def _baseline_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", text) or text == "latest":
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a name of a baseline: expected letters, digits and _.-, but not latest"
        )
    return text


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add options and ini values."""
    group = parser.getgroup("sai3bench", "storage benchmarks (pytest-sai3bench)")
    group.addoption(
        "--sai3-results",
        metavar="DIR",
        type=Path,
        default=Path("sai3-results"),
        help="Folder for the results of all runs (default: sai3-results).",
    )
    group.addoption(
        "--sai3-dry-run",
        action="store_true",
        help="Show what would run, with every endpoint and where it is written, and run nothing.",
    )
    group.addoption(
        "--sai3-duration",
        metavar="D",
        type=_duration,
        help="Duration of every workload, such as 10s or 2m, instead of the suite's own.",
    )
    group.addoption(
        "--sai3-agents",
        metavar="HOSTS",
        type=_hosts,
        help="Hosts for the agents of every suite, such as node1,bench@node2, instead of the suite's own.",
    )
    group.addoption(
        "--sai3-no-agents",
        action="store_true",
        help="Run every suite on this host, which then drives the endpoints of all its agents.",
    )
    group.addoption(
        "--sai3-progress",
        choices=("auto", "plain", "none"),
        default="auto",
        help="What to show of a run while it goes on: plain lines, or none; auto is plain, and none with -q.",
    )
    group.addoption(
        "--sai3-json",
        metavar="FILE",
        type=Path,
        help="Write the verdicts of all runs to this file, as JSON.",
    )
    group.addoption(
        "--sai3-save-baseline",
        metavar="NAME",
        type=_baseline_name,
        help="Save every run that completes as a baseline of this name.",
    )
    group.addoption(
        "--sai3-baseline",
        metavar="NAME|PATH|latest",
        help="Baseline with which rules 'of baseline' compare: a name, a file or folder, or the one saved last.",
    )
    group.addoption(
        "--sai3-baseline-create-missing",
        action="store_true",
        help="Make a baseline of a run for which it is missing, and skip the rules on it.",
    )
    group.addoption(
        "--sai3-xdist",
        choices=("alone", "skip"),
        default="alone",
        help="What becomes of suites with pytest-xdist: they run alone, after its workers; or are skipped.",
    )
    parser.addini(
        "sai3bench_files", "Names of suite files (globs).", type="args", default=list(_DEFAULT_FILES)
    )
    parser.addini("sai3bench_strict", "Treat warnings about suites as errors.", type="bool", default=False)
    parser.addini(
        "sai3bench_inconclusive",
        "What a threshold does when the measurement cannot carry a judgement: fail, skip or warn.",
        default="fail",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check the ini values and register the plugin's marker."""
    config.addinivalue_line(
        "markers", "sai3bench: set on what measures: items of suites, tests with the fixture sai3bench."
    )
    choice = config.getini("sai3bench_inconclusive")
    if choice not in {"fail", "skip", "warn"}:
        raise pytest.UsageError(f"sai3bench_inconclusive is {choice!r}: expected fail, skip or warn")
    if config.getoption("sai3_agents") and config.getoption("sai3_no_agents"):
        raise pytest.UsageError("--sai3-agents and --sai3-no-agents: expected one of them")
    if os.environ.get("GITHUB_ACTIONS") == "true" and not hasattr(config, "workerinput"):
        from pytest_sai3bench.plugin.github import GitHub  # noqa: PLC0415

        config.pluginmanager.register(GitHub(config), GITHUB)
    if config.getoption("sai3_dry_run") and not hasattr(config, "workerinput"):
        from pytest_sai3bench.plugin.dry_run import DryRun  # noqa: PLC0415

        config.pluginmanager.register(DryRun(), "sai3bench_dry_run")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
    """Collect suite files: those of the ini's names, and those named, or lying below a folder named, by the user."""
    if file_path.suffix.lower() not in SUFFIXES:
        return None
    from pytest_sai3bench.plugin.collection import is_suite, suite_file  # noqa: PLC0415

    if not is_suite(file_path, parent.session):
        return None
    return suite_file(file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests that measure; and leave what measures to the controller, on a worker of xdist."""
    for item in filter(uses_fixture, items):
        item.add_marker("sai3bench")
    if not hasattr(config, "workeroutput"):
        return
    if MET_SUITES in config.workeroutput or any(map(uses_fixture, items)):
        from pytest_sai3bench.plugin.distribution import leave_out  # noqa: PLC0415

        leave_out(items, config)


@pytest.fixture
def sai3bench(request: pytest.FixtureRequest) -> Sai3bench:
    """Run suites in a test, such as ``result = sai3bench.run("suite.yaml"); assert result.get.p99 < 0.020``."""
    from pytest_sai3bench.plugin.api import Sai3bench  # noqa: PLC0415

    return Sai3bench(request)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Get ready for suites in the controller of xdist, which is about to start a worker."""
    manager = node.config.pluginmanager
    if not manager.hasplugin(CONTROLLER):
        from pytest_sai3bench.plugin.distribution import Controller  # noqa: PLC0415

        manager.register(Controller(), CONTROLLER)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the verdicts where the user wants them, even if there are none, and where GitHub shows them."""
    config = session.config
    wanted = config.getoption("sai3_json")
    github = config.pluginmanager.get_plugin(GITHUB) if RUNS in config.stash else None
    if hasattr(config, "workerinput") or config.getoption("collectonly") or not (wanted or github):
        return
    from pytest_sai3bench.errors import ResultsError  # noqa: PLC0415
    from pytest_sai3bench.plugin.runs import runs_of  # noqa: PLC0415

    try:
        if wanted:
            runs_of(config).write_verdicts(config.invocation_params.dir / wanted)
        if github:
            github.append_summary(runs_of(config).judged())
    except ResultsError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show what every run of the session measured."""
    runs = config.stash.get(RUNS, None)
    if runs is not None:
        runs.show(terminalreporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the embedded server."""
    runs = config.stash.get(RUNS, None)
    if runs is not None:
        runs.close()
