from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

_SUITE = """\
name: mixed
multi_endpoint:
  endpoints:
{endpoints}
duration: 200ms
concurrency: 2
workload:
  - {{op: get, path: "{path}", weight: 1}}
  - {{op: put, path: new/, weight: 1, object_size: 1KiB}}
"""
_NO_MATCH = "local: suite.sai3.yaml:8: get: data/*.parquet matches none of the 1 objects in data/"
_REMEDY = "  Correct the path, or let prepare make the objects (prepare.ensure_objects)."


@pytest.fixture
def refused(pytester: pytest.Pytester, block: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Return ``refused(*endpoints, path="data/*")``: what pytest shows of a run on endpoints that cannot be used.

    The endpoints stand from line 4 on.
    """

    def refused(*endpoints: str, path: str = "data/*") -> list[str]:
        listed = "\n".join(f"    - {endpoint}" for endpoint in endpoints)
        pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(endpoints=listed, path=path))
        result = pytester.runpytest_inprocess()
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert "Traceback" not in result.stdout.str() + result.stderr.str()
        outcomes = result.parseoutcomes()
        phase, title = ("failed", "") if "failed" in outcomes else ("errors", "ERROR at setup of ")
        assert outcomes == {phase: 2}
        shown = block(result, f"{title}workload mixed")
        if phase == "errors":
            # The other items do not repeat it all.
            assert block(result, f"{title}mixed/total.errors: total.errors == 0") == [
                f"mixed did not run: {shown[0]}"
            ]
        return shown

    return refused


@pytest.fixture
def keys(s3_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)


@pytest.fixture
def address(s3_server: EmbeddedServer) -> str:
    """Return ``host:port`` of the real server."""
    host, port = s3_server.addresses[0]
    return f"{host}:{port}"


def test_a_folder_that_is_not_there(refused: Callable[..., list[str]], store: Path) -> None:
    assert refused(f"{store.as_uri()}/", "file:///no/such/folder/") == [
        "suite.sai3.yaml:5: local cannot use file:///no/such/folder/: there is no folder /no/such/folder/",
        "  Create the folder or mount the file system, or correct the path.",
    ]
    assert list(store.iterdir()) == []


def test_a_file_in_place_of_a_folder(refused: Callable[..., list[str]], pytester: pytest.Pytester) -> None:
    path = pytester.path / "precious"
    path.write_text("precious")
    assert refused(f"{path.as_uri()}/") == [
        f"suite.sai3.yaml:4: local cannot use {path.as_uri()}/: there is no folder {path}/",
        "  Create the folder or mount the file system, or correct the path.",
    ]
    assert path.read_text() == "precious"


def test_an_address_where_nothing_listens(refused: Callable[..., list[str]], keys: None) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    remedy = "  Nothing listens there: start the server, or correct host and port."
    assert refused(f"s3://127.0.0.1:{port}/bucket/", f"s3://127.0.0.2:{port}/bucket/") == [
        f"suite.sai3.yaml:4: local cannot use s3://127.0.0.1:{port}/bucket/: connection refused",
        remedy,
        f"suite.sai3.yaml:5: local cannot use s3://127.0.0.2:{port}/bucket/: connection refused",
        remedy,
    ]


def test_a_wrong_secret_key(
    refused: Callable[..., list[str]], keys: None, address: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert refused(f"s3://{address}/{bucket}/") == [
        (
            f"suite.sai3.yaml:4: local cannot use s3://{address}/{bucket}/: 403 SignatureDoesNotMatch: "
            "The request signature we calculated does not match the signature you provided. "
            "Check your key and signing method."
        ),
        "  The secret key does not belong to the access key: check AWS_SECRET_ACCESS_KEY or the profile.",
    ]


def test_an_unknown_access_key(
    refused: Callable[..., list[str]], keys: None, address: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "NOBODY")
    assert refused(f"s3://{address}/{bucket}/") == [
        (
            f"suite.sai3.yaml:4: local cannot use s3://{address}/{bucket}/: 403 InvalidAccessKeyId: "
            "The access key ID you provided does not exist in our records."
        ),
        "  The server does not know the access key: check AWS_ACCESS_KEY_ID or the profile.",
    ]


def test_a_bucket_that_is_not_there(
    refused: Callable[..., list[str]], keys: None, address: str, s3_client: Any
) -> None:
    assert refused(f"s3://{address}/no-such-bucket/") == [
        (
            f"suite.sai3.yaml:4: local cannot use s3://{address}/no-such-bucket/: 404 NoSuchBucket: "
            "The specified bucket does not exist"
        ),
        "  Create the bucket, or correct its name in the URI.",
    ]
    assert "no-such-bucket" not in [one["Name"] for one in s3_client.list_buckets()["Buckets"]]


def test_no_keys(refused: Callable[..., list[str]], pytester: pytest.Pytester) -> None:
    assert refused("s3://127.0.0.1:9/bucket/") == [
        "suite.sai3.yaml:4: s3://127.0.0.1:9/bucket/ needs keys: there are no S3 credentials",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
    ]
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_profile_that_does_not_exist(
    refused: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert refused("s3://127.0.0.1:9/bucket/") == [
        (
            "suite.sai3.yaml:4: s3://127.0.0.1:9/bucket/ needs keys: "
            "the S3 credentials cannot be read: The config profile (nobody) could not be found"
        ),
        "Correct AWS_PROFILE, or the files under ~/.aws.",
    ]


def test_a_pattern_that_matches_nothing_in_a_folder(refused: Callable[..., list[str]], store: Path) -> None:
    store.joinpath("data").mkdir()
    store.joinpath("data", "one").write_text("precious")
    assert refused(f"{store.as_uri()}/", path="data/*.parquet") == [_NO_MATCH, _REMEDY]
    assert store.joinpath("data", "one").read_text() == "precious"


def test_a_pattern_that_matches_nothing_in_a_bucket(
    refused: Callable[..., list[str]], keys: None, address: str, bucket: str, s3_client: Any
) -> None:
    s3_client.put_object(Bucket=bucket, Key="data/one", Body=b"precious")
    assert refused(f"s3://{address}/{bucket}/", path="data/*.parquet") == [_NO_MATCH, _REMEDY]
    assert [one["Key"] for one in s3_client.list_objects_v2(Bucket=bucket)["Contents"]] == ["data/one"]


def test_an_object_that_is_not_there(refused: Callable[..., list[str]], store: Path) -> None:
    assert refused(f"{store.as_uri()}/", path="data/one") == [
        "local: suite.sai3.yaml:8: get: there is no object data/one",
        _REMEDY,
    ]
