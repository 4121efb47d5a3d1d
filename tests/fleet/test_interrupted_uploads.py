"""Ctrl-C in the middle of large uploads to a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer
    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.fleet.run import Run


@pytest.fixture
def suite(s3_server: EmbeddedServer, bucket: str) -> str:
    uris = ", ".join(f'"s3://{host}:{port}/{bucket}/"' for host, port in s3_server.addresses)
    return f"""
        duration: 60s
        concurrency: 4
        multi_endpoint: {{endpoints: [{uris}]}}
        multipart: {{part_size: 5MiB}}
        prepare: {{cleanup: true, ensure_objects: [{{base_uri: data/, count: 4, size_spec: SIZE}}]}}
        workload:
          - {{op: put, path: new/, weight: 1, object_size: 2GiB}}
        """


@pytest.fixture
def uploads(s3_client: Any, bucket: str) -> Callable[[], list[Any]]:
    """Return a function that lists what was begun and has not ended."""
    return lambda: s3_client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


@pytest.mark.parametrize(
    ("size", "stage"), [("2GiB", "prepare"), ("1KiB", "workload")], ids=["prepare", "workload"]
)
def test_ctrl_c_leaves_no_upload_behind(
    size: str,
    stage: str,
    suite: str,
    uploads: Callable[[], list[Any]],
    request: pytest.FixtureRequest,
) -> None:
    run_of, on_message = request.getfixturevalue("run_of"), request.getfixturevalue("on_message")
    keys = request.getfixturevalue("s3_server").credentials._asdict()
    seen: list[Any] = []

    def interrupt(_member: Member) -> None:
        seen.extend(uploads())
        raise KeyboardInterrupt

    on_message("tick", ("prepare", "workload").index(stage), interrupt)
    run: Run = run_of(suite.replace("SIZE", size), keys)

    def go() -> None:
        run.prepare()
        run.work()

    with pytest.raises(KeyboardInterrupt):
        go()
    run.clean_up()

    assert len(seen) > 0
    client, bucket = request.getfixturevalue("s3_client"), request.getfixturevalue("bucket")
    assert client.list_objects_v2(Bucket=bucket).get("Contents", []) == []
    phase = run.result().phase(stage)
    assert phase is not None
    assert [agent.outcome for agent in phase.agents] == ["aborted"]
    # A server that is too slow for the time there is has to be told of.
    notes = [note for agent in phase.agents for note in agent.notes if "left behind" in note]
    assert len(uploads()) <= sum(int(note.partition(" ")[0]) for note in notes)
