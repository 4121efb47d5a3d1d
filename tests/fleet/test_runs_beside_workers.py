"""Ordinary tests on the workers of xdist, suites with agents afterwards: no load beside a test, or beside another load."""

from __future__ import annotations

import gzip
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.agent.op_log import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

_TESTS = """
import os, pathlib, time, pytest

@pytest.mark.parametrize("number", range(8))
def test_ordinary(number):
    began = time.time()
    time.sleep(0.05)
    worker = os.environ["PYTEST_XDIST_WORKER"]
    pathlib.Path({stamps!r}, str(number)).write_text(f"{{worker}} {{began}} {{time.time()}}")
"""
_SUITE = """
name: load
duration: 200ms
concurrency: 2
op_log: {{}}
distributed:
  ssh: {ssh}
  agents:
    - {{address: 127.0.0.21, id: far, gateway: ssh, python: {python}, target_override: "file://{store}/{name}/"}}
    - {{address: localhost, id: near, target_override: "file://{store}/{name}/"}}
prepare: {{ensure_objects: [{{base_uri: data/, count: 8, size_spec: 1KiB}}], cleanup: true}}
workload:
  - {{op: get, path: "data/*", weight: 1}}
"""


def _loads(folder: Path) -> dict[str, tuple[float, float]]:
    """Return for each suite when its first operation began and its last one ended, whoever did them."""
    found: dict[str, tuple[float, float]] = {}
    for log in folder.glob("*/load/agents/*/op_log.tsv.gz"):
        rows = [
            dict(zip(COLUMNS, line.split("\t"), strict=True))
            for line in gzip.decompress(log.read_bytes()).decode().splitlines()[1:]
        ]
        began, ended = (
            [datetime.fromisoformat(f"{row[name][:26]}+00:00").timestamp() for row in rows]
            for name in ("start", "end")
        )
        suite = log.relative_to(folder).parts[0]
        first, last = found.get(suite, (began[0], ended[0]))
        found[suite] = (min(first, *began), max(last, *ended))
    return found


def test_nothing_overlaps(
    pytester: pytest.Pytester, store: Path, sshd: Callable[[str], Any], tmp_path: Path
) -> None:
    server = sshd("127.0.0.21")
    stamps = tmp_path / "stamps"
    stamps.mkdir()
    folders = [str(pytester.mkdir(name)) for name in ("suites", "tests")]
    pytester.path.joinpath("tests", "test_it.py").write_text(_TESTS.format(stamps=str(stamps)))
    for name in ("one", "two"):
        (store / name).mkdir()
        text = _SUITE.format(ssh=server.block, python=server.python, store=store, name=name)
        pytester.path.joinpath("suites", f"{name}.yaml").write_text(text)
    block = json.loads(server.block)
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host far\n HostName 127.0.0.21\n Port {server.port}\n User {block['user']}\n IdentityFile {server.key}\n"
        f" UserKnownHostsFile {server.known_hosts}\n BatchMode yes\n"
    )
    far = f"ssh=far//ssh_config={config}//python={sys.executable}//chdir={tmp_path}/far//id=far"
    workers = ["-d", "--tx=popen//id=near", f"--tx={far}", *(f"--rsyncdir={folder}" for folder in folders)]
    result = pytester.runpytest_inprocess(*workers, *folders, "--junitxml=junit.xml")

    # Two suites, each with its run and the rule on errors.
    result.assert_outcomes(passed=8 + 2 * 2)
    tests = [path.read_text().split() for path in stamps.iterdir()]
    assert {worker for worker, _, _ in tests} == {"near", "far"}
    loads = _loads(pytester.path / "sai3-results" / "latest")
    assert sorted(loads) == ["one", "two"]
    assert max(float(ended) for _, _, ended in tests) <= loads["one"][0]
    assert loads["one"][1] <= loads["two"][0]
    # The agents of both were started through one login, beside that of the worker.
    assert server.log().count("Accepted publickey") == 2
