from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

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
