from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.embedded import seaweedfs, server
from pytest_sai3bench.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OWNER = """
import json, os, signal, sys, time
from pathlib import Path
from pytest_sai3bench.embedded import server

running = server.start(1, base_dir=Path(sys.argv[1]))
child = 0
if "fork" in sys.argv:
    child = os.fork()
    if not child:
        signal.pause()
try:
    print(json.dumps([running._processes._keeper.pid, child]), flush=True)
    # A signal may come just before pause() and would then be missed.
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    print(json.dumps([gateway.is_ready(running.credentials) for gateway in running._gateways]), flush=True)
    running.stop()
"""


def start_owner(*arguments: str) -> tuple[subprocess.Popen[str], int, int]:
    """Return a process that owns a server, its keeper's id, and the id of a fork of it (0: none)."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert owner.stdout
    keeper, child = json.loads(owner.stdout.readline())
    return owner, keeper, child


@pytest.mark.parametrize("extra", [[], ["fork"]], ids=["alone", "with-a-fork-that-lives-on"])
def test_nothing_is_left_when_the_owner_is_killed(
    extra: list[str],
    tmp_path: Path,
    processes_of: Callable[[Path], list[int]],
    wait_for_end: Callable[[int], None],
) -> None:
    owner, keeper, child = start_owner(str(tmp_path), *extra)
    with owner:
        assert len(list(tmp_path.iterdir())) == 1
        served = [pid for pid in processes_of(tmp_path) if pid not in {owner.pid, child}]
        assert len(served) == 1 + 3 + 1
        owner.kill()
        owner.wait(10)
        try:
            wait_for_end(keeper)
        finally:
            if child:
                os.kill(child, signal.SIGKILL)
        assert list(tmp_path.iterdir()) == []
        assert not set(served) & set(processes_of(tmp_path))


def test_ctrl_c_leaves_the_server_to_its_owner(
    tmp_path: Path, processes_of: Callable[[Path], list[int]]
) -> None:
    owner, _, _ = start_owner(str(tmp_path))
    with owner:
        os.killpg(owner.pid, signal.SIGINT)
        try:
            output, _ = owner.communicate(timeout=20)
        finally:
            owner.kill()
        assert json.loads(output) == [True]
        assert owner.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert processes_of(tmp_path) == []


def test_stop_leaves_no_process_and_no_file(
    tmp_path: Path, processes_of: Callable[[Path], list[int]]
) -> None:
    running = server.start(2, buckets=["test-one"], base_dir=tmp_path)
    assert len(processes_of(tmp_path)) == 1 + 3 + 2
    running.stop()
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    running.stop()


def test_server_grows_and_keeps_its_addresses(tmp_path: Path, connect: Callable[..., Any]) -> None:
    with server.start(2, buckets=["test-grow"], base_dir=tmp_path) as running:
        before = running.addresses
        running.add_endpoints(2)
        assert len(running.addresses) == 4
        assert running.addresses[:2] == before
        connect(running, 4).put_object(Bucket="test-grow", Key="key", Body=b"new")
        assert connect(running, 1).get_object(Bucket="test-grow", Key="key")["Body"].read() == b"new"


def test_more_endpoints_than_ports_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError) as refusal:
        server.start(33, base_dir=tmp_path)
    assert str(refusal.value) == (
        "The embedded server has at most 32 endpoints; 33 were asked for.\n"
        "Write embedded_server: {endpoints: 32} or less."
    )
    assert list(tmp_path.iterdir()) == []


def use_command(monkeypatch: pytest.MonkeyPatch, path: Path, script: str, mode: int = 0o755) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    monkeypatch.setattr(seaweedfs, "find_weed", lambda: path)


# The long timeouts below would make a test fail that waits for them.


def test_part_that_ends_at_once_shows_its_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    use_command(monkeypatch, tmp_path / "weed", 'echo "starting $2"; echo "F no such disk" >&2; exit 3')
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(1, base_dir=base, timeout_s=3600)
    assert str(failure.value) == (
        "The embedded server does not run: master ended with status 3. The last of its log:\n"
        "    starting master\n"
        "    F no such disk\n"
        f"Look for free space in {base} (TMPDIR chooses another folder) and free memory."
    )
    assert list(base.iterdir()) == []


def test_only_the_last_lines_of_a_log_are_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_command(monkeypatch, tmp_path / "weed", "n=0; while [ $n -lt 40 ]; do n=$((n+1)); echo $n; done")
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(1, base_dir=tmp_path, timeout_s=3600)
    assert failure.value.message == (
        "The embedded server does not run: master ended with status 0. The last of its log:"
        + "".join(f"\n    {number}" for number in range(26, 41))
    )


def test_gateway_that_does_not_start_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    weed = seaweedfs.find_weed()
    broken = f'case "$2 $3" in "s3 -ip.bind=127.0.0.2") echo no; exit 7;; esac; exec {weed} "$@"'
    use_command(monkeypatch, tmp_path / "weed", broken)
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(3, base_dir=base, timeout_s=3600)
    assert failure.value.message == (
        "The embedded server does not run: gateway-2 ended with status 7. The last of its log:\n    no"
    )
    assert list(base.iterdir()) == []


def test_command_that_cannot_be_executed_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use_command(monkeypatch, tmp_path / "weed", "", mode=0o644)
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(1, base_dir=tmp_path, timeout_s=3600)
    assert failure.value.message == (
        "The embedded server does not run: master ended with status 127. The last of its log:\n"
        f"    [Errno 13] Permission denied: '{tmp_path}/weed'"
    )


def test_server_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes_of: Callable[[Path], list[int]]
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    use_command(monkeypatch, tmp_path / "weed", "exec /bin/sleep 3600")
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(1, base_dir=base, timeout_s=0.2)
    assert failure.value.message == (
        "The embedded server does not run: master did not answer within 0.2 s. The last of its log: nothing"
    )
    assert list(base.iterdir()) == []
    assert processes_of(base) == []


def test_missing_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError) as failure:
        server.start(1, base_dir=tmp_path / "missing")
    message, remedy = str(failure.value).splitlines()
    assert message.startswith(
        "The embedded server has no place for its data: [Errno 2] No such file or directory: "
    )
    assert remedy == "TMPDIR chooses another folder."


def test_part_that_dies_later_is_told_at_the_next_use(
    tmp_path: Path, processes_of: Callable[[Path], list[int]]
) -> None:
    with server.start(1, base_dir=tmp_path) as running:
        keeper = running._processes._keeper.pid
        newest = max(pid for pid in processes_of(tmp_path) if pid != keeper)
        os.kill(newest, signal.SIGKILL)
        assert select.select([running._processes._socket], [], [], 10)[0]
        with pytest.raises(EmbeddedServerError) as failure:
            running.ensure_buckets(["test-one"])
        assert failure.value.message.startswith(
            "The embedded server does not run: gateway-1 ended with status -9. The last of its log:\n    "
        )


def test_nothing_is_left_when_the_keeper_is_killed(
    tmp_path: Path, processes_of: Callable[[Path], list[int]], wait_for_end: Callable[[int], None]
) -> None:
    with server.start(1, base_dir=tmp_path) as running:
        pids = processes_of(tmp_path)
        running._processes._keeper.kill()
        running._processes._keeper.wait(10)
        for pid in pids:
            wait_for_end(pid)
        with pytest.raises(EmbeddedServerError) as failure:
            running.add_endpoints(1)
        assert failure.value.message == (
            "The embedded server does not run: keeper ended with status -9. The last of its log: nothing"
        )
    assert list(tmp_path.iterdir()) == []
