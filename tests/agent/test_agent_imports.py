"""What is shipped to a host has to run there: on any Python from 3.9 on, with nothing installed."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_sai3bench import agent
from pytest_sai3bench.fleet.shipping import PACKAGE, agent_zip
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, WorkerPlan
from pytest_sai3bench.plan.work import ObjectSet, OperationPlan, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = sorted(Path(agent.__file__).parent.glob("*.py"))
VERSIONS = ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
STEMS: tuple[Literal["prepared", "deletable"], ...] = ("prepared", "deletable")
BYTE = SizePlan("fixed", 1, 1)


def interpreter(version: str) -> str:
    """Return the command of a Python version, or skip the test when there is none that starts."""
    if version == "{}.{}".format(*sys.version_info):
        return sys.executable
    command = shutil.which(f"python{version}")
    if command is None:
        pytest.skip(f"there is no python{version} on PATH")
    probe = subprocess.run([command, "-V"], capture_output=True, text=True, timeout=60, check=False)
    if not probe.stdout.startswith(f"Python {version}."):
        pytest.skip(f"python{version} does not start: {probe.stderr.strip().partition(chr(10))[0]}")
    return command


def run_on(command: str, folder: Path, stages: list[StagePlan], lanes: int = 2) -> Any:
    """Run the stages on files below ``folder``, in a process that has nothing but the agent's zip."""
    mount = folder / "mount"
    mount.mkdir()
    archive = folder / "agent.zip"
    archive.write_bytes(agent_zip())
    plan = WorkerPlan(
        agent="local",
        address="localhost",
        worker=0,
        workers=1,
        endpoints=(Endpoint(f"file://{mount}/", "file", Origin("", ""), root=f"{mount}/"),),
        strategy="least_connections",
        lanes=lanes,
        seed=1,
        stages=tuple(stages),
        errors=ErrorPolicy(),
    )
    program = str(Path(__file__).with_name("bare_host.py"))
    done = subprocess.run(
        [command, "-I", "-S", "-W", "error", program, str(archive), PACKAGE],
        input=json.dumps(plan.to_wire()),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
    )
    assert done.stderr == ""
    # Cleanup has removed all that was made.
    assert list(mount.iterdir()) == []
    return json.loads(done.stdout)


def entry(op: str, path: str = "data/") -> OperationPlan:
    pool: Literal["deletable", "prepared"] = "deletable" if op == "delete" else "prepared"
    return OperationPlan(op, path, 1, f"suite.yaml:{op}", BYTE if op == "put" else None, pool)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agent_works_from_its_zip_on_a_bare_python(version: str, tmp_path: Path) -> None:
    operations = tuple(entry(op) for op in ("get", "put", "list", "stat", "delete"))
    stages = [
        StagePlan("prepare", objects=tuple(ObjectSet("data/", stem, 500, BYTE, "") for stem in STEMS)),
        StagePlan("workload", duration_s=0.3, operations=operations),
        StagePlan("cleanup"),
    ]

    seen = run_on(interpreter(version), tmp_path, stages)

    assert (seen["python"], seen["foreign"]) == (version, [])
    kinds = [message["type"] for message in seen["messages"] if message["type"] != "tick"]
    assert kinds == ["hello", "preflight", *["ready", "result", "rested"] * 3, "bye"]
    results = [message for message in seen["messages"] if message["type"] == "result"]
    assert [(result["errors"], result["outcome"]) for result in results] == [([], "completed")] * 3
    assert {series["op"] for series in results[1]["sections"]["measured"]} == {each.op for each in operations}


@pytest.fixture
def fast_folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where the system has one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read from /proc")
def test_a_hundred_thousand_objects_fit_into_80_mib(fast_folder: Path) -> None:
    count = 100_000
    stages = [
        StagePlan("prepare", objects=(ObjectSet("data/", "prepared", count, BYTE, ""),)),
        StagePlan("workload", duration_s=0.2, operations=(entry("get"), entry("stat"), entry("put"))),
        StagePlan("workload", duration_s=0.2, operations=(entry("delete"), entry("put", "more/"))),
        StagePlan("cleanup"),
    ]

    seen = run_on(sys.executable, fast_folder, stages, lanes=4)

    results = [message for message in seen["messages"] if message["type"] == "result"]
    assert [(result["errors"], result["outcome"]) for result in results] == [([], "completed")] * 4
    assert sum(series["count"] for series in results[0]["sections"]["measured"]) == count
    # The process is the agent and this little controller of it; the peak is that of the whole run.
    assert results[-1]["max_rss_bytes"] < 80 << 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_module_of_the_agent_imports_nothing_but_the_agent_and_the_standard_library(path: Path) -> None:
    names = {source.stem for source in SOURCES}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        allowed = sys.stdlib_module_names
        if path.stem == "boto3_client" and node not in tree.body:
            # The reference engine, which says so where there is none.
            allowed = allowed | {"boto3", "botocore"}
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and node.level:
            # One dot: a module of the agent, or names of its package.
            assert node.level == 1
            assert node.module in names or [alias.name for alias in node.names] == ["PROTOCOL"]
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] in allowed


def test_the_same_sources_make_the_same_zip() -> None:
    first = agent_zip()
    agent_zip.cache_clear()
    assert agent_zip() == first
