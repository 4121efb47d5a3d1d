from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.plan.certificates import read_tls
from pytest_sai3bench.plan.confidential import Confidential, environment_of_children
from pytest_sai3bench.plan.model import TlsPlan

if TYPE_CHECKING:
    from pathlib import Path


def test_children_inherit_no_secrets() -> None:
    env = {
        "AWS_PROFILE": "lab",
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "session",
        "CI_TOKEN": "given-to-agents",
        "COLUMNS": "80",
        "HOME": "/home/bench",
    }
    inherited = environment_of_children(env, given=["given-to-agents", "80", "/home/bench"])
    # Neither short values nor what every program needs are taken for secrets.
    assert inherited == {
        "AWS_PROFILE": "lab",
        "AWS_ACCESS_KEY_ID": "KEY",
        "COLUMNS": "80",
        "HOME": "/home/bench",
    }


def test_what_is_confidential_is_not_shown(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("canary")
    assert repr(Confidential(secret_key="canary")) == "<1 confidential values>"
    assert "canary" not in f"{[read_tls(TlsPlan(key_file=str(key)))]}"
