from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_sai3bench.suite.uris import ParsedUri, parse_uri


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("file:///mnt/data/", ParsedUri("file", path="/mnt/data/")),
        ("file:///mnt/data/*.dat", ParsedUri("file", path="/mnt/data/*.dat")),
        ("file:///", ParsedUri("file", path="/")),
        ("file://embedded-2/dir/", ParsedUri("file", path="dir/", embedded_index=2)),
        ("file://embedded-1", ParsedUri("file", embedded_index=1)),
        ("direct:///mnt/data/", ParsedUri("direct", path="/mnt/data/")),
        ("direct://embedded-3/dir/", ParsedUri("direct", path="dir/", embedded_index=3)),
        ("s3://bucket", ParsedUri("s3", bucket="bucket")),
        ("s3://bucket/some/prefix/", ParsedUri("s3", bucket="bucket", path="some/prefix/")),
        ("s3://my.bucket/x", ParsedUri("s3", bucket="my.bucket", path="x")),
        ("s3://10.0.0.1/bucket/", ParsedUri("s3", "10.0.0.1", 80, "bucket")),
        ("s3://10.0.0.1:9000/bucket/p/", ParsedUri("s3", "10.0.0.1", 9000, "bucket", "p/")),
        ("s3://localhost/bucket", ParsedUri("s3", "localhost", 80, "bucket")),
        ("s3://minio:9000/Old_Bucket/", ParsedUri("s3", "minio", 9000, "Old_Bucket")),
        ("s3://minio.lab.local:9000/bucket/", ParsedUri("s3", "minio.lab.local", 9000, "bucket")),
        ("s3://Store.Lab/bucket/", ParsedUri("s3", "Store.Lab", 80, "bucket")),
        ("s3://[::1]:9000/bucket/", ParsedUri("s3", "::1", 9000, "bucket")),
        ("s3://[fe80::1]:9000/bucket/x", ParsedUri("s3", "fe80::1", 9000, "bucket", "x")),
        ("s3+https://store/bucket/p/", ParsedUri("s3", "store", 443, "bucket", "p/", tls=True)),
        ("s3+https://a.b.c:9000/bucket/", ParsedUri("s3", "a.b.c", 9000, "bucket", tls=True)),
        ("s3+https://[::1]/bucket", ParsedUri("s3", "::1", 443, "bucket", tls=True)),
        ("s3+https://embedded-2/bucket/", ParsedUri("s3", bucket="bucket", embedded_index=2, tls=True)),
        ("s3://embedded-1/bucket/p/", ParsedUri("s3", bucket="bucket", path="p/", embedded_index=1)),
        ("s3://embedded-32/bucket", ParsedUri("s3", bucket="bucket", embedded_index=32)),
    ],
)
def test_addresses_are_taken_apart(text: str, parsed: ParsedUri) -> None:
    assert parse_uri(text) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/"),
        (
            "data/",
            "'data/' has no scheme: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
        ),
        (
            "file:///my data/",
            "'file:///my data/' holds a blank: expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
        ),
        (
            "nfs://x/",
            "unknown scheme 'nfs': expected a URI such as file:///mnt/data/ or s3://host:9000/bucket/",
        ),
        (
            "az://a/b/",
            "az:// is not supported by this version: expected file://, direct://, s3:// or s3+https://",
        ),
        (
            "gs://b/",
            "gs:// is not supported by this version: expected file://, direct://, s3:// or s3+https://",
        ),
        (
            "gcs://b/",
            "gcs:// is not supported by this version: expected file://, direct://, s3:// or s3+https://",
        ),
        (
            "s3+https://bucket",
            "'s3+https://bucket' names no bucket: expected s3+https://host/bucket/ with the server's name",
        ),
        (
            "s3+https://k:canary@h/bucket/",
            "credentials do not belong in a URI: expected them in the environment or a profile of AWS",
        ),
        (
            "https://h/bucket/",
            "'https://h/bucket/' is a web address: expected s3+https://, such as s3+https://host:9000/bucket/",
        ),
        (
            "http://h:9000/b/",
            "'http://h:9000/b/' is a web address: expected s3://, such as s3://host:9000/bucket/",
        ),
        (
            "file://mnt/data/",
            "'file://mnt/data/' is not an absolute path: expected three slashes, such as file:///mnt/data/",
        ),
        ("file://", "'file://' is not an absolute path: expected three slashes, such as file:///mnt/data/"),
        (
            "s3://",
            "'s3://' names no bucket: expected s3://bucket/prefix/ or s3://host:9000/bucket/",
        ),
        ("s3://10.0.0.1:9000/", "'s3://10.0.0.1:9000/' names no bucket: expected s3://10.0.0.1:9000/bucket/"),
        ("s3://embedded-1/", "'s3://embedded-1/' names no bucket: expected s3://embedded-1/bucket/"),
        (
            "s3://embedded-0/bucket/",
            "'s3://embedded-0/bucket/': addresses of the embedded server count from 1, expected embedded-1",
        ),
        (
            "s3://key:secret@host/bucket/",
            "credentials do not belong in a URI: expected them in the environment or a profile of AWS",
        ),
        (
            "s3://minio.lab.local/bucket/",
            (
                "'minio.lab.local' may be a server or a bucket: expected s3://minio.lab.local:80/bucket/ "
                "for a server, s3://host:port/minio.lab.local/ for a bucket"
            ),
        ),
        (
            "s3://B!/x",
            "'B!' cannot be a bucket: expected 3 to 63 letters, digits, '.', '-' or '_', as in s3://host:9000/bucket/",
        ),
        (
            "s3://localhost:9000/ab/",
            "'ab' cannot be a bucket: expected 3 to 63 letters, digits, '.', '-' or '_', as in s3://host:9000/bucket/",
        ),
        ("s3://host:/bucket/", "'s3://host:/bucket/': '' is not a port: expected a number from 1 to 65535"),
        (
            "s3://host:0/bucket/",
            "'s3://host:0/bucket/': '0' is not a port: expected a number from 1 to 65535",
        ),
        (
            "s3://host:65536/bucket/",
            "'s3://host:65536/bucket/': '65536' is not a port: expected a number from 1 to 65535",
        ),
        (
            "s3://host:http/bucket/",
            "'s3://host:http/bucket/': 'http' is not a port: expected a number from 1 to 65535",
        ),
        ("s3://-x-:9000/bucket/", "'s3://-x-:9000/bucket/': '-x-' is not a host name"),
        (
            "s3://10.0.0.256:9000/bucket/",
            "'s3://10.0.0.256:9000/bucket/': '10.0.0.256' is not an IPv4 address",
        ),
        ("s3://[::g]:9000/bucket/", "'s3://[::g]:9000/bucket/': '::g' is not an IPv6 address"),
        (
            "s3://::1/bucket/",
            "'s3://::1/bucket/': '::1' is not host:port; an IPv6 address stands in brackets, s3://[::1]:9000/b/",
        ),
    ],
)
def test_a_wrong_address_is_explained(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r":|credentials") as caught:
        parse_uri(text)
    assert str(caught.value) == message


@given(st.text(), st.sampled_from(["", "s3://", "file://", "s3://[", "s3://h:", "s3://embedded-"]))
def test_any_text_is_parsed_or_refused(rest: str, start: str) -> None:
    try:
        parsed = parse_uri(start + rest)
    except ValueError:
        return
    assert parsed.bucket or parsed.scheme == "file"
