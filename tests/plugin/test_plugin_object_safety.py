from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

# Names like those that the plugin itself gives, one of them among the objects that the suite wants.
_PRECIOUS = (
    "data/mine.dat",
    "data/prepared-00000003.dat",
    "data/prepared-00000099.dat",
    "new/obj_1",
    "other/prepared-00000000.dat",
)


class Folder:
    """The files below a folder."""

    def __init__(self, root: Path) -> None:
        self.uri = f"{root.as_uri()}/"
        self._root = root

    def put(self, key: str, body: bytes) -> None:
        path = self._root / key
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)

    def content(self) -> dict[str, bytes]:
        paths = [path for path in self._root.rglob("*") if path.is_file()]
        return {str(path.relative_to(self._root)): path.read_bytes() for path in paths}


class Bucket:
    """The objects in a bucket."""

    def __init__(self, address: tuple[str, int], name: str, client: Any) -> None:
        self.uri = f"s3://{address[0]}:{address[1]}/{name}/"
        self._name = name
        self._client = client

    def put(self, key: str, body: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=body)

    def content(self) -> dict[str, bytes]:
        listed = self._client.list_objects_v2(Bucket=self._name).get("Contents", [])
        return {
            one["Key"]: self._client.get_object(Bucket=self._name, Key=one["Key"])["Body"].read()
            for one in listed
        }


@pytest.fixture(params=["file", "s3"])
def target(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Folder | Bucket:
    """Return an empty target, on files and on the real server."""
    if request.param == "file":
        return Folder(request.getfixturevalue("store"))
    server: EmbeddedServer = request.getfixturevalue("s3_server")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    client = request.getfixturevalue("s3_client")
    return Bucket(server.addresses[0], request.getfixturevalue("bucket"), client)


def test_cleanup_removes_what_the_run_made_and_nothing_else(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], target: Folder | Bucket
) -> None:
    precious = {key: f"precious {key}".encode() for key in _PRECIOUS}
    for key, body in precious.items():
        target.put(key, body)
    write_suite("put.count >= 1", target=target.uri)
    pytester.runpytest_inprocess().assert_outcomes(passed=3)
    assert target.content() == precious


def test_without_cleanup_everything_stays(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], target: Folder | Bucket
) -> None:
    target.put("data/mine.dat", b"precious")
    suite = write_suite("put.count >= 1", target=target.uri)
    suite.write_text(suite.read_text().replace("cleanup: true", "cleanup: false"))
    pytester.runpytest_inprocess().assert_outcomes(passed=3)
    content = target.content()
    assert content.pop("data/mine.dat") == b"precious"
    made = [key for key in content if key.startswith("new/")]
    assert len(made) > 0
    assert sorted(set(content) - set(made)) == [f"data/prepared-{number:08}.dat" for number in range(20)]
    assert {len(body) for body in content.values()} == {1024}
    # A second run finds the prepared objects, and does not take them for its own.
    suite.write_text(suite.read_text().replace("cleanup: false", "cleanup: true"))
    pytester.runpytest_inprocess().assert_outcomes(passed=3)
    assert target.content() == {**content, "data/mine.dat": b"precious"}


def test_a_run_that_fails_cleans_up(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], target: Folder | Bucket
) -> None:
    target.put("data/mine.dat", b"precious")
    suite = write_suite(target=target.uri)
    suite.write_text(suite.read_text().replace('path: "data/*"', "path: data/no-such-object"))
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(failed=2)
    assert target.content() == {"data/mine.dat": b"precious"}
