from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import trustme

from pytest_sai3bench.embedded import server

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUITE = """\
name: mixed
{target}
duration: 300ms
concurrency: 4
prepare:
  ensure_objects:
    - {{base_uri: data/, count: 10, size_spec: 100KiB}}
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 4}}
  - {{op: put, path: new/, weight: 1, object_size: 300KiB}}
  - {{op: list, path: data/, weight: 1}}
  - {{op: stat, path: "data/*", weight: 1}}
"""


@pytest.fixture(scope="module")
def tls_server() -> Iterator[server.EmbeddedServer]:
    """Run a real S3 server that speaks TLS."""
    with server.start(2, buckets=["bench"], tls=True) as running:
        yield running


@pytest.fixture
def address(tls_server: server.EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", tls_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", tls_server.secret_key)
    return "{}:{}".format(*tls_server.addresses[0])


def test_a_suite_may_bring_its_own_server_of_tls(pytester: pytest.Pytester) -> None:
    target = """\
embedded_server: {endpoints: 2, tls: true}
multi_endpoint: {endpoints: ["s3+https://embedded-1/bench/", "s3+https://embedded-2/bench/"]}
"""
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(target=target))

    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    (path,) = pytester.path.joinpath("sai3-results").glob("2*/suite.sai3/mixed/result.json")
    phases = {phase["phase"]: phase for phase in json.loads(path.read_text())["phases"]}
    assert {name: [agent["read_sink"] for agent in phase["agents"]] for name, phase in phases.items()} == {
        "prepare": ["copy"],
        "workload": ["copy"],
        "cleanup": ["copy"],
    }
    assert {series["op"] for series in phases["workload"]["series"]} == {"get", "put", "list", "stat"}


def test_the_key_of_the_client_stays_out_of_the_results(
    pytester: pytest.Pytester, tls_server: server.EmbeddedServer, address: str
) -> None:
    client = trustme.CA().issue_cert("client@example.org")
    client.private_key_pem.write_to_path(pytester.path / "key.pem")
    client.cert_chain_pems[0].write_to_path(pytester.path / "cert.pem")
    target = f"""\
target: s3+https://{address}/bench/
tls: {{ca_file: {tls_server.ca_file}, cert_file: cert.pem, key_file: key.pem}}
"""
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(target=target))

    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    secrets = client.private_key_pem.bytes().splitlines()[1:-1]
    files = [path for path in pytester.path.joinpath("sai3-results").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"plan.json", "result.json", "metadata.json", "results.tsv"}
    assert [path for path in files if any(secret in path.read_bytes() for secret in secrets)] == []


def test_the_cause_and_its_remedy_are_shown(pytester: pytest.Pytester, address: str) -> None:
    target = f"target: s3+https://{address}/bench/"
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(target=target))

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            f"suite.sai3.yaml:2: local cannot use s3+https://{address}/bench/: the server's certificate was refused: *",
            "  Nobody who is trusted signed its certificate: name the authority's certificate in tls.ca_file.",
        ]
    )


def test_a_url_of_the_environment_may_ask_for_tls(
    pytester: pytest.Pytester,
    tls_server: server.EmbeddedServer,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://{address}")
    target = "target: s3://bench/\ntls: {verify: false}\n"
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(target=target))

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        [
            (
                "*note: certificates of servers are not verified (tls.verify: false): "
                "anyone could answer in their place"
            )
        ]
    )


def test_a_file_that_went_away_is_told(
    pytester: pytest.Pytester, tls_server: server.EmbeddedServer, address: str
) -> None:
    assert tls_server.ca_file
    pytester.path.joinpath("ca.pem").write_bytes(tls_server.ca_file.read_bytes())
    pytester.makeconftest("import os\n\ndef pytest_collection_finish():\n    os.unlink('ca.pem')\n")
    target = "target: s3+https://127.0.0.1:9/bench/\ntls: {ca_file: ca.pem}\n"
    pytester.path.joinpath("suite.sai3.yaml").write_text(_SUITE.format(target=target))

    result = pytester.runpytest_inprocess()

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["the files of tls cannot be read: * No such file or directory: '*/ca.pem'"])
