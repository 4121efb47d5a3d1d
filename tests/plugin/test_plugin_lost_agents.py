from __future__ import annotations

import json
import os
import re
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.fleet.members import Member, Members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _rows(path: Path, section: str) -> list[dict[str, str]]:
    """Return the rows of a section of ``results.tsv`` by the names of its columns."""
    text = path.read_text().partition(f"[{section}]\n")[2].partition("\n\n")[0]
    header, *rows = (line.split("\t") for line in text.splitlines())
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("lost_agent", ["fail", "continue"])
def test_the_item_tells_of_the_lost_agent_and_the_next_run_works(
    pytester: pytest.Pytester,
    write_suite_of_two: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    lost_agent: str,
) -> None:
    take = Members._take
    killed: list[Member] = []

    def take_and_kill(self: Members, member: Member, text: str | None) -> None:
        take(self, member, text)
        told = json.loads(text or "{}").get("type")
        if (member.plan.agent, member.stage, told) == ("far", 1, "tick") and not killed:
            killed.append(member)
            os.kill(member.hello["pid"], signal.SIGKILL)

    monkeypatch.setattr(Members, "_take", take_and_kill)
    for name, duration in (("one", "3s"), ("two", "500ms")):
        write_suite_of_two("get.max < 1 h", name=name, duration=duration, lost_agent=lost_agent)
    result = pytester.runpytest_inprocess("-v")
    output = result.stdout.str()
    folder = pytester.path / "sai3-results" / "latest" / "one.sai3" / "mixed"
    loss = (
        rf"far on pod \({re.escape(socket.gethostname())}, process [0-9]+\) ended "
        r"at [0-9:]{8}, [0-9]+\.[0-9] s after the start"
    )
    run = json.loads((folder / "result.json").read_text())["run"]

    result.stdout.fnmatch_lines(["two.sai3.yaml::mixed PASSED*"])
    if lost_agent == "fail":
        result.assert_outcomes(failed=3, passed=3)
        assert re.search(rf"^workload: {loss}$", output, re.MULTILINE)
        assert re.fullmatch(f"workload: {loss}", run["reason"])
        assert run["status"] == "failed"
    else:
        # The run itself went through; what it measured is that of fewer agents than the suite asks for.
        result.assert_outcomes(failed=2, passed=4)
        result.stdout.fnmatch_lines(["one.sai3.yaml::mixed PASSED*"])
        assert re.search(rf"agent far was lost: {loss}$", output, re.MULTILINE)
        assert run["status"] == "completed"
        [lost, left] = run["notes"]
        text = "workload: the run went on (distributed.lost_agent: continue) without "
        assert re.fullmatch(re.escape(text) + loss, lost)
        assert left == "an agent was lost: what it made has not been removed"
    by_agent = {row["agent_id"]: row for row in _rows(folder / "results.tsv", "agent_stats")}
    assert by_agent["far"]["outcome"] == "lost"
    assert re.fullmatch(loss, by_agent["far"]["reason"])
    assert by_agent["near"]["outcome"] == ("aborted" if lost_agent == "fail" else "completed")
    verdicts = {row["outcome"] for row in _rows(folder / "results.tsv", "thresholds")}
    assert verdicts == {"inconclusive"}
