"""What ssh and the commands that start Python say, and what it means."""

from __future__ import annotations

import pytest

from pytest_sai3bench.fleet.host_causes import judge_python, judge_ssh


@pytest.mark.parametrize(
    ("said", "kind", "detail"),
    [
        (
            "ssh: connect to host node1 port 22: No route to host\n",
            "host-unreachable",
            "ssh: connect to host node1 port 22: No route to host",
        ),
        (
            "ssh: connect to host node1 port 22: Connection timed out\n",
            "host-timeout",
            "ssh: connect to host node1 port 22: Connection timed out",
        ),
        (
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\nDisconnected from 10.0.0.1\n",
            "ssh-denied",
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
        ),
        (
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by 10.0.0.1 port 22\n",
            "ssh-closed",
            "Connection closed by 10.0.0.1 port 22",
        ),
        (
            "kex_exchange_identification: read: Connection reset by peer\n",
            "ssh-closed",
            "kex_exchange_identification: read: Connection reset by peer",
        ),
        ("Bad owner or permissions on config\n", "ssh-failed", "Bad owner or permissions on config"),
        ("", "ssh-failed", "ssh ended and said nothing"),
        # The way through a jump host is a connection of its own; its trouble comes first, and is the cause.
        (
            "ssh: Could not resolve hostname jump: not known\nConnection closed by UNKNOWN port 65535\n",
            "host-unresolved",
            "ssh: Could not resolve hostname jump: not known",
        ),
    ],
)
def test_ssh_is_understood(said: str, kind: str, detail: str) -> None:
    cause = judge_ssh(said)

    assert (cause.kind, cause.detail) == (kind, detail)


@pytest.mark.parametrize(
    ("code", "said", "printed", "kind", "detail"),
    [
        (127, "sh: 1: py: not found\n", "", "no-python", "sh: 1: py: not found"),
        (126, "bash: ./py: Permission denied\n", "", "no-python", "bash: ./py: Permission denied"),
        (127, "", "", "no-python", "there is no py"),
        (
            1,
            'Error from server (NotFound): pods "load-0" not found\n',
            "",
            "no-python",
            'Error from server (NotFound): pods "load-0" not found',
        ),
        (
            1,
            "",
            "This account is currently not available.\n",
            "python-failed",
            "py ended with status 1: This account is currently not available.",
        ),
        (
            1,
            "Traceback (most recent call last):\n  File\nImportError: no os\n",
            "",
            "python-failed",
            "py ended with status 1: ImportError: no os",
        ),
        (None, "", "", "python-failed", "py closed its output"),
    ],
)
def test_a_command_that_is_no_python_is_understood(
    code: int | None, said: str, printed: str, *, kind: str, detail: str
) -> None:
    cause = judge_python("py", code, said, printed)

    assert (cause.kind, cause.detail) == (kind, detail)
