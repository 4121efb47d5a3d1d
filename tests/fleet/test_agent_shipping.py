from __future__ import annotations

import io
import marshal
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench import agent
from pytest_sai3bench.fleet import bootstrap
from pytest_sai3bench.fleet.keeper import compile_agent
from pytest_sai3bench.fleet.shipping import agent_zip

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.fleet.run import Run

_SOURCES = {path.name: path.read_bytes() for path in Path(agent.__file__).parent.glob("*.py")}


def test_the_zip_holds_every_source_as_it_is() -> None:
    with zipfile.ZipFile(io.BytesIO(agent_zip())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            f"sai3bench_agent/{name}": source for name, source in _SOURCES.items()
        }


def test_the_same_sources_make_the_same_small_zip(monkeypatch: pytest.MonkeyPatch) -> None:
    first = agent_zip.__wrapped__()
    monkeypatch.setattr("time.time", lambda: 0.0)

    assert agent_zip.__wrapped__() == first
    assert len(first) < sum(map(len, _SOURCES.values())) / 2


@pytest.mark.parametrize("made", [agent_zip, lambda: compile_agent(agent_zip())])
def test_the_zip_works_where_nothing_else_is(tmp_path: Path, made: Callable[[], bytes]) -> None:
    """The isolated mode hides the packages of this environment but for those of the standard library."""
    (tmp_path / "agent.zip").write_bytes(made())
    code = """
import sys
sys.path = [sys.argv[1], *(each for each in sys.path if "site-packages" not in each)]
import sai3bench_agent.serve
names = {each.partition(".")[0] for each in sys.modules}
print(sorted(names & {"pytest_sai3bench", "execnet", "boto3", "yaml", "pydantic"}))
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(tmp_path / "agent.zip")],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_workers_find_the_agent_compiled() -> None:
    with zipfile.ZipFile(io.BytesIO(compile_agent(agent_zip()))) as archive:
        modules = {name: marshal.loads(archive.read(name)[16:]) for name in archive.namelist()}

    assert {name: module.co_filename for name, module in modules.items()} == {
        f"sai3bench_agent/{name}c": f"sai3bench_agent/{name}" for name in _SOURCES
    }


def test_nothing_stays_on_the_disk_of_the_host(
    run_of: Callable[[str], Run], store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    run = run_of("target: file://{tmp}/m1/\nworkload: [{op: put, weight: 1, object_size: 1}]\n")
    run.prepare()

    assert list(folder.iterdir()) == []


class _Channel:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, text: str) -> None:
        self.sent.append(text)


def test_an_old_python_says_so_and_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = _Channel()
    monkeypatch.setattr(sys, "version_info", (3, 8, 19, "final", 0))
    bootstrap.start(channel)

    assert channel.sent == [
        '{"type": "failed", "stage": -1, "kind": "old-python", "detail": "it runs Python 3.8", "endpoint": 0}'
    ]


def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    path = list(sys.path)

    class Full(_Channel):
        texts = iter(['{"env": {}, "zip": ""}'])

        def receive(self) -> str:
            for text in self.texts:
                return text
            raise OSError(28, os.strerror(28))

    with pytest.raises(OSError, match="No space left on device"):
        bootstrap.start(Full())

    assert sys.path == path
    assert list(tmp_path.iterdir()) == []
