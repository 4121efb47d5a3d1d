from __future__ import annotations

import http.client
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from pytest_sai3bench.embedded import server
from pytest_sai3bench.errors import EmbeddedServerError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_endpoint_shows_the_same_objects(
    s3_server: server.EmbeddedServer, bucket: str, connect: Callable[..., Any]
) -> None:
    clients = [connect(s3_server, endpoint) for endpoint in (1, 2, 3, 4)]
    for number, client in enumerate(clients):
        client.put_object(Bucket=bucket, Key=f"key-{number}", Body=f"body {number}".encode())
    for client in clients:
        listed = client.list_objects_v2(Bucket=bucket)["Contents"]
        assert [entry["Key"] for entry in listed] == ["key-0", "key-1", "key-2", "key-3"]
        bodies = [client.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read() for entry in listed]
        assert bodies == [b"body 0", b"body 1", b"body 2", b"body 3"]
    clients[0].delete_object(Bucket=bucket, Key="key-3")
    with pytest.raises(ClientError, match=re.escape("(404)")):
        clients[3].head_object(Bucket=bucket, Key="key-3")


def test_addresses_are_distinct_hosts_and_ports(s3_server: server.EmbeddedServer) -> None:
    hosts = [host for host, _ in s3_server.addresses]
    assert hosts[:4] == ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert len({port for _, port in s3_server.addresses}) == len(s3_server.addresses)


def test_wrong_secret_is_refused_by_every_endpoint(
    s3_server: server.EmbeddedServer, bucket: str, connect: Callable[..., Any]
) -> None:
    for endpoint in (1, 2, 3, 4):
        with pytest.raises(ClientError) as refusal:
            connect(s3_server, endpoint, secret_key="wrong").list_objects_v2(Bucket=bucket)
        assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"
        assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_unsigned_request_is_refused(s3_server: server.EmbeddedServer, bucket: str) -> None:
    connection = http.client.HTTPConnection(*s3_server.addresses[1], timeout=10)
    connection.request("GET", f"/{bucket}/key")
    assert connection.getresponse().status == 403
    connection.close()


def test_put_does_not_create_a_bucket(s3_server: server.EmbeddedServer, s3_client: Any) -> None:
    with pytest.raises(ClientError) as refusal:
        s3_client.put_object(Bucket="test-never-made", Key="key", Body=b"x")
    assert refusal.value.response["Error"]["Code"] == "NoSuchBucket"


def test_buckets_are_created_once_and_keep_their_objects(
    s3_server: server.EmbeddedServer, s3_client: Any
) -> None:
    s3_server.ensure_buckets(["test-made-twice"])
    s3_client.put_object(Bucket="test-made-twice", Key="key", Body=b"kept")
    s3_server.ensure_buckets(["test-made-twice"])
    assert s3_client.get_object(Bucket="test-made-twice", Key="key")["Body"].read() == b"kept"
    s3_client.delete_bucket(Bucket="test-made-twice")


def test_refused_bucket_name_says_why(s3_server: server.EmbeddedServer) -> None:
    with pytest.raises(EmbeddedServerError) as refusal:
        s3_server.ensure_buckets(["A"])
    assert str(refusal.value) == (
        "The embedded server did not create bucket 'A': 400 InvalidBucketName.\n"
        "A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens."
    )


def test_requests_are_counted_per_endpoint_and_bucket(
    s3_server: server.EmbeddedServer, bucket: str, connect: Callable[..., Any]
) -> None:
    clients = [connect(s3_server, endpoint) for endpoint in (1, 2, 3, 4)]
    clients[1].put_object(Bucket=bucket, Key="key", Body=b"x")
    for _ in range(3):
        clients[2].get_object(Bucket=bucket, Key="key")["Body"].read()
    clients[2].head_object(Bucket=bucket, Key="key")
    clients[3].list_objects_v2(Bucket=bucket)
    with pytest.raises(ClientError):
        clients[3].get_object(Bucket=bucket, Key="missing")
    clients[3].delete_object(Bucket=bucket, Key="key")
    expected = ({"PUT": 1}, {"PUT": 1}, {"GET": 4}, {"LIST": 1, "GET": 1, "DELETE": 1})
    deadline = time.monotonic() + 10
    while (counts := s3_server.access_counts(bucket)[:4]) != expected and time.monotonic() < deadline:
        pass
    assert counts == expected
    assert s3_server.access_counts()[2]["GET"] >= 4


def test_two_servers_of_one_host_share_nothing(
    s3_server: server.EmbeddedServer, bucket: str, connect: Callable[..., Any]
) -> None:
    with server.start(1) as other:
        assert not set(other.addresses) & set(s3_server.addresses)
        assert other.access_key != s3_server.access_key
        assert other.secret_key != s3_server.secret_key
        assert connect(other, 1).list_buckets()["Buckets"] == []


def test_nothing_listens_outside_loopback(
    s3_server: server.EmbeddedServer, processes_of: Callable[[Path], list[int]]
) -> None:
    sockets = {
        str(handle.readlink())
        for pid in processes_of(s3_server._folder)
        for handle in Path(f"/proc/{pid}/fd").iterdir()
        if handle.is_symlink()
    }
    addresses = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in sockets:
                # IPv4 in the byte order of the host, so 127 is the last byte.
                addresses.append(fields[1].partition(":")[0])
    assert len(addresses) >= 6 + 3 * 4
    assert [address for address in addresses if len(address) != 8 or not address.endswith("7F")] == []


def test_data_folder_is_private(s3_server: server.EmbeddedServer) -> None:
    assert s3_server._folder.stat().st_mode & 0o777 == 0o700
