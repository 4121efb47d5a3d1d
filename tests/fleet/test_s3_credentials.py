"""Where S3 credentials come from, and where they do not go."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import CredentialsError
from pytest_sai3bench.fleet.credentials import find_credentials
from pytest_sai3bench.reports.result_json import to_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.fleet.run import Run

CANARY = "canary-4f1d0c83b1"

_NONE = "there are no S3 credentials\nSet AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE."
_UNREADABLE = "\nCorrect AWS_PROFILE, or the files under ~/.aws."


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Take away everything that this machine tells AWS tools; return the place of the profile file."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "credentials"


def test_the_environment_gives_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert find_credentials() == {
        "access_key": "KEY",
        "secret_key": "secret",
        "region": "us-east-1",
        "token": None,
    }


def test_a_profile_gives_keys_region_and_token(
    monkeypatch: pytest.MonkeyPatch, aws: Path, tmp_path: Path
) -> None:
    aws.write_text(
        "[default]\naws_access_key_id = OTHER\naws_secret_access_key = other\n"
        "[lab]\naws_access_key_id = KEY\naws_secret_access_key = secret\naws_session_token = token\n"
    )
    (tmp_path / "config").write_text("[profile lab]\nregion = eu-central-1\n")
    monkeypatch.setenv("AWS_PROFILE", "lab")

    assert find_credentials() == {
        "access_key": "KEY",
        "secret_key": "secret",
        "region": "eu-central-1",
        "token": "token",
    }


def test_the_environment_wins_over_the_default_profile(monkeypatch: pytest.MonkeyPatch, aws: Path) -> None:
    aws.write_text("[default]\naws_access_key_id = OTHER\naws_secret_access_key = other\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "KEY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert find_credentials() == {
        "access_key": "KEY",
        "secret_key": "secret",
        "region": "eu-west-1",
        "token": "token",
    }


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, _NONE),
        (
            {"AWS_PROFILE": "nope"},
            f"the S3 credentials cannot be read: The config profile (nope) could not be found{_UNREADABLE}",
        ),
        (
            {"AWS_ACCESS_KEY_ID": "KEY"},
            (
                "the S3 credentials cannot be read: Partial credentials found in env, missing: "
                f"AWS_SECRET_ACCESS_KEY{_UNREADABLE}"
            ),
        ),
    ],
)
def test_what_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], message: str) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CredentialsError) as caught:
        find_credentials()

    assert str(caught.value) == message


def test_a_file_that_cannot_be_parsed_is_told(aws: Path) -> None:
    aws.write_text("aws_access_key_id = KEY\n")
    with pytest.raises(CredentialsError) as caught:
        find_credentials()

    assert str(caught.value) == (
        f"the S3 credentials cannot be read: Unable to parse config file: {aws}{_UNREADABLE}"
    )


def test_a_secret_reaches_the_agents_over_their_channel_only(
    run_of: Callable[..., Run], store: Path, tmp_path: Path, agents_of: Callable[[Run], dict[str, int]]
) -> None:
    run = run_of(
        """
        target: file://{tmp}/m1/
        duration: 100ms
        distributed: {agents: [{address: localhost}, {address: 127.0.0.1}]}
        workload: [{op: put, weight: 1, object_size: 1}]
        """,
        {"access_key": "KEY", "secret_key": CANARY, "region": "us-east-1", "token": f"{CANARY}-token"},
    )
    run.prepare()
    pids = agents_of(run).values()
    run.work()
    public = [
        (Path("/proc") / str(pid) / name).read_bytes() for pid in pids for name in ("cmdline", "environ")
    ]
    wires = [json.dumps(member.plan.to_wire()) for member in run._fleet._members]
    run.clean_up()
    written = [path.read_bytes().hex() for path in tmp_path.rglob("*") if path.is_file()]

    assert len(public) == 4
    assert len(wires) == 2
    assert not any(CANARY.encode() in each for each in public)
    assert not any(CANARY.encode().hex() in each for each in written)
    for text in (
        *wires,
        *written,
        repr(run._plan),
        repr(run.result()),
        json.dumps(to_json(run.result(), (), {})),
    ):
        assert CANARY not in text


def test_a_secret_stays_out_of_errors(run_of: Callable[..., Run], store: Path) -> None:
    """Even of those that a bug causes: the agent has the keys in its hands when it reads the plan."""
    run = run_of(
        "target: file://{tmp}/m1/\nworkload: [{op: put, weight: 1, object_size: 1}]\n",
        {"secret_key": CANARY, "unknown": CANARY},
    )
    with pytest.raises(Exception, match="unexpected keyword argument 'unknown'") as caught:
        run.prepare()

    assert CANARY not in str(caught.value)
