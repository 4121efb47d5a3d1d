"""Secrets of a run: in the memory of the agents, and nowhere else on either side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from pytest_sai3bench.errors import StageError
from pytest_sai3bench.fleet.run import Run
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.reports.run_folder import write_run
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer

# Known to this process only, since all processes of the machine are looked at.
_TOKEN = f"canary-of-the-agents-{uuid4().hex}"
_SESSION = f"canary-of-the-session-{uuid4().hex}"


def _shown_by_processes() -> dict[str, bytes]:
    """Return what the system shows of every process: its arguments and its environment."""
    found = {}
    for process in Path("/proc").iterdir():
        for name in ("cmdline", "environ"):
            try:
                found[f"{process.name} {name}"] = (
                    (process / name).read_bytes() if process.name.isdigit() else b""
                )
            except OSError:
                continue  # it ended meanwhile
    return found


def test_secrets_are_nowhere_but_in_the_agents(
    tmp_path: Path,
    *,
    sshd: Callable[[str], Any],
    s3_server: EmbeddedServer,
    bucket: str,
    on_message: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    # As users do it: children would inherit them.
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", _SESSION)
    monkeypatch.setenv("CI_TOKEN", _TOKEN)
    server = sshd("127.0.0.21")
    (host, port), *_ = s3_server.addresses
    path = tmp_path / "s.yaml"
    path.write_text(
        f"""
target: s3://{host}:{port}/{bucket}/
duration: 200ms
processes: 2
distributed:
  ssh: {server.block}
  agents:
    - {{address: 127.0.0.21, gateway: ssh, python: {server.python}, env: {{TOKEN: "${{CI_TOKEN}}"}}}}
    - {{address: pod, gateway: "popen//python={server.python}"}}
    - {{address: localhost}}
prepare: {{ensure_objects: [{{base_uri: data/, count: 4, size_spec: 1}}], cleanup: true}}
workload:
  - {{op: get, path: "data/*", weight: 1}}
  - {{op: get, path: "data/none", weight: 1}}
"""
    )
    plan = build_plan(load(path, env={"CI_TOKEN": _TOKEN}), env={})
    run = Run(plan, s3_server.credentials._asdict(), run_id="run-1", started_at=0.0)
    shown: dict[str, bytes] = {}
    on_message("result", 0, lambda _member: shown.update(_shown_by_processes()))
    try:
        run.prepare()
        seen = [
            f"{member.hello['pid']} {name}"
            for member in run._fleet._members
            for name in ("cmdline", "environ")
        ]
        with pytest.raises(StageError, match="data/none") as caught:
            run.work()
    finally:
        run.clean_up()
    results = tmp_path / "results"
    results.mkdir()
    write_run(results, result=run.result(), verdicts=[], plan=plan, config_text=path.read_text(), metadata={})
    files = {
        file.name: file.read_bytes()
        for file in (*results.rglob("*"), *server.folder.iterdir(), *temporary.rglob("*"))
        if file.is_file()
    }
    captured = capfd.readouterr()
    texts = {**shown, **files, "stdout": captured.out.encode(), "stderr": captured.err.encode()}
    texts["failure"] = str(caught.value).encode()

    assert set(seen) <= set(shown)
    assert len(seen) == 2 * 2 * 3
    assert {"plan.json", "result.json", "config.yaml", "log"} <= set(files)
    for secret in (s3_server.secret_key, _SESSION, _TOKEN):
        assert [name for name, text in texts.items() if secret.encode() in text] == []
