from __future__ import annotations

import gzip
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

    from pytest_sai3bench.embedded.server import EmbeddedServer

# One run that works, with all that can be written; and one whose bucket does not exist.
_SUITE = """\
name: {name}
target: s3://{address}/{bucket}/
duration: 300ms
op_log: {{}}
distributed:
  agents:
    - {{address: localhost, env: {{TOKEN: "${{CI_TOKEN}}"}}}}
    - {{address: pod, gateway: "popen//python={python} -I -S", env: {{TOKEN: "${{CI_TOKEN}}"}}}}
prepare:
  ensure_objects: [{{base_uri: data/, count: 4, size_spec: 1}}]
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 1}}
thresholds:
  - get.max < 1 us
"""
_SECRET = "canary-of-the-account"
_TOKEN = "canary-of-the-agents"


def test_tracebacks_with_local_variables_show_no_secrets(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRET)
    monkeypatch.setenv("CI_TOKEN", _TOKEN)
    pytester.path.joinpath("suite.sai3.yaml").write_text(
        "target: s3://127.0.0.1:9/bench/\n"
        "duration: 1s\n"
        'distributed: {agents: [{address: localhost, env: {TOKEN: "${CI_TOKEN}"}}]}\n'
        "workload: [{op: put, path: new/, object_size: 1, weight: 1}]\n"
    )
    pytester.makeconftest(
        """
        from pytest_sai3bench.fleet.members import Members

        ask = Members.ask

        def ask_but_not_for_long(self, member, message, answer):
            if message["type"] == "plan":
                raise RuntimeError("a bug")
            ask(self, member, message, answer)

        Members.ask = ask_but_not_for_long
        """
    )
    result = pytester.runpytest_subprocess("--showlocals", "-vv")
    output = result.stdout.str() + result.stderr.str()
    assert "RuntimeError: a bug" in output
    assert "credentials = <4 confidential values>" in output
    assert [secret for secret in (_SECRET, _TOKEN) if secret in output] == []


def test_nothing_that_a_session_writes_shows_secrets(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, s3_server: EmbeddedServer, bucket: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("CI_TOKEN", _TOKEN)
    host, port = s3_server.addresses[0]
    for name, where in (("works", bucket), ("fails", f"no-{bucket}")):
        pytester.path.joinpath(f"{name}.sai3.yaml").write_text(
            _SUITE.format(name=name, address=f"{host}:{port}", bucket=where, python=sys.executable)
        )
    written = (
        "--junitxml=junit.xml",
        "--sai3-json=verdicts.json",
        "--log-file=log",
        "--log-file-level=DEBUG",
    )
    result = pytester.runpytest_subprocess("-vv", "-rA", "--showlocals", *written)
    result.assert_outcomes(passed=2, failed=1, errors=3)
    texts = {
        str(path.relative_to(pytester.path)): gzip.decompress(path.read_bytes())
        if path.suffix == ".gz"
        else path.read_bytes()
        for path in pytester.path.rglob("*")
        if path.is_file()
    }
    texts["stdout"], texts["stderr"] = result.stdout.str().encode(), result.stderr.str().encode()

    names = {name.rpartition("/")[2] for name in texts}
    assert names >= {
        "plan.json",
        "result.json",
        "metadata.json",
        "results.tsv",
        "op_log.tsv.gz",
        "perf_log.tsv",
    }
    assert names >= {"junit.xml", "verdicts.json", "log"}
    for secret in (s3_server.secret_key, _TOKEN):
        assert [name for name, text in texts.items() if secret.encode() in text] == []
