from __future__ import annotations

import time
from itertools import repeat
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent.messages import GET

if TYPE_CHECKING:
    from collections.abc import Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FAST_S, SLOW_S = 0.01, 0.1
WINDOW_NS = 1_500_000_000


@pytest.fixture
def operations(start_server: Callable[..., Any], run_loop: Callable[..., Any]) -> Callable[[str], int]:
    """Return a function: how many operations 8 lanes finish in the same time with one endpoint of two ten times slower."""

    def slowly(request: Any, _peer: Any) -> bytes:
        time.sleep(SLOW_S if request.endpoint else FAST_S)
        return OK

    server = start_server(slowly, endpoints=2)

    def count(strategy: str) -> int:
        done = run_loop(
            server.addresses,
            repeat((GET, "key", 0)),
            lanes=8,
            strategy=strategy,
            end_ns=monotonic_ns() + WINDOW_NS,
        )
        assert done.reins.errors() == []
        return sum(number for number, _ in done.reins.counts("measured").values())

    return count


def test_a_slow_endpoint_slows_only_strategies_that_do_not_look(operations: Callable[[str], int]) -> None:
    in_turn, at_random = operations("round_robin"), operations("random")
    # In theory 3 and 5 times: half of the lanes wait for the slow one, or one of eight.
    for strategy in ("least_connections", "least_latency"):
        # A machine that is busy with something else can only make them slower.
        assert any(operations(strategy) >= 2 * in_turn for _ in range(4))
    assert at_random < 2 * in_turn
