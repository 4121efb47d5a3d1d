from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SUITE = """\
name: mixed
embedded_server: {embedded}
multi_endpoint:
  endpoints: {endpoints}
duration: {duration}
concurrency: 2
prepare:
  ensure_objects:
    - {{base_uri: data/, count: {count}, size_spec: 4KiB}}
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 1}}
  - {{op: put, path: new/, weight: 1, object_size: 4KiB}}
thresholds:
  - get.max < 1 h
"""
# Far more than there is time for.
_ENDLESS = {"prepare": {"count": 50000, "duration": "1h"}, "workload": {"count": 10, "duration": "1h"}}
_MADE_IN = {"prepare": "data/prepared-*", "workload": "new/obj_*"}
_WAIT_S = 20.0


@pytest.fixture
def temporary(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which pytest makes its mounts and servers."""
    folder = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def other_processes(
    pytester: pytest.Pytester, processes_of: Callable[[Path], list[int]]
) -> Callable[[], list[int]]:
    """Return a function that lists the processes, but this one, that run in the folder of the test or below."""
    return lambda: [pid for pid in processes_of(pytester.path) if pid != os.getpid()]


@contextmanager
def _pytest(pytester: pytest.Pytester, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run pytest in a process group of its own, as a shell would, with its output in ``output``."""
    with pytester.path.joinpath("output").open("wb") as output:
        command = [sys.executable, "-m", "pytest", *arguments]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for(what: str, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + _WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {_WAIT_S:g} s for {what}"
        time.sleep(0.01)


def _write(pytester: pytest.Pytester, **values: object) -> None:
    mounts = {"embedded": "{mounts: 2}", "endpoints": '["file://embedded-1/", "file://embedded-2/"]'}
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(**{**mounts, **values}))


def _run(pytester: pytest.Pytester) -> dict[str, str]:
    path = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed" / "result.json"
    run: dict[str, str] = json.loads(path.read_text())["run"]
    return run


@pytest.mark.parametrize(("phase", "option"), [("prepare", "-v"), ("workload", "-v"), ("workload", "-n1")])
def test_ctrl_c_ends_the_run_in_order(
    pytester: pytest.Pytester,
    temporary: Path,
    other_processes: Callable[[], list[int]],
    phase: str,
    option: str,
) -> None:
    _write(pytester, **_ENDLESS[phase])
    with _pytest(pytester, option) as process:
        made = f"sai3bench-mounts-*/export/{_MADE_IN[phase]}"
        _wait_for(phase, lambda: any(temporary.glob(made)))
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(_WAIT_S) == pytest.ExitCode.INTERRUPTED
    output = pytester.path.joinpath("output").read_text()
    assert "! KeyboardInterrupt !" in output
    assert "INTERNALERROR" not in output
    run = _run(pytester)
    assert (run["status"], run["reason"]) == ("interrupted", f"interrupted during {phase}")
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    assert (folder / "results.tsv").exists() is (phase == "workload")
    assert list(temporary.iterdir()) == []
    assert other_processes() == []


def test_ctrl_c_before_the_cleanup_does_not_keep_it_from_happening(
    pytester: pytest.Pytester, store: Path, temporary: Path, other_processes: Callable[[], list[int]]
) -> None:
    endpoints = f'["{store.as_uri()}/"]'
    _write(pytester, embedded="{mounts: 1}", endpoints=endpoints, count=10, duration="200ms")
    pytester.makeconftest(
        """
        import os, pytest, signal

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_teardown():
            os.killpg(0, signal.SIGINT)
        """
    )
    with _pytest(pytester) as process:
        assert process.wait(_WAIT_S) == pytest.ExitCode.INTERRUPTED
    assert _run(pytester)["status"] == "completed"
    assert [path for path in store.rglob("*") if path.is_file()] == []
    assert other_processes() == []


def test_nothing_outlives_a_pytest_that_is_killed(
    pytester: pytest.Pytester,
    temporary: Path,
    other_processes: Callable[[], list[int]],
    wait_for_end: Callable[[int], None],
) -> None:
    _write(
        pytester,
        embedded="{endpoints: 2}",
        endpoints='["s3://embedded-1/bench/", "s3://embedded-2/bench/"]',
        **_ENDLESS["workload"],
    )
    pytester.makeconftest(
        """
        import pathlib

        def pytest_runtest_call():
            pathlib.Path("running").touch()
        """
    )
    with _pytest(pytester) as process:
        _wait_for("the workload", pytester.path.joinpath("running").exists)
        (server,) = temporary.glob("sai3bench-server-*")
        others = [pid for pid in other_processes() if pid != process.pid]
        # One agent, and the server: its keeper, three parts and two gateways.
        assert len(others) == 7
        process.kill()
        process.wait()
        for pid in others:
            wait_for_end(pid)
    assert not server.exists()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("phase", ["setup", "call"])
def test_a_timeout_ends_the_run_in_order(
    pytester: pytest.Pytester,
    write_suite: Callable[..., Path],
    store: Path,
    block: Callable[..., list[str]],
    phase: str,
) -> None:
    """As plugins for timeouts do it: an exception out of a signal handler, in the middle of the run."""
    suite = write_suite("get.max < 1 h", duration="1h")
    if phase == "setup":
        suite.write_text(suite.read_text().replace("count: 20,", "count: 50000,"))
    pytester.makeconftest(
        f"""
        import pytest, signal

        def expired(number, frame):
            pytest.fail("Timeout", pytrace=False)

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_{phase}(item):
            before = signal.signal(signal.SIGALRM, expired)
            signal.setitimer(signal.ITIMER_REAL, 0.6)
            try:
                return (yield)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
        """
    )
    result = pytester.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    title = "mixed/get.max: get.max < 1 h"
    if phase == "setup":
        result.assert_outcomes(errors=3)
        # What it interrupted may be shown above.
        assert block(result, "ERROR at setup of workload mixed")[-1] == "Timeout"
        assert block(result, f"ERROR at setup of {title}") == ["mixed did not run: Timeout"]
    else:
        result.assert_outcomes(failed=3)
        assert block(result, "workload mixed")[-1] == "Timeout"
        assert block(result, title)[0] == "the run was interrupted: interrupted during workload"
    assert _run(pytester)["status"] == "interrupted"
    assert [path for path in store.rglob("*") if path.is_file()] == []


_TWO_AGENTS = """\
name: mixed
embedded_server: {mounts: 3}
distributed:
  agents:
    - {address: localhost, id: one, multi_endpoint: {endpoints: ["file://embedded-1/", "file://embedded-2/"]}}
    - {address: localhost, id: two, multi_endpoint: {endpoints: ["file://embedded-2/", "file://embedded-3/"]}}
duration: 10m
perf_log: {interval: 200ms}
io_rate: {iops: 500}
workload:
  - {op: put, path: new/, object_size: 1KiB, weight: 1}
"""


def _log(path: Path) -> list[dict[str, str]]:
    """Return the lines of a log; the last one may be under way, and the header, too."""
    header, *rows = (line.split("\t") for line in path.read_text().split("\n")[:-1] or [""])
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_killed_run_leaves_its_log_and_what_it_was(
    pytester: pytest.Pytester, temporary: Path, other_processes: Callable[[], list[int]]
) -> None:
    pytester.path.joinpath("suite.sai3.yaml").write_text(_TWO_AGENTS)
    folder = pytester.path / "sai3-results" / "latest" / "suite.sai3" / "mixed"
    agents = [folder / "agents" / agent / "perf_log.tsv" for agent in ("one", "two")]
    with _pytest(pytester):
        _wait_for("logs", lambda: all(path.exists() and len(_log(path)) > 2 for path in agents))
    # Without it, its agents end by themselves.
    _wait_for("the end of all agents", lambda: not other_processes())

    assert sorted(path.name for path in folder.iterdir()) == [
        "agents",
        "config.yaml",
        "metadata.json",
        "perf_log.tsv",
        "plan.json",
    ]
    whole, one, two = (_log(path)[:2] for path in (folder / "perf_log.tsv", *agents))
    assert [row["agent_id"] for row in (whole[0], one[0], two[0])] == ["controller", "one", "two"]
    assert [list(row)[30::4] for row in (whole[0], one[0], two[0])] == [
        ["ep1_ops", "ep2_ops", "ep3_ops"],
        ["ep1_ops", "ep2_ops"],
        ["ep2_ops", "ep3_ops"],
    ]
    for of_all, of_one, of_two in zip(whole, one, two, strict=True):
        assert int(of_all["put_ops"]) == int(of_one["put_ops"]) + int(of_two["put_ops"])
        assert int(of_all["ep2_ops"]) == int(of_one["ep2_ops"]) + int(of_two["ep2_ops"])
    assert sum(int(row["put_ops"]) for row in whole) > 0
    assert [(row["stage"], row["elapsed_s"]) for row in whole] == [
        ("Workload", "0.200"),
        ("Workload", "0.400"),
    ]
