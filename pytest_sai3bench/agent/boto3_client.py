"""Calls of boto3 on one endpoint, with as little as possible between a call and its one request.

boto3 is imported where it is used: a host needs it only for the engine that is named after it.
"""

from __future__ import annotations

import os
import socket
import ssl
import tempfile
import warnings
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from .engine import OperationFailed
from .tls import explain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .sigv4 import Credentials
    from .tls import TlsSettings
    from .verification import Check

_READ_BYTES = 256 << 10


class CallFailed(OperationFailed):
    """A call without success; ``status`` and ``code`` are those of the server's answer, 0 and empty without one."""

    def __init__(self, kind: str, text: str, status: int = 0, code: str = "") -> None:
        super().__init__(kind, text)
        self.status = status
        self.code = code


class TlsFiles:
    """What boto3 wants as files: authorities (a path, or whether to verify) and our certificate with its key.

    On Linux the files are in memory. They are gone after `close`.
    """

    def __init__(self, settings: TlsSettings) -> None:
        self._files: list[IO[str]] = []
        self.verify: str | bool = settings.verify
        if settings.verify:
            # boto3 would bring authorities of its own.
            self.verify = self._write(settings.ca) if settings.ca else _system_authorities()
        else:
            # The plan says so already, once and not with every request.
            warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        self.certificate = (
            self._write(f"{settings.certificate}\n{settings.key}") if settings.certificate else None
        )

    def _write(self, text: str) -> str:
        if hasattr(os, "memfd_create"):
            handle = os.memfd_create("certificate")
            file: IO[str] = os.fdopen(handle, "w", encoding="ascii")
            path = f"/proc/self/fd/{handle}"
        else:
            file = tempfile.NamedTemporaryFile("w", encoding="ascii")  # noqa: SIM115 - open as long as it is needed
            path = file.name
        self._files.append(file)
        file.write(text)
        file.flush()
        return path

    def close(self) -> None:
        """Remove the files."""
        for file in self._files:
            file.close()


class Boto3Client:
    """Works on the objects below one endpoint's prefix; keys are relative to it and as they are, without encoding.

    For many threads. Every call raises `CallFailed`, and makes no second attempt.
    """

    def __init__(
        self, endpoint: dict[str, Any], plan: dict[str, Any], credentials: Credentials | None, tls: TlsFiles
    ) -> None:
        import boto3  # noqa: PLC0415
        from botocore import UNSIGNED  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        options: dict[str, Any] = {
            "signature_version": "s3v4" if credentials else UNSIGNED,
            "connect_timeout": plan["connect_timeout_s"],
            "read_timeout": plan["request_timeout_s"],
            # Errors are ours to count, and attempts ours to make.
            "retries": {"total_max_attempts": 1},
            "max_pool_connections": plan["lanes"],
            "proxies": {},
            "s3": {"addressing_style": "virtual" if endpoint["virtual"] else "path"},
            "client_cert": tls.certificate,
            # What is sent is the object and nothing else. Older versions do not know these, nor do anything of the kind.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
        known = {name: value for name, value in options.items() if name in Config.OPTION_DEFAULTS}
        keys = credentials
        session = boto3.session.Session(
            aws_access_key_id=keys.access_key if keys else None,
            aws_secret_access_key=keys.secret_key if keys else None,
            aws_session_token=keys.token if keys else None,
            region_name=keys.region if keys else "us-east-1",
        )
        self._prefix = str(endpoint["prefix"])
        self._bucket = str(endpoint["bucket"])
        self._client: Any = session.client(
            "s3", endpoint_url=_address(endpoint), verify=tls.verify, config=Config(**known)
        )

    def get(self, key: str, check: Check | None) -> int:
        """Read an object whole and return its size in bytes; ``check`` is shown all of it."""
        size = 0
        with _explained():
            body = self._client.get_object(**self._object(key))["Body"]
            while data := body.read(_READ_BYTES):
                size += len(data)
                if check is not None:
                    check.feed(memoryview(data))
        return size

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        with _explained():
            self._client.put_object(**self._object(key), Body=body)

    def stat(self, key: str) -> None:
        """Ask for an object's attributes."""
        with _explained():
            self._client.head_object(**self._object(key))

    def delete(self, key: str) -> None:
        """Remove an object."""
        with _explained():
            self._client.delete_object(**self._object(key))

    def reach(self) -> None:
        """List one object of the bucket."""
        with _explained():
            self._client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)

    def names(self, folder: str, *, recursive: bool) -> Iterator[str]:
        """Yield the keys of the objects that begin with ``folder``, page by page; a folder's own mark is none."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + folder,
            **({} if recursive else {"Delimiter": "/"}),
        )
        with _explained():
            for page in pages:
                for entry in page.get("Contents", ()):
                    if not entry["Key"].endswith("/"):
                        yield entry["Key"][len(self._prefix) :]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}


def _address(endpoint: dict[str, Any]) -> str:
    host = f"[{endpoint['host']}]" if ":" in endpoint["host"] else endpoint["host"]
    scheme, default = ("https", 443) if endpoint["tls"] else ("http", 80)
    port = "" if endpoint["port"] == default else f":{endpoint['port']}"
    return f"{scheme}://{host}{port}"


def _system_authorities() -> str | bool:
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what boto3 raises into a `CallFailed` that is called what the other engine calls it."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except ClientError as error:
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        # Answers to HEAD have no body: then boto3 gives the status for a code.
        text = str(status) if code == str(status) else f"{status} {code}: {message[:200]}"
        raise CallFailed(f"http-{status}", text, status, code) from error
    except (BotoCoreError, OSError) as error:
        raise CallFailed(*_name(error)) from error


def _name(error: Exception) -> tuple[str, str]:
    """Return kind and text of a failure without an answer."""
    # By name, so that nothing has to be imported for what never happens.
    name = type(error).__name__
    if name == "ConnectTimeoutError":
        return "timeout", "no connection in time"
    if name == "ReadTimeoutError":
        return "timeout", "no answer in time"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            told = explain(cause)
            return getattr(told, "kind", "closed"), str(told)
        if isinstance(cause, ConnectionRefusedError):
            return "refused", "connection refused"
        if isinstance(cause, socket.gaierror):
            return "unresolved", str(cause.strerror)
        if isinstance(cause, socket.timeout):
            return "timeout", "no answer in time"
    if name in {"ConnectionClosedError", "IncompleteReadError", "ResponseStreamingError"}:
        return "closed", "the server closed the connection"
    if name == "ResponseParserError":
        return "bad-response", str(error)
    return "unreachable", str(error)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it, be it chained, wrapped or given as a reason."""
    found, seen = [error], set()
    while found:
        cause = found.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        found += [
            each
            for each in (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
            if isinstance(each, BaseException)
        ]
