"""``processes: auto`` on hosts whose cores are not known before they are reached."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent.cores import physical_cores
from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet import host_cores
from pytest_sai3bench.fleet.gateways import Remote
from pytest_sai3bench.fleet.host_cores import ask_cores
from pytest_sai3bench.fleet.processes import HostPool

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
name: auto
target: file://{folder}/
duration: 200ms
concurrency: 64
processes: auto
distributed:
  agents:
    - {{address: small, id: small, gateway: "popen//python={small}"}}
    - {{address: large, id: large, gateway: "popen//python={large}"}}
workload:
  - {{op: put, path: new/, weight: 1, object_size: 1}}
"""


@pytest.mark.skipif(shutil.which("taskset") is None, reason="needs taskset, of util-linux")
def test_each_host_has_as_many_processes_as_cores(pytester: pytest.Pytester, tmp_path: Path) -> None:
    one = min(os.sched_getaffinity(0))
    text = _SUITE.format(
        folder=tmp_path,
        small=f"taskset -c {one} {sys.executable} -I -S",
        large=f"env {sys.executable} -I -S",
    )
    pytester.path.joinpath("s.sai3.yaml").write_text(text)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    folder = pytester.path / "sai3-results" / "latest" / "s.sai3" / "auto"
    agents = json.loads((folder / "result.json").read_text())["phases"][0]["agents"]
    assert {agent["agent"]: agent["workers"] for agent in agents} == {"small": 1, "large": physical_cores()}
    plan = json.loads((folder / "plan.json").read_text())
    assert len(plan["workers"]) == 1 + physical_cores()
    assert not any(note.endswith("which is asked before the run") for note in plan["notes"])


def test_all_hosts_that_do_not_answer_are_told(plan_of: Callable[[str], RunPlan], tmp_path: Path) -> None:
    plan = plan_of(_SUITE.format(folder=tmp_path, small="/no/such/python", large="false"))
    pool = HostPool()
    try:
        with pytest.raises(AgentStartError) as caught:
            ask_cores(plan, pool)
    finally:
        pool.close()

    assert str(caught.value).splitlines() == [
        (
            "s.yaml:8: small cannot run on '/no/such/python': /no/such/python cannot be started: No such file or "
            "directory"
        ),
        "  Install Python 3.9 or newer there, or name it in distributed.agents[].python.",
        "s.yaml:9: large cannot run on 'false': false ended with status 1",
        "  Try it by hand: the command has to start a Python that reads from its standard input.",
    ]


def test_hosts_that_never_answer_are_told_as_late(
    plan_of: Callable[[str], RunPlan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(_SUITE.format(folder=tmp_path, small=sys.executable, large=f"env {sys.executable}"))
    over = threading.Event()

    def count_cores(remote: Remote) -> int:
        if remote.host.plan == plan.workers[0].host:
            over.wait(60)
        return 2

    monkeypatch.setattr(Remote, "count_cores", count_cores)
    pool = HostPool()
    limit_s = max(pool.take(worker.host, {}).host.limit_s for worker in plan.workers)
    monkeypatch.setattr(host_cores, "START_S", 0.1 - limit_s)
    try:
        with pytest.raises(AgentStartError) as caught:
            ask_cores(plan, pool)
    finally:
        over.set()
        pool.close()

    assert str(caught.value).splitlines() == [
        f"s.yaml:8: small cannot run on '{sys.executable}': it did not answer within 0 s",
        "  Check the load of the host, and that its folder for temporary files can be written.",
    ]
