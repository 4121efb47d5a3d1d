from __future__ import annotations

import datetime as dt
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotoCredentials
from botocore.utils import percent_encode
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.messages import DELETE, GET, PUT, STAT
from pytest_sai3bench.agent.s3_client import S3Client
from pytest_sai3bench.agent.s3_requests import METHODS, S3Requests, quote_key
from pytest_sai3bench.agent.sigv4 import Credentials

if TYPE_CHECKING:
    from pytest_sai3bench.embedded.server import EmbeddedServer

CLOCK = "pytest_sai3bench.agent.sigv4.time.time"
TRICKY = "a b+c%d~e/%2F//ü€😀?#&=:;,@$!'()*[]{}|\\^`\"<>.-_\x7f\n"
keys = st.text(st.one_of(st.sampled_from(TRICKY), st.characters(codec="utf-8")), max_size=30)
hosts = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,10}(\.[a-z0-9]{1,5}){0,3}", fullmatch=True),
    st.ip_addresses().map(str),
)
ports = st.one_of(st.just(80), st.just(443), st.integers(1, 65535))
secrets = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)
credentials = st.builds(
    Credentials,
    access_key=st.from_regex(r"[A-Z0-9]{1,20}", fullmatch=True),
    secret_key=secrets,
    region=st.sampled_from(["us-east-1", "eu-central-1", "garage"]),
    token=st.one_of(st.none(), secrets),
)
DAY_S = 86_400
# Around midnights, where key and scope change; the first and the last lie in years of another length.
instants = st.builds(
    lambda day, second: day * DAY_S + second,
    st.sampled_from([0, 11_016, 19_782, 20_088, 47_481]),
    st.sampled_from([-1.0, -0.001, 0.0, 0.5, 1.0, 43_200.0]),
).filter(lambda instant: instant >= 0)


def headers_of(head: bytes) -> tuple[str, dict[str, str]]:
    """Return the request line, and the headers by lower-case name."""
    text = head.decode("ascii")
    assert text.endswith("\r\n\r\n")
    line, *fields = text[:-4].split("\r\n")
    return line, {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}


def assert_signed_as_botocore_does(
    head: bytes, keys: Credentials, instant: float, *, method: str, url: str, params: dict[str, str]
) -> None:
    """Compare all headers that botocore would send with those of ``head``."""
    request = AWSRequest(method=method, url=url, params=params)
    request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
    account = BotoCredentials(keys.access_key, keys.secret_key, keys.token)
    moment = dt.datetime.fromtimestamp(int(instant), dt.timezone.utc).replace(tzinfo=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: moment)
        botocore.auth.S3SigV4Auth(account, "s3", keys.region).add_auth(request)
    _, found = headers_of(head)
    signed = {name.lower(): value for name, value in request.headers.items()}
    assert {name: found[name] for name in signed} == signed
    assert found["host"] == urlsplit(url).netloc.removesuffix(":80")


@settings(deadline=None, max_examples=150)
@given(
    account=credentials,
    host=hosts,
    port=ports,
    prefix=keys,
    key=keys,
    op=st.sampled_from([GET, PUT, STAT, DELETE]),
    moments=st.lists(instants, min_size=1, max_size=4),
)
@example(
    account=Credentials("A", "s", "us-east-1"),
    host="::1",
    port=9000,
    prefix=TRICKY,
    key="",
    op=GET,
    moments=[DAY_S - 0.5, DAY_S + 0.5],
)
def test_requests_for_objects_carry_the_signature_of_botocore(
    *, account: Credentials, host: str, port: int, prefix: str, key: str, op: int, moments: list[float]
) -> None:
    requests = S3Requests({"host": host, "port": port, "bucket": "my.bucket", "prefix": prefix}, account)
    shown = f"[{host}]" if ":" in host else host
    path = f"/my.bucket/{percent_encode(prefix + key, safe='/~')}"
    for moment in moments:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(CLOCK, lambda moment=moment: moment)
            encoded = quote_key(key)
            head = requests.put(encoded, 77) if op == PUT else requests.object(op, encoded)
        line, found = headers_of(head)
        assert line == f"{METHODS[op]} {path} HTTP/1.1"
        assert found.get("content-length") == ("77" if op == PUT else None)
        url = f"http://{shown}:{port}{path}"
        assert_signed_as_botocore_does(head, account, moment, method=METHODS[op], url=url, params={})


@settings(deadline=None, max_examples=150)
@given(
    account=credentials,
    host=hosts,
    port=ports,
    prefix=keys,
    folder=keys,
    token=keys,
    recursive=st.booleans(),
    moment=instants,
)
def test_requests_for_listings_carry_the_signature_of_botocore(
    *,
    account: Credentials,
    host: str,
    port: int,
    prefix: str,
    folder: str,
    token: str,
    recursive: bool,
    moment: float,
) -> None:
    requests = S3Requests({"host": host, "port": port, "bucket": "bench", "prefix": prefix}, account)
    shown = f"[{host}]" if ":" in host else host
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLOCK, lambda: moment)
        head = requests.list(quote_key(folder), token, recursive=recursive)
    params = {"encoding-type": "url", "list-type": "2", "max-keys": "1000", "prefix": prefix + folder}
    if token:
        params["continuation-token"] = token
    if not recursive:
        params["delimiter"] = "/"
    line, _ = headers_of(head)
    method, target, _ = line.split(" ")
    path, _, query = target.partition("?")
    assert (method, path) == ("GET", "/bench")
    assert dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) == params
    url = f"http://{shown}:{port}/bench"
    assert_signed_as_botocore_does(head, account, moment, method="GET", url=url, params=params)


def test_without_credentials_nothing_is_signed() -> None:
    requests = S3Requests({"host": "host", "port": 9000, "bucket": "bench", "prefix": ""}, None)
    assert requests.object(GET, "key") == b"GET /bench/key HTTP/1.1\r\nHost: host:9000\r\n\r\n"


@pytest.mark.parametrize("prefix", ["", "a pre+fix/ü/"])
def test_the_server_accepts_every_request_of_every_key(
    s3_server: EmbeddedServer, s3_client: Any, bucket: str, prefix: str
) -> None:
    names = [
        "plain",
        "with space",
        "plus+plus",
        "percent%",
        "percent%20twenty",
        "tilde~",
        "ünïcödé-€-😀",
        "deep/er/est",
        "quotes'\"and(brackets)[]{}",
        "a=b&c;d:e,f@g$h!i*j",
        "question?hash#",
        f"long-{uuid4().hex * 7}",
    ]
    clients = []
    for host, port in s3_server.addresses:
        requests = S3Requests(
            {"host": host, "port": port, "bucket": bucket, "prefix": prefix}, s3_server.credentials
        )
        place = (socket.AF_INET, (host, port))
        clients.append((requests, S3Client(requests, place, connect_timeout_s=10, timeout_s=20)))
    for number, name in enumerate(names):
        requests, client = clients[number % len(clients)]
        body = f"content of {name}".encode()
        key = quote_key(name)
        assert client.request(requests.put(key, len(body)) + body).status == 200
        assert s3_client.get_object(Bucket=bucket, Key=prefix + name)["Body"].read() == body
        assert client.request(requests.object(GET, key)) == (200, body, b"")
        assert client.request(requests.object(STAT, key), bodiless=True) == (200, b"", b"")
        assert client.exists(key)
    requests, client = clients[0]
    listed = list(client.names("", recursive=True))
    assert sorted(listed) == sorted(quote_key(name) for name in names)
    assert sorted(client.names("", recursive=False)) == sorted(
        quote_key(name) for name in names if "/" not in name
    )
    assert list(client.names(quote_key("percent%"), recursive=True)) == ["percent%25", "percent%2520twenty"]
    for name in names:
        assert client.request(requests.object(DELETE, quote_key(name))).status == 204
        assert not client.exists(quote_key(name))
    assert "Contents" not in s3_client.list_objects_v2(Bucket=bucket)
