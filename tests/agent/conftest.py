from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from loop_runs import LoopRun, carry_out, make_loop
from scripted_server import Peer, Request, ScriptedServer
from worker_runs import Run

from pytest_sai3bench.plan import model, work

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator

    from pytest_sai3bench.agent.http_loop import HttpLoop
    from pytest_sai3bench.agent.sigv4 import Credentials
    from pytest_sai3bench.agent.tls import TlsSettings

SIZE = work.SizePlan("fixed", 1000, 1000)


@pytest.fixture
def make_run() -> Iterator[Callable[..., Run]]:
    """Return ``make_run(endpoints, stages, credentials=None, **fields of WorkerPlan)``."""
    with ExitStack() as closing:

        def make(
            endpoints: Iterable[model.Endpoint],
            stages: Iterable[work.StagePlan],
            credentials: Credentials | None = None,
            tls: TlsSettings | None = None,
            **changes: Any,
        ) -> Run:
            plan = model.WorkerPlan(
                agent="local",
                address="localhost",
                worker=0,
                workers=1,
                endpoints=tuple(endpoints),
                strategy="round_robin",
                lanes=4,
                seed=7,
                data_seed=7,
                stages=tuple(stages),
                errors=model.ErrorPolicy(),
            )
            run = Run(replace(plan, **changes), credentials, tls)
            closing.callback(run.worker.engine.close)
            return run

        yield make


@pytest.fixture
def make_op() -> Callable[..., work.OperationPlan]:
    """Return ``make_op(op, path="", weight=1, …)``: one entry of a workload."""

    def make(op: str, path: str = "", weight: int = 1, **changes: Any) -> work.OperationPlan:
        return work.OperationPlan(
            op, path, weight, f"suite.yaml:{op}", SIZE if op == "put" else None, **changes
        )

    return make


@pytest.fixture
def start_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Return ``start_server(script, endpoints=1, context=None)``."""
    with ExitStack() as closing:

        def start(
            script: Callable[[Request, Peer], bytes | None],
            endpoints: int = 1,
            context: ssl.SSLContext | None = None,
        ) -> ScriptedServer:
            server = ScriptedServer(endpoints, script, context)
            closing.callback(server.close)
            return server

        yield start


@pytest.fixture
def run_loop() -> Iterator[Callable[..., LoopRun]]:
    """Return ``run_loop(addresses, tasks, …)``: carries tasks out over the event loop until none is left."""
    with ExitStack() as closing:
        yield partial(carry_out, closing)


@pytest.fixture(name="make_loop")
def make_loop_fixture() -> Iterator[Callable[..., HttpLoop]]:
    """Return ``make_loop(addresses, …)``: an event loop that is closed after the test."""
    with ExitStack() as closing:

        def make(addresses: list[tuple[str, int]], **limits: Any) -> HttpLoop:
            loop = make_loop(addresses, **limits)
            closing.callback(loop.close)
            return loop

        yield make
