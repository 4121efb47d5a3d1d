"""Endpoints that fail in the middle of a run: what is counted, and what becomes of the others."""

from __future__ import annotations

import re
import socket
import threading
from collections import Counter
from contextlib import ExitStack
from itertools import count
from time import monotonic_ns, sleep
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.balance import PLACED
from pytest_sai3bench.agent.messages import GET, PUT
from pytest_sai3bench.plan.model import EndpointRules, ErrorPolicy
from pytest_sai3bench.plan.work import RatePlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_sai3bench.plan.model import FailureMode

S = 1_000_000_000
MS = 1_000_000
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
DOWN = b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
NO_LIMIT = ErrorPolicy(max_total_errors=1 << 30, error_rate_threshold=1e9)
# Each answer takes so long, so that the rate follows from the lanes and not from how busy the machine is.
TURN_S = 0.04


class Faults:
    """The script of a server whose endpoint ``where`` can be ill in a number of ways, from an instant on."""

    def __init__(self, where: int = 1, turn_s: float = 0.0) -> None:
        self.where = where
        self.illness = ""
        self.arrived: list[tuple[int, int]] = []
        self.ill_ns = 0
        self._turn_s = turn_s
        self._lock = threading.Lock()
        self.well = threading.Event()
        self.server: Any = None

    def __call__(self, request: Any, peer: Any) -> bytes | None:
        with self._lock:
            self.arrived.append((monotonic_ns(), request.endpoint))
        ill = self.illness if request.endpoint == self.where else ""
        if self._turn_s and not ill:
            sleep(self._turn_s)
        if ill == "refuse":
            self.server.refuse(self.where)
            peer.reset()
        if ill == "reset":
            # In the middle: a kept connection that ends before an answer is no error.
            peer.send(OK[:20])
            peer.reset()
        if ill == "hole":
            self.well.wait(20)
            peer.reset()
        return {"503": DOWN, "500": BROKEN}.get(ill, OK)

    def befall(self, illness: str) -> None:
        self.illness, self.ill_ns = illness, monotonic_ns()
        if illness == "refuse":
            self.server.refuse(self.where)

    def heal(self) -> None:
        refused, self.illness = self.illness == "refuse", ""
        self.well.set()
        if refused:
            self.server.listen(self.where)

    def requests(self, begin_ns: int = 0, end_ns: int = 1 << 62) -> Counter[int]:
        """Count the requests of each endpoint that arrived in a span of time."""
        return Counter(endpoint for at_ns, endpoint in self.arrived if begin_ns <= at_ns < end_ns)


@pytest.fixture
def faulty(start_server: Callable[..., Any]) -> Iterator[Callable[..., Faults]]:
    """Return ``faulty(endpoints, …)``: the faults of a server with so many endpoints."""
    started = []

    def start(endpoints: int, **options: Any) -> Faults:
        faults = Faults(**options)
        faults.server = start_server(faults, endpoints=endpoints)
        started.append(faults)
        return faults

    yield start
    for faults in started:
        faults.well.set()


def quick(failure: FailureMode) -> EndpointRules:
    return EndpointRules(failure, suspect_after_s=0.2, eject_time_s=0.3)


def endless(op: int = GET) -> Iterable[tuple[int, str, int]]:
    return ((op, f"key-{number}", 1) for number in count())


KINDS = {
    "refuse": "refused",
    "reset": "reset",
    "503": "http-503",
    "500": "http-500",
}


@pytest.mark.parametrize("failure", ["fail", "continue"])
@pytest.mark.parametrize("illness", KINDS)
def test_each_failure_is_counted_once_for_its_endpoint_and_the_turns_of_the_others_are_theirs(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any], illness: str, failure: FailureMode
) -> None:
    faults = faulty(3)
    asked = iter(range(1 << 30))

    def tasks() -> Iterable[tuple[int, str, int]]:
        # Every lane is between two operations here.
        for number in range(600):
            if number == 300:
                faults.befall(illness)
            yield (GET, f"key-{next(asked)}", 0)

    run = run_loop(
        faults.server.addresses, tasks(), lanes=1, errors=NO_LIMIT, endpoint_rules=EndpointRules(failure)
    )

    assert run.reins.counts() == {("get", 0): (200, 200), ("get", 1): (100, 100), ("get", 2): (200, 200)}
    assert [error[:4] for error in run.reins.errors()] == [("get", 1, KINDS[illness], 100)]
    assert run.policy.total == 100
    assert not run.health.gave_up


@pytest.mark.parametrize(
    ("illness", "failure"),
    [
        ("hole", "fail"),
        ("hole", "continue"),
        ("hole", "eject"),
        ("refuse", "fail"),
        ("reset", "continue"),
        ("503", "eject"),
    ],
)
def test_the_other_endpoints_keep_their_load(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any], illness: str, failure: FailureMode
) -> None:
    # A machine that is busy with something else can only make them slower.
    assert any(_keeps_the_load(faulty(4, turn_s=TURN_S), run_loop, illness, failure) for _ in range(4))


def _keeps_the_load(faults: Faults, run_loop: Callable[..., Any], illness: str, failure: FailureMode) -> bool:
    """Tell whether three endpoints are asked as often as before when the fourth falls ill; assert all that must be."""
    began_ns = monotonic_ns()

    def act() -> bool:
        now = monotonic_ns()
        if now - began_ns > 0.5 * S and not faults.ill_ns:
            faults.befall(illness)
        return now - began_ns > 1.4 * S

    run = run_loop(
        faults.server.addresses,
        endless(),
        lanes=8,
        # A pause of all lanes, and lanes that wait in the hole, would leave nothing to the others.
        errors=ErrorPolicy(max_total_errors=1 << 30, backoff_s=20.0),
        endpoint_rules=quick(failure) if illness == "hole" else EndpointRules(failure, suspect_after_s=20.0),
        stop_when=act,
    )

    assert not run.health.gave_up
    out = {outage["endpoint"] for outage in run.health.outages.to_wire()}
    assert out == {1} or (illness == "hole" and 1 in out)
    assert {error[1] for error in run.reins.errors()} <= {1}
    # Every request is counted once: as done, as failed, or as cut off by the stop.
    errors = sum(error[3] for error in run.reins.errors())
    done = sum(operations for operations, _ in run.reins.counts().values())
    if illness != "refuse":
        assert done + errors + run.cut_off == len(faults.arrived)
    ill_ns = faults.ill_ns
    before = faults.requests(ill_ns - 450 * MS, ill_ns)
    # It takes `suspect_after` to see that nothing comes.
    after = faults.requests(ill_ns + 400 * MS, ill_ns + 850 * MS)
    # A third more than before is expected, less on a busy machine.
    return all(after[endpoint] >= 0.5 * before[endpoint] > 0 for endpoint in (0, 2, 3))


def test_what_is_stuck_at_a_silent_endpoint_is_answered_in_the_end_and_its_time_is_true(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(2)

    def script(request: Any, peer: Any) -> bytes:
        if request.endpoint == 1:
            faults.well.wait(20)
        sleep(0.002)
        faults.arrived.append((monotonic_ns(), request.endpoint))
        return OK

    faults.server._script = script
    began_ns = monotonic_ns()

    def act() -> bool:
        if monotonic_ns() - began_ns > 0.8 * S:
            faults.heal()
        return monotonic_ns() - began_ns > 1.2 * S

    run = run_loop(
        faults.server.addresses,
        endless(),
        lanes=4,
        errors=NO_LIMIT,
        endpoint_rules=quick("continue"),
        stop_when=act,
    )

    assert run.reins.errors() == []
    done = Counter({endpoint: number for (_, endpoint), (number, _) in run.reins.counts().items()})
    assert done == faults.requests()
    # All four lanes ran into it at first; they went on with the other one, and the answers came late.
    [outage] = run.health.outages.to_wire()
    assert (outage["endpoint"], outage["kind"], outage["tries"]) == (1, "silent", 0)
    late = max(
        wire["max_ns"] for wire in run.reins.totals.sections_wire()["measured"] if wire["endpoint"] == 1
    )
    assert late > 700 * MS
    # Then there are four lanes again, not eight.
    assert run.health.outages.to_wire()[0]["ended_ns"] > outage["began_ns"]


def test_never_more_operations_are_under_way_at_working_endpoints_than_there_are_lanes(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(3)
    under_way: Counter[int] = Counter()
    most = [0, 0]
    lock = threading.Lock()
    began_ns = monotonic_ns()

    def script(request: Any, peer: Any) -> bytes:
        with lock:
            under_way[request.endpoint] += 1
            healed = faults.well.is_set() and not under_way[1]
            most[healed] = max(most[healed], under_way[0] + under_way[2])
        if request.endpoint == 1:
            faults.well.wait(20)
        sleep(0.005)
        with lock:
            under_way[request.endpoint] -= 1
        return OK

    faults.server._script = script

    def act() -> bool:
        if monotonic_ns() - began_ns > 0.7 * S:
            faults.heal()
        return monotonic_ns() - began_ns > 1.3 * S

    run_loop(
        faults.server.addresses,
        endless(),
        lanes=6,
        errors=NO_LIMIT,
        endpoint_rules=quick("continue"),
        stop_when=act,
    )

    assert all(0 < each <= 6 for each in most)


def test_an_ejected_endpoint_sees_one_operation_at_a_time_until_it_works_again(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(2, turn_s=0.002)
    began_ns = monotonic_ns()

    def act() -> bool:
        now = monotonic_ns()
        if now - began_ns > 0.2 * S and not faults.ill_ns:
            faults.befall("503")
        if now - began_ns > 1.4 * S:
            faults.heal()
        return now - began_ns > 2.2 * S

    run = run_loop(
        faults.server.addresses,
        endless(),
        lanes=4,
        errors=NO_LIMIT,
        endpoint_rules=EndpointRules("eject", 3, eject_time_s=0.3, suspect_after_s=20.0),
        stop_when=act,
    )

    [outage] = run.health.outages.to_wire()
    assert (outage["endpoint"], outage["kind"]) == (1, "ejected")
    assert outage["reason"] == "3 failures in a row; the last: 503"
    assert faults.ill_ns < outage["began_ns"] < outage["ended_ns"]
    # Three failures, those that were on their way with them, and one for each time it was tried.
    [error] = run.reins.errors()
    assert error[:3] == ("get", 1, "http-503")
    assert 3 + outage["tries"] <= error[3] <= 3 + 3 + outage["tries"]
    assert 1 <= outage["tries"] <= 4
    out = faults.requests(outage["began_ns"] + 10 * MS, outage["ended_ns"] - 10 * MS)
    assert outage["tries"] <= out[1] <= outage["tries"] + 1
    assert out[0] > 20
    back = faults.requests(outage["ended_ns"] + 100 * MS)
    assert abs(back[0] - back[1]) <= 0.2 * back[0]


def test_a_run_on_endpoints_that_all_fail_is_given_up(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(1, where=0)
    faults.befall("503")

    run = run_loop(
        faults.server.addresses,
        endless(),
        lanes=4,
        errors=NO_LIMIT,
        endpoint_rules=EndpointRules("eject", 2, eject_time_s=0.1, suspect_after_s=0.03),
    )

    assert run.health.gave_up.endswith("s in which no endpoint worked; the last failure: 503")
    assert run.reins.errors()[0][3] == len(faults.arrived)
    # The first lanes, and one for each of the two or three attempts.
    assert len(faults.arrived) <= 4 + 5


def test_where_everything_is_to_go_on_errors_end_a_run_only_when_nothing_works(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(2)
    faults.befall("503")
    rules = ErrorPolicy(max_total_errors=10, error_rate_threshold=1e9)
    tasks = [(GET, "key", 0)] * 200

    ends = run_loop(faults.server.addresses, tasks, errors=rules)
    goes_on = run_loop(
        faults.server.addresses, tasks, lanes=3, errors=rules, endpoint_rules=EndpointRules("continue")
    )
    both = run_loop(
        [faults.server.addresses[1]] * 2, tasks, errors=rules, endpoint_rules=EndpointRules("continue")
    )

    assert ends.health.gave_up == "10 errors (error_handling.max_total_errors); the last: 503"
    assert goes_on.health.gave_up == ""
    assert (goes_on.reins.counts(), goes_on.policy.total) == ({("get", 0): (100, 100)}, 100)
    text = "10 errors in a row at all endpoints (error_handling.max_total_errors); the last: 503"
    assert both.health.gave_up == text


def test_a_burst_of_errors_pauses_its_endpoint_only(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(3)
    faults.befall("503")
    rules = ErrorPolicy(error_rate_threshold=5.0 / 20, error_rate_window_s=20.0, backoff_s=3600.0)

    run = run_loop(faults.server.addresses, [(GET, "key", 0)] * 2000, lanes=1, errors=rules)

    [outage] = run.health.outages.to_wire()
    assert (outage["endpoint"], outage["kind"], outage["ended_ns"]) == (1, "paused", -1)
    assert outage["reason"] == "5 errors within 20 s; the last: 503"
    assert run.reins.errors() == [("get", 1, "http-503", 5, "503")]
    assert sum(number for number, _ in run.reins.counts().values()) == 1995


def test_a_retry_goes_to_an_endpoint_that_is_in_use(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(2)
    faults.befall("reset")
    rules = ErrorPolicy(
        max_total_errors=1 << 30, error_rate_threshold=1e9, retry_on_error=True, initial_retry_delay_s=0.001
    )

    run = run_loop(
        faults.server.addresses,
        [(PUT, f"key-{number}", 10) for number in range(200)],
        lanes=4,
        errors=rules,
        endpoint_rules=EndpointRules("eject", 3, eject_time_s=3600.0),
    )

    assert run.reins.counts() == {("put", 0): (200, 2000)}
    assert run.policy.total == run.policy.retries == len(faults.arrived) - 200


def test_operations_bound_to_an_endpoint_that_is_left_out_are_errors_of_their_own(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(2)
    faults.befall("503")
    tasks = [(GET, "key", 0, None, number % 2) for number in range(100)]

    run = run_loop(
        faults.server.addresses,
        tasks,
        errors=NO_LIMIT,
        strategy=PLACED,
        endpoint_rules=EndpointRules("eject", 3, eject_time_s=3600.0),
    )

    why = "not sent, the endpoint is left out: ejected: 3 failures in a row; the last: 503"
    assert run.reins.counts() == {("get", 0): (50, 50)}
    assert run.reins.errors() == [("get", 1, "http-503", 3, "503"), ("get", 1, "left-out", 47, why)]
    # They have not been asked of the storage.
    assert run.policy.total == 3
    assert faults.requests() == {0: 50, 1: 3}


def test_an_endpoint_to_which_no_connection_opens_is_ejected(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any], make_loop: Callable[..., Any]
) -> None:
    faults = faulty(1, where=0)
    with ExitStack() as closing:
        full = closing.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):
            filler = closing.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        addresses = [faults.server.addresses[0], full.getsockname()]
        loop = make_loop(addresses, lanes=4, connect_timeout_s=1.6)

        run = run_loop(
            addresses,
            [(GET, "key", 0)] * 200,
            loop=loop,
            errors=NO_LIMIT,
            endpoint_rules=EndpointRules("eject", suspect_after_s=0.2),
        )

    assert run.reins.counts() == {("get", 0): (196, 196)}
    [error] = run.reins.errors()
    assert error[:4] == ("get", 1, "timeout", 4)
    assert re.fullmatch(r"no answer for [0-9.]+ s, the endpoint is ejected", error[4])
    [outage] = run.health.outages.to_wire()
    assert (outage["endpoint"], outage["kind"]) == (1, "ejected")


def test_an_endpoint_that_answers_slowly_but_steadily_is_not_suspected(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def script(request: Any, peer: Any) -> bytes:
        if request.endpoint == 0:
            return OK
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n")
        for _ in range(39):
            peer.send(b"x")
            sleep(0.025)
        return b"x"

    server = start_server(script, endpoints=2)

    run = run_loop(
        server.addresses,
        [(GET, "key", 0)] * 20,
        lanes=20,
        errors=NO_LIMIT,
        endpoint_rules=EndpointRules("eject", suspect_after_s=0.7),
    )

    assert run.health.outages.to_wire() == []
    assert run.reins.counts() == {("get", 0): (10, 10), ("get", 1): (10, 400)}


def test_a_rate_is_kept_by_the_endpoints_that_are_left(
    faulty: Callable[..., Faults], run_loop: Callable[..., Any]
) -> None:
    faults = faulty(3)

    def act() -> bool:
        if faults.arrived and not faults.ill_ns:
            faults.befall("hole")
        return False

    run = run_loop(
        faults.server.addresses,
        endless(),
        lanes=6,
        errors=NO_LIMIT,
        rate=RatePlan(100, "deterministic"),
        duration_ns=S,
        request_timeout_s=1.0,
        endpoint_rules=quick("continue"),
        stop_when=act,
    )

    done = sum(number for number, _ in run.reins.counts().values())
    errors = sum(error[3] for error in run.reins.errors())
    assert run.pacer.due == 100
    assert done + errors + run.pacer.missed == 100
    # Six lanes that the hole held for a second each would miss nearly all; a stalled machine may miss some.
    assert run.pacer.missed < 50
    assert {error[1] for error in run.reins.errors()} == {1}
