"""The talk with workers, told by workers that only exist here, on a clock that only moves when told."""

from __future__ import annotations

import json
import math
import threading
from time import gmtime
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import AgentStartError
from pytest_sai3bench.fleet import members
from pytest_sai3bench.fleet.members import Member, Members
from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.plan.model import ErrorPolicy, WorkerPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_HELLO = {"host": "node", "pid": 42}
_TICK: dict[str, Any] = {"type": "tick", "stage": 0, "tick": 0, "sections": {}, "errors": []}


class _Processes:
    """Stands for real processes; what is sent to each collects in ``sent``."""

    def __init__(self, deliver: Callable[[tuple[str, str | None]], None], pool: None) -> None:
        self.deliver = deliver
        self.sent: list[tuple[str, str]] = []
        self.closed: list[bool] = []
        self.mute: list[list[str]] = []

    def open(self, plans: Mapping[str, WorkerPlan]) -> dict[str, _Gateway]:
        if any(key.startswith("broken") for key in plans):
            raise AgentStartError("no process")
        return {key: _Gateway(key, self) for key in plans}

    def begun(self) -> None:
        self.sent.append(("hosts", "begun"))

    def close(self, *, at_once: bool, mute: list[str]) -> None:
        self.closed.append(at_once)
        self.mute.append(mute)


class _Gateway:
    def __init__(self, key: str, gateways: _Processes) -> None:
        self._key, self._gateways = key, gateways

    def send(self, text: str) -> None:
        if self._key.startswith("deaf"):
            raise OSError("cannot send (already closed?)")
        self._gateways.sent.append((self._key.partition("-")[0], json.loads(text)["type"]))

    def failure(self) -> str:
        return ""

    def farewell(self) -> str:
        return "the connection to node1 is gone" if self._key.startswith("far") else ""


class _Scene:
    """Two workers, and a hand on everything around them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
        self.now = 1000.0
        monkeypatch.setattr(members, "Processes", _Processes)
        monkeypatch.setattr(members, "monotonic", lambda: self.now)
        # In the morning of the first day of all clocks, wherever this runs.
        monkeypatch.setattr(members, "time", lambda: self.now + 11 * 3600)
        monkeypatch.setattr(members, "localtime", gmtime)
        monkeypatch.setattr(members, "_POLL_S", 0.001)
        monkeypatch.setattr(members, "_HEARTBEAT_S", math.inf)
        monkeypatch.setattr(Members, "_beat", lambda _self: None)
        self.members = Members()
        self.members.open(_plan(name) for name in names)
        self.gateways: Any = self.members._processes

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.plan.agent == name)

    def says(self, name: str, **message: object) -> None:
        self.gateways.deliver((f"{name}-w0", json.dumps(message)))

    def ends(self, name: str) -> None:
        self.gateways.deliver((f"{name}-w0", None))


def _plan(agent: str) -> WorkerPlan:
    return WorkerPlan(agent, "localhost", 0, 1, (), "round_robin", 1, 0, (), ErrorPolicy())


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> _Scene:
    scene = _Scene(monkeypatch, "a", "b")
    for member in scene.members:
        member.hello = dict(_HELLO)
    return scene


def test_an_answer_settles_what_is_owed(scene: _Scene) -> None:
    scene.members.ask(scene["a"], {"type": "ping", "number": 1}, "pong")
    scene.says("a", type="alive")
    scene.says("b", type="pong", number=7)  # nobody asked for it
    scene.says("a", type="pong", number=1)
    scene.members.wait(10, "did not answer")

    assert scene["a"].answer == {"type": "pong", "number": 1}
    assert scene["b"].answer == {}
    assert scene.members.troubles == []


@pytest.mark.parametrize(
    "late",
    [
        {"type": "ready", "stage": 0},
        {"type": "rested", "stage": 0},
        {"type": "failed", "stage": 0, "kind": "no-match", "detail": "of the stage before"},
        {"type": "result", "stage": 0, "outcome": "gave-up", "reason": "of the stage before"},
        _TICK,
    ],
)
def test_messages_of_an_earlier_stage_are_not_taken_for_those_of_this_one(
    scene: _Scene, late: dict[str, Any]
) -> None:
    a = scene["a"]
    for stage, answer in ((0, "ready"), (1, "ready")):
        a.begin(stage)
        scene.members.ask(a, {"type": "stage", "stage": stage}, answer)
    scene.says("a", **late)
    scene.says("a", type="ready", stage=1)
    scene.members.wait(10, "did not get ready")

    assert (a.answer, a.failure, a.result, a.ticks.count) == ({"type": "ready", "stage": 1}, None, None, 0)
    assert scene.members.troubles == []


def test_a_failure_outside_of_a_stage_counts_in_any(scene: _Scene) -> None:
    scene["a"].begin(1)
    scene.members.ask(scene["a"], {"type": "stage", "stage": 1}, "ready")
    scene.says("a", type="failed", stage=-1, kind="internal", detail="Traceback\n")
    scene.members.wait(10, "did not get ready")

    assert scene.members.troubles == [
        "a: Traceback\n  This is a bug in pytest-sai3bench: please report it with this text."
    ]


def test_a_new_stage_forgets_the_one_before(scene: _Scene) -> None:
    a = scene["a"]
    a.begin(0)
    scene.members.ask(a, {"type": "start", "at_ns": 1}, "rested")
    scene.says("a", **_TICK)
    scene.says("a", type="result", stage=0, outcome="gave-up", reason="3 errors")
    scene.says("a", type="rested", stage=0)
    scene.members.wait(10, "did not finish")
    before = (a.trouble, a.ticks.count)
    a.begin(1)

    assert before == ("a gave up after 3 errors", 1)
    assert (a.trouble, a.ticks.count, a.result) == ("", 0, None)


def test_a_late_answer_means_loss(scene: _Scene) -> None:
    for member in scene.members:
        scene.members.ask(member, {"type": "ping", "number": 1}, "pong")
    scene.says("a", type="pong", number=1)
    scene.says("a", type="alive")
    take = scene.members._take

    def take_and_wait(member: Member, text: str | None) -> None:
        take(member, text)
        scene.now += 6

    scene.members._take = take_and_wait  # type: ignore[method-assign]
    scene.members.wait(10, "did not answer")

    assert scene.members.troubles == ["b on node (process 42) did not answer within 10 s"]


def test_ticks_renew_a_limit_that_bounds_standing_still(scene: _Scene) -> None:
    scene["a"].begin(0)
    scene.members.ask(scene["a"], {"type": "start", "at_ns": 1}, "rested")
    take = scene.members._take

    def take_and_wait(member: Member, text: str | None) -> None:
        take(member, text)
        scene.now += 8

    scene.members._take = take_and_wait  # type: ignore[method-assign]
    for _ in range(5):
        scene.says("a", **_TICK)
    scene.says("a", type="alive")
    scene.says("a", type="alive")
    scene.members.wait(10, "did not finish", renewed_by_ticks=True)

    assert (scene.now, scene["a"].ticks.count) == (1000.0 + 7 * 8, 5)
    assert scene.members.troubles == ["a on node (process 42) did not finish within 10 s"]


def test_of_many_workers_all_are_looked_at_once_for_the_messages_that_come_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"a{number}" for number in range(50)]
    scene = _Scene(monkeypatch, *names)
    for member in scene.members:
        scene.members.ask(member, {"type": "stage", "stage": 0}, "ready")
    for kind in ("alive", "alive", "ready"):
        for name in names:
            scene.says(name, type=kind)
    looked: list[None] = []

    class Looks(Observer):
        def pulse(self) -> None:
            looked.append(None)

    scene.members._observers = [Looks()]
    scene.members.wait(10, "did not get ready")

    assert [member.answer["type"] for member in scene.members] == ["ready"] * 50
    assert len(looked) == 1


def test_silence_means_loss_once_it_was_listened_to_for_long_enough(scene: _Scene) -> None:
    scene.members.ask(scene["b"], {"type": "ping", "number": 1}, "pong")
    scene["b"].start_s = 990.0
    listened = 0
    while not scene.members.troubles:
        scene.says("a", type="alive")
        scene.now += 2 * members._POLL_S
        listened += 1
        scene.members._listen()

    assert scene.members.troubles == [
        "b on node (process 42) fell silent at 11:16:40, 10.0 s after the start: nothing was heard of it for 15 s"
    ]
    assert listened == pytest.approx(members.SILENCE_S / (2 * members._POLL_S), abs=2)
    # Its host answers nothing either.
    scene.says("a", type="bye")
    scene.members.close()
    assert scene.gateways.mute == [["b-w0"]]


@pytest.mark.parametrize("first", ["a", "b", ""])
def test_a_standstill_of_our_own_is_not_taken_for_silence(scene: _Scene, first: str) -> None:
    """Whatever arrives first after a minute in a debugger, or nothing at once: all are still well."""
    for member in scene.members:
        scene.members.ask(member, {"type": "ping", "number": 1}, "pong")
    scene.now += 60
    if first:
        scene.says(first, type="alive")
    scene.members._listen()

    assert scene.members.troubles == []
    assert [member.owes for member in scene.members] == ["pong", "pong"]


def test_the_first_trouble_stops_all(scene: _Scene) -> None:
    for member in scene.members:
        member.begin(0)
        scene.members.ask(member, {"type": "start", "at_ns": 1}, "rested")
    scene.gateways.sent.clear()
    scene.ends("a")
    scene.says("b", type="result", stage=0, outcome="aborted", reason="")
    scene.says("b", type="rested", stage=0)
    scene.members.wait(10, "did not finish", ends=lambda: any(member.trouble for member in scene.members))

    # Nobody is asked to stop who is lost.
    assert scene.gateways.sent == [("b", "abort")]
    assert scene.members.troubles == ["a on node (process 42) ended at 11:16:40"]
    assert scene["b"].result == {"type": "result", "stage": 0, "outcome": "aborted", "reason": ""}


def test_who_does_not_stop_is_lost(scene: _Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "_STOP_S", -1.0)
    scene["a"].begin(0)
    scene.members.ask(scene["a"], {"type": "start", "at_ns": 1}, "rested")
    scene.members.stop()

    assert scene.members.troubles == ["a on node (process 42) did not stop within -1 s"]


def test_to_be_stopped_on_request_is_no_trouble(scene: _Scene) -> None:
    scene["a"].begin(0)
    scene.members.ask(scene["a"], {"type": "stage", "stage": 0}, "ready")
    scene.says("a", type="failed", stage=0, kind="aborted", detail="stopped on request")
    scene.members.stop()

    assert scene.members.troubles == []
    assert scene["a"].owes == ""


def test_a_closed_pipe_is_told_by_the_end_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, "deaf")
    scene.members.ask(scene["deaf"], {"type": "hello"}, "hello")
    scene.ends("deaf")
    scene.members.wait(10, "did not answer")

    assert scene.members.troubles == ["deaf ended before it said hello"]


def test_closing_says_goodbye_to_those_who_are_there(scene: _Scene) -> None:
    scene.ends("a")
    scene.members._listen()
    scene.says("b", type="bye")
    scene.members.close()
    scene.members.close()

    assert scene.gateways.sent == [("b", "bye")]
    assert scene.gateways.closed == [False, False]
    assert scene.gateways.mute == [[], []]
    assert list(scene.members) == []


def test_closing_at_once_says_nothing(scene: _Scene) -> None:
    scene.members.close(at_once=True)

    assert (scene.gateways.sent, scene.gateways.closed) == ([], [True])


def test_without_one_process_there_is_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are closed with their gateways, without a word."""
    scene = _Scene(monkeypatch)
    with pytest.raises(AgentStartError):
        scene.members.open([_plan("a"), _plan("broken"), _plan("c")])
    scene.members.close()

    assert list(scene.members) == []
    assert (scene.gateways.sent, scene.gateways.closed) == ([], [False])


def test_hosts_hear_that_all_have_begun(scene: _Scene) -> None:
    scene.members.begun()

    assert scene.gateways.sent == [("hosts", "begun")]


def test_a_lost_worker_tells_of_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = _Scene(monkeypatch, "far")
    scene.ends("far")
    scene.members._listen()

    assert scene.members.troubles == ["far ended before it said hello: the connection to node1 is gone"]


def test_signs_of_life_do_not_depend_on_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a debugger the main thread says nothing; the agents are not to leave for that."""
    monkeypatch.setattr(members, "Processes", _Processes)
    monkeypatch.setattr(members, "_HEARTBEAT_S", 0.001)
    monkeypatch.setattr(members, "_GOODBYE_S", 0.0)
    alive = threading.Event()

    def send(_gateway: _Gateway, text: str) -> None:
        if "alive" in text:
            alive.set()

    monkeypatch.setattr(_Gateway, "send", send)
    found = Members()
    found.open([_plan("a")])

    assert alive.wait(10)
    found.close()


class _Witness(Observer):
    def __init__(self) -> None:
        self.heard: list[tuple[object, ...]] = []

    def settled(self, worker: WorkerPlan, interval: int | None) -> None:
        self.heard.append(("settled", worker.agent, interval))

    def counted_cpu(self, agent: str, counters: Sequence[int]) -> None:
        self.heard.append(("cpu", agent, counters))

    def logged(self, agent: str, piece: bytes) -> None:
        self.heard.append(("logged", agent, piece))


def test_observers_hear_what_workers_say_beside_their_answers(scene: _Scene) -> None:
    witness = _Witness()
    scene.members._observers = [witness]
    for member in scene.members:
        member.begin(0)
        scene.members.ask(member, {"type": "start", "at_ns": 1}, "rested")
    scene.gateways.sent.clear()
    scene.says("a", type="alive", host_cpu=[1, 2, 3, 10])
    scene.says("b", type="alive", host_cpu=[])
    scene.says("a", type="settled", stage=0, interval=2)
    scene.says("a", type="op_log", piece="bGluZXM=")
    scene.says("a", type="result", stage=0, outcome="completed", reason="")
    # While it rests after its result, time goes on.
    scene.says("a", type="settled", stage=0, interval=9)
    scene.says("a", type="rested", stage=0)
    scene.says("b", type="settled", stage=7, interval=1)
    scene.ends("b")
    scene.members.wait(10, "did not finish")

    assert witness.heard == [
        ("cpu", "a", [1, 2, 3, 10]),
        ("settled", "a", 2),
        ("logged", "a", b"lines"),
        ("settled", "a", None),
        ("settled", "b", None),
    ]
    # Each piece is answered, so that the next may come.
    assert scene.gateways.sent == [("a", "taken")]
