"""The ``tls`` block: its files are found and tried before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from pytest_sai3bench.plan.certificates import read_tls
from pytest_sai3bench.plan.model import TlsPlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """\
target: {target}
workload: [{{op: put, weight: 1, object_size: 1}}]
tls:
{tls}
"""
_PEM = "in PEM form:"


def suite(*lines: str, target: str = "s3+https://store/bucket/") -> str:
    return _SUITE.format(target=target, tls="\n".join(f"  {line}" for line in lines))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with the files of an authority and of a client, and some that are neither."""
    authority = trustme.CA()
    client = authority.issue_cert("client@example.org")
    folder = tmp_path / "pki"
    folder.mkdir()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    client.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    client.private_key_pem.write_to_path(folder / "key.pem")
    client.private_key_and_cert_chain_pem.write_to_path(folder / "both.pem")
    trustme.CA().issue_cert("other@example.org").private_key_pem.write_to_path(folder / "other.pem")
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"canary"))
    (folder / "locked.pem").write_bytes(locked)
    (folder / "text.pem").write_text("hello")
    return folder


def test_files_are_relative_to_the_suite(plan_of: Callable[..., RunPlan], files: Path) -> None:
    plan = plan_of(suite("ca_file: pki/ca.pem", "cert_file: pki/cert.pem", "key_file: pki/key.pem"))

    assert plan.tls == TlsPlan(str(files / "ca.pem"), str(files / "cert.pem"), str(files / "key.pem"))
    assert plan.notes == ()
    assert read_tls(plan.tls) == {
        "ca": (files / "ca.pem").read_text(),
        "certificate": (files / "cert.pem").read_text(),
        "key": (files / "key.pem").read_text(),
        "verify": True,
    }


def test_a_key_may_stand_beside_its_certificate(plan_of: Callable[..., RunPlan], files: Path) -> None:
    assert plan_of(suite("cert_file: pki/both.pem")).tls == TlsPlan("", str(files / "both.pem"))


def test_the_system_is_trusted_without_a_block(plan_of: Callable[..., RunPlan]) -> None:
    text = suite(target="s3+https://store/bucket/").replace("tls:\n", "")

    assert plan_of(text).tls == TlsPlan()
    assert plan_of(text.replace("s3+https", "s3").replace("store", "store:1")).tls is None


def test_what_is_not_verified_is_noted(plan_of: Callable[..., RunPlan]) -> None:
    plan = plan_of(suite("verify: false"))

    assert plan.tls == TlsPlan(verify=False)
    assert plan.notes == (
        "certificates of servers are not verified (tls.verify: false): anyone could answer in their place",
    )


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            ("ca_file: pki/none.pem",),
            "4: tls.ca_file: {pki}/none.pem cannot be read: No such file or directory",
        ),
        (("ca_file: pki/text.pem",), "4: tls.ca_file: {pki}/text.pem: no certificates in PEM form: "),
        (
            ("cert_file: pki/cert.pem",),
            "4: tls.cert_file: {pki}/cert.pem: no certificate and its key in PEM form: ",
        ),
        (
            ("cert_file: pki/cert.pem", "key_file: pki/other.pem"),
            "5: tls.key_file: {pki}/other.pem: no certificate and its key in PEM form: key values mismatch",
        ),
        (
            ("cert_file: pki/none.pem", "key_file: pki/key.pem"),
            "4: tls.cert_file: {pki}/none.pem cannot be read: No such file or directory",
        ),
        (
            ("cert_file: pki/cert.pem", "key_file: pki/locked.pem"),
            "5: tls.key_file: {pki}/locked.pem: the key is protected by a password: expected one without",
        ),
    ],
)
def test_files_that_cannot_be_used_are_told(
    problems_of: Callable[..., list[str]], files: Path, lines: tuple[str, ...], problem: str
) -> None:
    (found,) = problems_of(suite(*lines))

    # What OpenSSL says about contents differs between its versions.
    expected = "s.yaml:" + problem.format(pki=files)
    assert found == expected if not expected.endswith(" ") else found.startswith(expected)


@pytest.mark.parametrize(
    ("lines", "target", "problem"),
    [
        (
            ("verify: true",),
            "s3://store:9000/bucket/",
            "s.yaml:3: tls: no endpoint speaks TLS: expected s3+https:// URIs, or no 'tls'",
        ),
        (
            ("key_file: k",),
            "s3+https://store/bucket/",
            "s.yaml:4: tls.key_file: a key without its certificate: expected 'cert_file' beside it",
        ),
        (
            ("ca_file: c", "verify: false"),
            "s3+https://store/bucket/",
            "s.yaml:5: tls.verify: 'ca_file' has no effect with 'verify: false': expected one of the two",
        ),
        (
            ("verify: true", "", "embedded_server: {endpoints: 1}"),
            "s3+https://embedded-1/bucket/",
            "s.yaml:1: target: 's3+https://embedded-1/bucket/' does not fit 'embedded_server.tls: false': expected s3://",
        ),
        (
            ("verify: true", "", "embedded_server: {endpoints: 1, tls: true}"),
            "s3://embedded-1/bucket/",
            "s.yaml:1: target: 's3://embedded-1/bucket/' does not fit 'embedded_server.tls: true': expected s3+https://",
        ),
    ],
)
def test_what_does_not_fit_together_is_told(
    problems_of: Callable[..., list[str]], lines: tuple[str, ...], target: str, problem: str
) -> None:
    text = suite(*lines, target=target).replace("  embedded_server", "embedded_server")

    assert problems_of(text) == [problem]


def test_plain_and_encrypted_endpoints_do_not_mix(problems_of: Callable[..., list[str]]) -> None:
    text = """
        multi_endpoint: {endpoints: ["s3://h:1/bucket/", "s3+https://h/bucket/"]}
        workload: [{op: put, weight: 1, object_size: 1}]
    """
    assert problems_of(text) == [
        "s.yaml:1: multi_endpoint.endpoints[1]: s3+https:// in a set of s3:// endpoints: expected one scheme for all"
    ]
