from __future__ import annotations

import json
import os
import queue
import socket
import sys
import threading
from dataclasses import replace
from time import monotonic, monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import PROTOCOL
from pytest_sai3bench.agent.link import Alone, Link
from pytest_sai3bench.agent.serve import serve
from pytest_sai3bench.agent.stages import Worker
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin, WorkerPlan
from pytest_sai3bench.plan.work import ObjectSet, OperationPlan, RatePlan, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SIZE = SizePlan("fixed", 100, 100)
# Less than the silence after which an agent ends by itself.
PATIENCE_S = 10.0
SECOND_NS = 1_000_000_000


class Controller:
    """The other side of a conversation, over queues in memory."""

    def __init__(self, **limits: float) -> None:
        self._arrived: queue.Queue[str] = queue.Queue()
        self.left: queue.Queue[int] = queue.Queue()
        self.link = Link(self._arrived.put, self.left.put, **limits)
        self._thread = threading.Thread(target=serve, args=(self.link,))

    def serve(self) -> None:
        """Let the agent begin to answer."""
        self._thread.start()

    def send(self, kind: str, **fields: Any) -> None:
        """Send a message."""
        self.link.feed(json.dumps({"type": kind, **fields}))

    def receive(self, *skip: str) -> dict[str, Any]:
        """Return the next message but signs of life and of progress."""
        deadline = monotonic() + PATIENCE_S
        while True:
            message: dict[str, Any] = json.loads(self._arrived.get(timeout=max(0, deadline - monotonic())))
            if message["type"] not in {"alive", "settled", *skip}:
                return message

    def expect(self, kind: str, *skip: str) -> dict[str, Any]:
        """Return the next message, which has to be of this kind."""
        message = self.receive(*skip)
        assert message["type"] == kind, message
        return message

    def prepare(self, stages: list[StagePlan], folder: Path, lanes: int = 2) -> None:
        """Send the plan and take the answer."""
        self.send("plan", plan=plan_of(stages, folder, lanes), credentials=None)
        assert self.expect("preflight")["checks"] == [{"endpoint": 0, "kind": "", "detail": ""}]

    def start(self, stage: int, in_ns: int = 0) -> int:
        """Lead the agent into a stage; return when it begins."""
        self.send("stage", stage=stage)
        assert self.expect("ready")["stage"] == stage
        at_ns = monotonic_ns() + in_ns
        self.send("start", at_ns=at_ns)
        return at_ns

    def assert_over(self) -> None:
        """Wait until the agent has ended by itself, in order."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        assert self.left.empty()

    def all_arrived(self) -> list[str]:
        """Return the kinds of all messages that wait."""
        return [json.loads(self._arrived.get())["type"] for _ in range(self._arrived.qsize())]


def plan_of(stages: list[StagePlan], folder: Path, lanes: int = 2) -> dict[str, Any]:
    endpoint = Endpoint(f"file://{folder}/", "file", Origin("", ""), root=f"{folder}/")
    return WorkerPlan(
        "local", "localhost", 0, 1, (endpoint,), "round_robin", lanes, 1, tuple(stages), ErrorPolicy()
    ).to_wire()


@pytest.fixture
def talk() -> Iterator[Callable[..., Controller]]:
    """Return ``talk(**limits)``: a controller whose agent has begun."""
    opened = []

    def begin(*, serving: bool = True, **limits: float) -> Controller:
        controller = Controller(**limits)
        opened.append(controller)
        if serving:
            controller.serve()
        return controller

    yield begin
    for controller in opened:
        controller.link.feed(None)
        controller.assert_over()


def op(op: str, path: str) -> OperationPlan:
    return OperationPlan(op, path, 1, f"s.yaml:{op}", SIZE if op == "put" else None)


PREPARE = StagePlan("prepare", objects=(ObjectSet("data/", "prepared", 50, SIZE, ""),))
# The warm-up ends soon, and with its end comes a tick.
ENDLESS = StagePlan("workload", duration_s=3600, warmup_s=0.05, operations=(op("put", "new/"),))
CLEANUP = StagePlan("cleanup", mode="strict")


def test_a_whole_conversation(talk: Callable[..., Controller], tmp_path: Path) -> None:
    controller = talk()
    before = monotonic_ns()
    controller.send("hello")
    hello = controller.expect("hello")
    assert before <= hello.pop("now_ns") <= monotonic_ns()
    assert hello.pop("memory") > 0
    assert hello == {
        "type": "hello",
        "protocol": PROTOCOL,
        "python": sys.version.split()[0],
        "platform": hello["platform"],
        "host": socket.gethostname(),
        "cores": os.cpu_count(),
        "pid": os.getpid(),
        "executable": sys.executable,
    }
    for number in range(3):
        before = monotonic_ns()
        controller.send("ping", number=number)
        pong = controller.expect("pong")
        assert pong["number"] == number
        assert before <= pong["now_ns"] <= monotonic_ns()
    timed = StagePlan(
        "workload", duration_s=0.2, warmup_s=0.1, operations=(op("get", "data/"), op("put", "new/"))
    )
    # Half of the operations are due after the warm-up, however busy the machine is.
    rate = RatePlan(500, "deterministic")
    counted = replace(timed, duration_s=PATIENCE_S, rate=rate, most_ops=100)
    stages = [PREPARE, counted, timed, CLEANUP]
    controller.prepare(stages, tmp_path)

    for stage, plan in enumerate(stages):
        at_ns = controller.start(stage, 30_000_000)
        ticks = []
        while (message := controller.receive())["type"] == "tick":
            ticks.append(message)
        result = message
        assert result["type"] == "result"
        assert controller.expect("rested") == {"type": "rested", "stage": stage}
        controller.send("ack")

        # What was done in so much time is up to the machine.
        assert {tick["stage"] for tick in ticks} == {stage} or (plan is timed and not result["sections"])
        assert result["stage"] == stage
        assert (result["outcome"], result["reason"], result["errors"]) == ("completed", "", [])
        assert result["planned_start_ns"] == at_ns <= result["started_ns"] <= result["ended_ns"]
        for section, series in result["sections"].items():
            for wire in series:
                key = {name: wire[name] for name in ("op", "endpoint", "bucket")}
                parts = [
                    part
                    for tick in ticks
                    for part in tick["sections"].get(section, [])
                    if {name: part[name] for name in key} == key
                ]
                assert sum(part["count"] for part in parts) == wire["count"] == sum(wire["counts"])
                assert sum(part["bytes"] for part in parts) == wire["bytes"]
                assert sum(part["sum_ns"] for part in parts) == wire["sum_ns"]
                assert min(part["min_ns"] for part in parts) == wire["min_ns"]
                assert max(part["max_ns"] for part in parts) == wire["max_ns"]
        sections = {section for tick in ticks for section in tick["sections"]}
        assert sections == set(result["sections"])
        if plan is timed:
            assert result["window_ns"] == [at_ns + 100_000_000, at_ns + 300_000_000]
        elif plan is counted:
            assert result["window_ns"] == [at_ns + 100_000_000, result["ended_ns"]]
            assert "measured" in sections
    controller.send("bye")
    controller.expect("bye")
    controller.assert_over()
    assert list(tmp_path.iterdir()) == []


def test_an_abort_stops_the_load_and_the_next_stage_follows(
    talk: Callable[..., Controller], tmp_path: Path
) -> None:
    controller = talk()
    controller.prepare([ENDLESS, CLEANUP], tmp_path)
    controller.start(0)
    controller.expect("tick")
    controller.send("abort")

    result = controller.expect("result", "tick")
    assert result["outcome"] == "aborted"
    made = sum(wire["count"] for section in result["sections"].values() for wire in section)
    assert made == len(list((tmp_path / "new").iterdir()))
    controller.expect("rested")
    controller.start(1)
    assert controller.expect("result", "tick")["outcome"] == "completed"
    assert list(tmp_path.iterdir()) == []


def test_an_abort_before_the_start_begins_nothing(talk: Callable[..., Controller], tmp_path: Path) -> None:
    controller = talk()
    controller.prepare([PREPARE], tmp_path)
    controller.start(0, 3600 * SECOND_NS)
    controller.send("abort")

    result = controller.expect("result")
    assert (result["outcome"], result["sections"]) == ("aborted", {})
    assert result["ended_ns"] < result["planned_start_ns"]
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("word", ["abort", "bye"])
def test_a_long_listing_ends_on_request(talk: Callable[..., Controller], tmp_path: Path, word: str) -> None:
    for number in range(1000):
        (tmp_path / f"file-{number}").touch()
    controller = talk(serving=False)
    controller.send(
        "plan", plan=plan_of([StagePlan("workload", operations=(op("get", ""),))], tmp_path), credentials=None
    )
    controller.send("stage", stage=0)
    controller.send("alive")
    controller.send(word)
    controller.serve()

    controller.expect("preflight")
    assert controller.expect("failed") == {
        "type": "failed",
        "stage": 0,
        "kind": "aborted",
        "detail": "stopped on request",
        "endpoint": 0,
    }
    if word == "bye":
        controller.expect("bye")
        controller.assert_over()


def test_a_goodbye_in_the_middle_of_a_run_ends_it_in_order(
    talk: Callable[..., Controller], tmp_path: Path
) -> None:
    controller = talk()
    controller.prepare([ENDLESS], tmp_path)
    controller.start(0)
    controller.expect("tick")
    controller.send("bye")

    assert controller.expect("result", "tick")["outcome"] == "aborted"
    controller.expect("rested")
    controller.expect("bye")
    controller.assert_over()


def test_the_rest_after_a_stage_lasts_as_long_as_planned(
    talk: Callable[..., Controller], tmp_path: Path
) -> None:
    controller = talk()
    stage = StagePlan("prepare", objects=PREPARE.objects, delay_s=0.2)
    controller.prepare([stage, replace(stage, delay_s=3600)], tmp_path)
    controller.start(0)
    result = controller.expect("result", "tick")
    controller.expect("rested")
    assert monotonic_ns() - result["ended_ns"] >= 200_000_000

    # Where nothing was made there is nothing to wait for.
    controller.start(1)
    assert controller.expect("result")["sections"] == {}
    controller.expect("rested")


def test_an_abort_ends_the_rest(talk: Callable[..., Controller], tmp_path: Path) -> None:
    controller = talk()
    controller.prepare([StagePlan("prepare", objects=PREPARE.objects, delay_s=3600)], tmp_path)
    controller.start(0)
    assert controller.expect("result", "tick")["outcome"] == "completed"
    controller.send("abort")
    controller.expect("rested")


def test_a_stage_that_cannot_begin_says_why(talk: Callable[..., Controller], tmp_path: Path) -> None:
    controller = talk()
    controller.prepare([StagePlan("workload", operations=(op("get", "none/"),)), PREPARE], tmp_path)
    controller.send("stage", stage=0)
    assert controller.expect("failed") == {
        "type": "failed",
        "stage": 0,
        "kind": "no-match",
        "detail": "s.yaml:get: get: none/ matches none of the 0 objects in none/",
        "endpoint": 0,
    }
    controller.start(1)
    assert controller.expect("result", "tick")["outcome"] == "completed"


def test_an_unusable_endpoint_shows_in_the_preflight(talk: Callable[..., Controller], tmp_path: Path) -> None:
    controller = talk()
    controller.send("plan", plan=plan_of([PREPARE], tmp_path / "none"), credentials=None)
    assert controller.expect("preflight")["checks"] == [
        {"endpoint": 0, "kind": "no-folder", "detail": f"there is no folder {tmp_path}/none/"}
    ]


def test_a_bug_reaches_the_controller_with_its_traceback(
    talk: Callable[..., Controller], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise ZeroDivisionError("a bug of ours")

    monkeypatch.setattr(Worker, "run", fail)
    controller = talk()
    controller.prepare([PREPARE], tmp_path)
    controller.start(0)

    failed = controller.expect("failed")
    detail = failed.pop("detail")
    assert failed == {"type": "failed", "stage": -1, "kind": "internal", "endpoint": 0}
    assert detail.startswith("Traceback (most recent call last):\n")
    assert detail.endswith("ZeroDivisionError: a bug of ours\n")
    controller.send("start", at_ns=0)
    assert "AssertionError" in controller.expect("failed")["detail"]
    controller.send("bye")
    controller.expect("bye")


@pytest.mark.parametrize("running", [False, True])
def test_silence_ends_the_agent_in_order(
    talk: Callable[..., Controller],
    tmp_path: Path,
    running: bool,  # noqa: FBT001 - a parameter
) -> None:
    controller = talk(exit_s=PATIENCE_S)
    if running:
        controller.prepare([ENDLESS], tmp_path)
        controller.start(0)
    else:
        controller.send("alive")
    # Only from here on, so that a slow machine is not taken for a silent controller.
    controller.link._silence_s = 0.1

    controller.assert_over()

    assert ("result" in controller.all_arrived()) is running


@pytest.mark.parametrize("running", [False, True])
def test_the_end_of_the_connection_ends_the_agent_in_order(
    talk: Callable[..., Controller],
    tmp_path: Path,
    running: bool,  # noqa: FBT001 - a parameter
) -> None:
    controller = talk()
    if running:
        controller.prepare([ENDLESS], tmp_path)
        controller.start(0)
        controller.expect("tick")
    controller.link.feed(None)
    controller.assert_over()


def test_an_agent_that_hangs_alone_is_ended_the_hard_way() -> None:
    left: queue.Queue[int] = queue.Queue()
    said: list[str] = []
    link = Link(said.append, left.put, silence_s=0.05, exit_s=0.05)
    link.watch()
    link.feed('{"type": "alive"}')
    assert left.get(timeout=PATIENCE_S) == 70
    # Until then it gave signs of life.
    assert set(said) == {'{"type":"alive"}'}
    link.finish()


def test_silence_counts_from_the_first_message_on() -> None:
    """A host with many agents may take longer to start all of them."""
    left: queue.Queue[int] = queue.Queue()
    said: queue.Queue[str] = queue.Queue()
    link = Link(said.put, left.put, silence_s=0.02, exit_s=0.02)
    link.watch()
    # It goes on beating for longer than both together.
    for _ in range(5):
        said.get(timeout=PATIENCE_S)
    assert left.empty()
    link.feed('{"type": "hello"}')
    assert left.get(timeout=PATIENCE_S) == 70
    link.finish()


def test_a_link_that_cannot_send_is_closed() -> None:
    def broken(text: str) -> None:
        raise BrokenPipeError

    link = Link(broken)
    link.feed('{"type": "hello"}')
    link.send({"type": "hello"})
    # What has arrived before is still to be read.
    assert link.receive(0) == {"type": "hello"}
    with pytest.raises(Alone):
        link.receive(0)


def test_messages_come_in_order_and_one_put_back_comes_last() -> None:
    link = Link(lambda text: None)
    for number in range(3):
        link.feed(json.dumps({"type": "ping", "number": number}))
    first = link.receive(0)
    assert first == {"type": "ping", "number": 0}
    link.put_back(first)
    assert [link.receive(0) for _ in range(4)] == [
        {"type": "ping", "number": 1},
        {"type": "ping", "number": 2},
        {"type": "ping", "number": 0},
        None,
    ]
    link.feed(None)
    for _ in range(2):
        with pytest.raises(Alone):
            link.receive(0)
