"""A run that stops still at an instant of its life and waits for a signal; for tests that send it.

Usage: signalled_run.py SUITE STAGE, where STAGE is -2 (the agents have just started), -1 (the check of the endpoints) or
the number of a stage. Prints the ids of the agents at that instant, as far as they are known; after Ctrl-C cleans up and
prints what the run came to.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet import members
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from pytest_sai3bench.agent.messages import Message

STAGE = int(sys.argv[2])
# The workload is to be under way; the others are as soon as they are ordered.
INSTANT = {
    -2: ("sent", "hello"),
    -1: ("sent", "plan"),
    0: ("sent", "start"),
    1: ("taken", "tick"),
    2: ("sent", "start"),
}[STAGE]
seen: list[tuple[str, str]] = []

send, take = members._send, members.Members._take


def send_and_wait(member: members.Member, message: Message) -> None:
    send(member, message)
    _wait_at(("sent", message["type"]), member)


def take_and_wait(self: members.Members, member: members.Member, text: str | None) -> None:
    take(self, member, text)
    _wait_at(("taken", json.loads(text)["type"] if text else ""), member)


def _wait_at(instant: tuple[str, str], member: members.Member) -> None:
    if (instant, member.stage) == (INSTANT, max(STAGE, members.NO_STAGE)) and not seen:
        seen.append(instant)
        _tell([each.hello["pid"] for each in run._fleet._members if each.hello])
        # Not pause(), which misses a signal that comes just before it.
        while True:
            time.sleep(0.05)


def _tell(value: object) -> None:
    print(json.dumps(value), flush=True)


members._send = send_and_wait
members.Members._take = take_and_wait  # type: ignore[method-assign]

plan = build_plan(load(Path(sys.argv[1]), env={}), env={})
run = Run(plan, None, run_id="run-1", started_at=0.0)
interrupted_s = 0.0
try:
    run.prepare()
    run.work()
    run.clean_up()
except KeyboardInterrupt:
    interrupted_s = monotonic()
    run.clean_up()
result = run.result()
_tell(
    {
        "status": result.status,
        "reason": result.reason,
        "ops": {phase.phase: phase.tally().ops for phase in result.phases},
        "interrupted_s": interrupted_s,
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text(),
    }
)
