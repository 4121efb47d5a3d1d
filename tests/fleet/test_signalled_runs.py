"""Ctrl-C and the death of the controller in each phase, with real processes and real signals."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HERE = "distributed: {agents: [{address: localhost}, {address: 127.0.0.1}]}"
_SUITE = f"""
duration: 60s
concurrency: 2
{_HERE}
multi_endpoint: {{endpoints: ["file://{{tmp}}/m1/", "file://{{tmp}}/m2/"]}}
prepare:
  ensure_objects: [{{base_uri: data/, count: 8, size_spec: 4KiB}}]
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 9}}
  - {{op: put, path: new/, weight: 1, object_size: 1KiB}}
"""
_PHASES = {"opening": -1, "prepare": 0, "workload": 1, "cleanup": 2}
# Agents that hear nothing end by themselves after this time; those whose connection ends, much sooner.
_ALONE_S = 15


@contextmanager
def _run_up_to(
    phase: str, store: Path, distributed: str = _HERE
) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a run in a session of its own, and yield it and handles of its agents when it waits in ``phase``."""
    suite = store.parent / "s.yaml"
    text = _SUITE.replace("{tmp}", str(store.parent)).replace(_HERE, distributed)
    suite.write_text(text.replace("60s", "100ms") if phase == "cleanup" else text)
    script = Path(__file__).with_name("signalled_run.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(suite), str(_PHASES[phase])],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as controller:
        assert controller.stdout
        handles = [os.pidfd_open(pid) for pid in json.loads(controller.stdout.readline())]
        assert len(handles) == 2
        try:
            yield controller, handles
        finally:
            controller.kill()
            for handle in handles:
                os.close(handle)


def _assert_ended(handles: list[int], within_s: float) -> None:
    deadline = monotonic() + within_s
    for handle in handles:
        assert select.select([handle], [], [], max(0.0, deadline - monotonic()))[0], "an agent lives on"


@pytest.mark.parametrize("phase", _PHASES)
def test_agents_do_not_outlive_a_controller_that_is_killed(phase: str, store: Path) -> None:
    with _run_up_to(phase, store) as (controller, handles):
        controller.kill()
        controller.wait(10)
        _assert_ended(handles, _ALONE_S)


@pytest.mark.parametrize("phase", ["opening", "prepare", "workload"])
def test_ctrl_c_stops_the_load_and_cleans_up(phase: str, store: Path) -> None:
    with _run_up_to(phase, store) as (controller, handles):
        sent_s = monotonic()
        # As a terminal does: to the controller and its agents alike.
        os.killpg(controller.pid, signal.SIGINT)
        output, _ = controller.communicate(timeout=30)
        _assert_ended(handles, 0)
    outcome = json.loads(output.splitlines()[-1])

    assert controller.returncode == 0
    name = "prepare" if phase == "opening" else phase
    assert (outcome["status"], outcome["reason"]) == ("interrupted", f"interrupted during {name}")
    assert outcome["interrupted_s"] - sent_s < 2
    phases = {
        "opening": [],
        "prepare": ["prepare", "cleanup"],
        "workload": ["prepare", "workload", "cleanup"],
    }
    assert list(outcome["ops"]) == phases[phase]
    assert phase != "workload" or outcome["ops"]["workload"] > 0
    assert outcome["children"] == ""
    assert list(store.iterdir()) == []


def test_ctrl_c_reaches_agents_on_other_hosts(store: Path, sshd: Callable[[str], Any]) -> None:
    """What leads there must outlive it, though a terminal sends it to all that runs."""
    server = sshd("127.0.0.21")
    agents = f"[{{address: localhost}}, {{address: 127.0.0.21, gateway: ssh, python: {server.python}}}]"
    with _run_up_to("workload", store, f"distributed: {{ssh: {server.block}, agents: {agents}}}") as (
        controller,
        handles,
    ):
        os.killpg(controller.pid, signal.SIGINT)
        output, _ = controller.communicate(timeout=30)
        _assert_ended(handles, 0)
    outcome = json.loads(output.splitlines()[-1])

    assert (outcome["status"], outcome["reason"]) == ("interrupted", "interrupted during workload")
    assert list(outcome["ops"]) == ["prepare", "workload", "cleanup"]
    assert outcome["children"] == ""
    assert list(store.iterdir()) == []


def test_ctrl_c_in_the_cleanup_ends_everything_at_once(store: Path) -> None:
    with _run_up_to("cleanup", store) as (controller, handles):
        os.killpg(controller.pid, signal.SIGINT)
        output, _ = controller.communicate(timeout=30)
        _assert_ended(handles, 0)
    outcome = json.loads(output.splitlines()[-1])

    assert (outcome["status"], outcome["reason"]) == ("interrupted", "interrupted during cleanup")
    assert list(outcome["ops"]) == ["prepare", "workload", "cleanup"]
    assert outcome["children"] == ""
