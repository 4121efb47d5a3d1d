"""Ctrl-C while hosts are being opened: nothing waits, and nothing is left."""

from __future__ import annotations

import gc
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.fleet.hosts import Host

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run


def test_ctrl_c_ends_what_is_being_opened(
    run_of: Callable[[str], Run],
    store: Path,
    *,
    sshd: Callable[[str], Any],
    wait_for_end: Callable[[int], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One host does not let us in, one has a Python that does not come up, one is ready; and one that waits its turn."""
    monkeypatch.setattr("pytest_sai3bench.fleet.processes.LOGINS_AT_A_TIME", 3)
    temporary = tmp_path / "t"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    asleep = tmp_path / "asleep"
    asleep.write_text("#!/bin/sh\nexec sleep 100\n")
    asleep.chmod(0o755)
    server = sshd("127.0.0.21")
    seen: list[Host] = []
    connect = Host.connect

    def connect_and_tell(self: Host) -> None:
        seen.append(self)
        connect(self)
        # The one that is ready: the others never get here.
        threading.Thread(target=interrupt).start()

    def interrupt() -> None:
        while sum(host._probe is not None for host in list(seen)) < 3:
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Host, "connect", connect_and_tell)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        run = run_of(
            f"""
            target: file://{{tmp}}/m1/
            distributed:
              ssh: {server.block}
              agents:
                - {{address: "me@127.0.0.1", gateway: ssh=-p {silent.getsockname()[1]} 127.0.0.1}}
                - {{address: pod, gateway: popen//python={asleep}}}
                - {{address: 127.0.0.21, gateway: ssh, python: {server.python}}}
                - {{address: late, gateway: popen//python=sleep 200}}
            workload: [{{op: put, weight: 1, object_size: 1}}]
            """
        )
        with pytest.raises(KeyboardInterrupt):
            run.prepare()
    run.clean_up()

    assert (run.result().status, run.result().reason) == ("interrupted", "interrupted during prepare")
    probes: list[Any] = [host._probe for host in seen if host._probe is not None]
    for probe in probes:
        wait_for_end(probe._process.pid)
    assert sorted(host.name for host in seen if host.name != "host-4") == ["host-1", "host-2", "host-3"]
    assert list(temporary.iterdir()) == []
    gc.collect()
