"""What keeps a run from beginning is told for all agents at once, before any load."""

from __future__ import annotations

import gc
import socket
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import AgentStartError, PreflightError, RunError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer
    from pytest_sai3bench.fleet.run import Run

_FILES = "target: file://{tmp}/m1/\nworkload: [{op: put, weight: 1, object_size: 1}]\n"
_BUG = "  This is a bug in pytest-sai3bench: please report it with this text."


@pytest.fixture
def refused() -> Iterator[int]:
    """Return a port on which nothing listens, and which nobody else gets."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]


def _fails(run: Run, error: type[RunError]) -> str:
    with pytest.raises(error) as caught:
        run.prepare()
    assert type(caught.value) is error
    run.clean_up()
    result = run.result()
    assert (result.status, result.reason, result.phases) == ("failed", str(caught.value), ())
    return str(caught.value)


def test_every_endpoint_of_every_agent_is_told(
    run_of: Callable[..., Run], store: Path, s3_server: EmbeddedServer, bucket: str, refused: int
) -> None:
    (host, port), *_ = s3_server.addresses
    run = run_of(
        f"""
        distributed:
          agents:
            - address: localhost
              multi_endpoint:
                endpoints: ["file://{{tmp}}/m1/", "file://{{tmp}}/nowhere/"]
            - address: localhost
              multi_endpoint:
                endpoints:
                  - s3://127.0.0.1:{refused}/{bucket}/
                  - s3://{host}:{port}/{bucket}/
                  - s3://{host}:{port}/no-such-bucket/
        workload: [{{op: put, weight: 1, object_size: 1}}]
        """,
        s3_server.credentials._asdict(),
    )

    assert _fails(run, PreflightError).splitlines() == [
        f"s.yaml:5: agent-1 cannot use file://{store.parent}/nowhere/: there is no folder {store.parent}/nowhere/",
        "  Create the folder or mount the file system, or correct the path.",
        f"s.yaml:9: agent-2 cannot use s3://127.0.0.1:{refused}/{bucket}/: connection refused",
        "  Nothing listens there: start the server, or correct host and port.",
        (
            f"s.yaml:11: agent-2 cannot use s3://{host}:{port}/no-such-bucket/: 404 NoSuchBucket: The specified bucket "
            "does not exist"
        ),
        "  Create the bucket, or correct its name in the URI.",
    ]
    assert list(store.iterdir()) == []


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            {"secret_key": "wrong"},
            (
                (
                    "403 SignatureDoesNotMatch: The request signature we calculated does not match the signature you "
                    "provided. Check your key and signing method."
                ),
                "The secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY or the profile.",
            ),
        ),
        (
            {"access_key": "NOBODY"},
            (
                "403 InvalidAccessKeyId: The access key ID you provided does not exist in our records.",
                "The server does not know the access key: check AWS_ACCESS_KEY_ID or the profile.",
            ),
        ),
    ],
)
def test_keys_that_the_server_refuses_are_told(
    run_of: Callable[..., Run],
    s3_server: EmbeddedServer,
    bucket: str,
    keys: dict[str, str],
    told: tuple[str, str],
) -> None:
    answer, remedy = told
    uris = [f"s3://{host}:{port}/{bucket}/" for host, port in s3_server.addresses[:2]]
    run = run_of(
        f"""
        multi_endpoint:
          endpoints:
            - {uris[0]}
            - {uris[1]}
        workload: [{{op: put, weight: 1, object_size: 1}}]
        """,
        {**s3_server.credentials._asdict(), **keys},
    )

    assert _fails(run, PreflightError).splitlines() == [
        line
        for number, uri in enumerate(uris)
        for line in (f"s.yaml:{3 + number}: local cannot use {uri}: {answer}", f"  {remedy}")
    ]


def test_a_pattern_that_matches_nothing_stops_the_workload(run_of: Callable[..., Run], store: Path) -> None:
    (store / "data").mkdir()
    (store / "data" / "other").touch()
    run = run_of(
        """
        target: file://{tmp}/m1/
        distributed: {agents: [{address: localhost, id: a}, {address: localhost, id: b}]}
        workload:
          - {op: get, path: "data/x*", weight: 1}
        """
    )
    run.prepare()
    with pytest.raises(StageError) as caught:
        run.work()
    run.clean_up()

    assert str(caught.value).splitlines() == [
        "a: s.yaml:4: get: data/x* matches none of the 1 objects in data/",
        "  Correct the path, or let prepare make the objects (prepare.ensure_objects).",
        "b: s.yaml:4: get: data/x* matches none of the 1 objects in data/",
        "  Correct the path, or let prepare make the objects (prepare.ensure_objects).",
    ]
    assert (run.result().status, run.result().reason) == ("failed", str(caught.value))


def test_an_agent_that_cannot_be_imported_is_a_bug(
    run_of: Callable[..., Run], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pytest_sai3bench.fleet.gateways.agent_zip", lambda: b"PK\x05\x06" + bytes(18))
    first, *trace, cause, remedy = _fails(run_of(_FILES), AgentStartError).splitlines()

    assert first == "local ended before it said hello:"
    assert trace[0] == "Traceback (most recent call last):"
    assert cause == "ModuleNotFoundError: No module named 'sai3bench_agent'"
    assert remedy == _BUG


def test_an_agent_of_another_version_is_refused(
    run_of: Callable[..., Run], store: Path, change_agent: Callable[..., None]
) -> None:
    change_agent("__init__", "PROTOCOL = 1", "PROTOCOL = 2")

    assert _fails(run_of(_FILES), AgentStartError) == (
        "local speaks protocol 2, this version 1\nInstall pytest-sai3bench anew."
    )


@pytest.mark.parametrize("message", ["plan", "stage"])
def test_a_bug_of_the_agent_comes_with_its_traceback(
    run_of: Callable[..., Run], store: Path, change_agent: Callable[..., None], message: str
) -> None:
    branch = f'        elif kind == "{message}":\n'
    change_agent("serve", branch, f'{branch}            raise RuntimeError("boom")\n')
    run = run_of(_FILES)

    def perform() -> None:
        run.prepare()
        run.work()

    with pytest.raises(StageError) as caught:
        perform()
    run.clean_up()
    first, *trace, cause, remedy = str(caught.value).splitlines()

    assert first == "local: Traceback (most recent call last):"
    assert "sai3bench_agent/serve.py" in trace[-1]
    assert cause == "RuntimeError: boom"
    assert remedy == _BUG


def test_an_agent_that_dies_before_its_greeting_is_told(
    run_of: Callable[..., Run], store: Path, change_agent: Callable[..., None]
) -> None:
    change_agent(
        "serve", "\n    def hold(self) -> None:\n", "\n    def hold(self) -> None:\n        os._exit(3)\n"
    )

    assert _fails(run_of(_FILES), AgentStartError) == "local ended before it said hello"


# execnet leaves it to the collector of garbage to find a process that never spoke.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("python", "cause"),
    [
        ("/no/such/python", "[Errno 2] No such file or directory: '/no/such/python'"),
        ("/bin/false", "it ended at once"),
    ],
)
def test_a_python_that_does_not_start_is_told(
    run_of: Callable[..., Run], store: Path, monkeypatch: pytest.MonkeyPatch, python: str, cause: str
) -> None:
    monkeypatch.setattr("sys.executable", python)

    assert _fails(run_of(_FILES), AgentStartError) == (
        f"agent local-w0: no process could be started on this host: {cause}\n"
        "Check that the Python that runs pytest can start another one."
    )
    gc.collect()
