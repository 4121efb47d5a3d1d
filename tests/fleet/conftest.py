from __future__ import annotations

import getpass
import io
import json
import os
import re
import select
import shlex
import shutil
import socket
import subprocess
import sys
import zipfile
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.fleet import gateways, members, shipping
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_sai3bench.agent.messages import Message
    from pytest_sai3bench.fleet.members import Member
    from pytest_sai3bench.plan.model import RunPlan

STARTED_AT = 1795515330.5


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Return a folder that four mounts, ``m1`` to ``m4`` beside it, show."""
    folder = tmp_path / "store"
    folder.mkdir()
    for number in range(1, 5):
        (tmp_path / f"m{number}").symlink_to(folder)
    return folder


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[[str], RunPlan]:
    """Return ``plan_of(text)``: the plan of a suite, in which ``{tmp}`` stands for the folder of the test."""

    def plan_of(text: str) -> RunPlan:
        path = tmp_path / "s.yaml"
        path.write_text(dedent(text).lstrip("\n").replace("{tmp}", str(tmp_path)))
        return build_plan(load(path, env={}, shown="s.yaml"), env={})

    return plan_of


@pytest.fixture
def run_of(plan_of: Callable[[str], RunPlan]) -> Iterator[Callable[..., Run]]:
    """Return ``run_of(text, credentials=None)``; a run that a failed test leaves behind is ended."""
    runs = []

    def run_of(text: str, credentials: Mapping[str, str | None] | None = None) -> Run:
        run = Run(plan_of(text), credentials, run_id="run-1", started_at=STARTED_AT)
        runs.append(run)
        return run

    yield run_of
    for run in runs:
        run._fleet.close(at_once=True)
    assert agent_processes() == []


def agent_processes() -> list[int]:
    """Return the processes that execnet started for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            status = (entry / "stat").read_text() if entry.name.isdigit() else ""
            mine = bool(status) and int(status.rpartition(")")[2].split()[1]) == os.getpid()
            if mine and b"exec(eval(sys.stdin.readline()))" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


class Sshd:
    """An sshd of our own, for this user with one key; ``block`` is the suite's ``distributed.ssh`` for it.

    ``python`` is a command that starts sooner than what the user's login would find.
    """

    python = f"{shlex.quote(sys.executable)} -I -S"

    def __init__(self, folder: Path, address: str, site: Sshd | None) -> None:
        self.folder = folder
        self.address = address
        self.port: int = site.port if site else _free_port()
        self.known_hosts: Path = site.known_hosts if site else folder / "known_hosts"
        self.key: Path = site.key if site else folder / "user"
        if not site:
            _make_key(self.key)
        _make_key(folder / "host")
        with self.known_hosts.open("a") as known:
            known.write(f"[{address}]:{self.port} {(folder / 'host.pub').read_text()}")
        (folder / "sshd_config").write_text(
            f"ListenAddress {address}:{self.port}\n"
            f"HostKey {folder}/host\n"
            f"AuthorizedKeysFile {self.key}.pub\n"
            "PidFile none\n"
            # Its folder is a temporary one.
            "StrictModes no\n"
            "UsePAM no\n"
            "PasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\n"
            "PermitRootLogin yes\n"
        )

    @property
    def block(self) -> str:
        return json.dumps(
            {
                "user": getpass.getuser(),
                "port": self.port,
                "key_path": str(self.key),
                "known_hosts": str(self.known_hosts),
                "config": "/dev/null",
            }
        )

    def log(self) -> str:
        return (self.folder / "log").read_text()

    @contextmanager
    def running(self, *program: str) -> Iterator[None]:
        with (
            (self.folder / "log").open("wb") as log,
            subprocess.Popen(
                [*program, "-D", "-e", "-f", str(self.folder / "sshd_config")], stderr=log
            ) as process,
        ):
            try:
                while "Server listening" not in self.log():
                    assert process.poll() is None, self.log()
                    select.select([], [], [], 0.01)
                yield
            finally:
                process.terminate()


@pytest.fixture
def make_key() -> Callable[[Path], None]:
    """Return a function that makes a pair of keys, ``path`` and ``path.pub``."""
    return _make_key


def _make_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True, timeout=20)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Callable[..., Sshd]]:
    """Return ``sshd(address, site=None, inside=())``: a server with its own host key, until the test ends.

    It shares the port, the user's key and the list of known hosts with ``site``, another one. Its ``address`` is one of
    the loopback, or of where the command ``inside`` starts programs.
    """
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        pytest.skip("needs sshd and ssh: install openssh-server and openssh-client")
    with ExitStack() as servers:
        if os.getuid() == 0 and not Path("/run/sshd").is_dir():
            # Where sshd leaves its privileges behind; its service makes the folder when it starts.
            Path("/run/sshd").mkdir(mode=0o755)

        def sshd(address: str, site: Sshd | None = None, inside: Sequence[str] = ()) -> Sshd:
            folder = tmp_path / f"sshd-{address}"
            folder.mkdir()
            server = Sshd(folder, address, site)
            servers.enter_context(server.running(*inside, program))
            return server

        yield sshd


def _free_port() -> int:
    with socket.socket() as reserved:
        # On every address.
        reserved.bind(("", 0))
        port: int = reserved.getsockname()[1]
    return port


@pytest.fixture
def agents_of() -> Callable[[Run], dict[str, int]]:
    """Return a function that names the processes of a run by their agents."""
    return lambda run: {each.plan.agent: each.hello["pid"] for each in run._fleet._members}


@pytest.fixture
def timeless() -> Callable[[object], str]:
    """Return a function that puts words for the moments in messages about lost agents."""
    moment = re.compile(r"at [0-9]{2}:[0-9]{2}:[0-9]{2}(, [0-9]+\.[0-9] s after the start)?")
    return lambda text: moment.sub(lambda found: "in the load" if found[1] else "before", str(text))


@pytest.fixture
def on_message(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Member]]:
    """Return ``on_message(type, stage, action)``: call ``action(member)`` once, after such a message was taken.

    It returns a list that has the member from then on.
    """

    def on_message(kind: str, stage: int, action: Callable[[Member], object]) -> list[Member]:
        take = members.Members._take
        done: list[Member] = []

        def take_and_act(self: members.Members, member: Member, text: str | None) -> None:
            take(self, member, text)
            message: Message = json.loads(text or "{}")
            if (message.get("type"), message.get("stage")) == (kind, stage) and not done:
                done.append(member)
                action(member)

        monkeypatch.setattr(members.Members, "_take", take_and_act)
        return done

    return on_message


@pytest.fixture
def at_start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return ``at_start(stage, before, after)``: call these around the order to the first of all workers, once."""

    def at_start(
        stage: int,
        before: Callable[[], object] = lambda: None,
        after: Callable[[], object] = lambda: None,
    ) -> None:
        send = members._send
        done: list[Message] = []

        def act_and_send(member: Member, message: Message) -> None:
            first = (message["type"], member.stage) == ("start", stage) and not done
            if first:
                done.append(message)
                before()
            send(member, message)
            if first:
                after()

        monkeypatch.setattr(members, "_send", act_and_send)

    return at_start


@pytest.fixture
def change_agent(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Return ``change_agent(module, old, new)``: send an agent in which one text is another."""

    def change_agent(module: str, old: str, new: str) -> None:
        changed = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(shipping.agent_zip())) as true,
            zipfile.ZipFile(changed, "w") as false,
        ):
            for name in true.namelist():
                source = true.read(name).decode()
                if name == f"{shipping.PACKAGE}/{module}.py":
                    assert source.count(old) == 1
                    source = source.replace(old, new)
                false.writestr(name, source)
        monkeypatch.setattr(gateways, "agent_zip", changed.getvalue)

    return change_agent


@pytest.fixture
def files_below() -> Callable[[Path], list[str]]:
    """Return a function that lists all files and folders below a folder."""
    return lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def ops_of() -> Callable[[Any, str], int]:
    """Return ``ops_of(run, phase)``: the operations that a phase counted."""

    def ops_of(run: Run, phase: str) -> int:
        found = run.result().phase(phase)
        return found.tally().ops if found else 0

    return ops_of
