"""What the environment says about where the storage is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_sai3bench.suite.endpoints import object_to
from pytest_sai3bench.suite.ranges import expand_ranges
from pytest_sai3bench.suite.scalars import check_endpoints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_sai3bench.suite.places import Place

ENDPOINT_URIS = "S3_ENDPOINT_URIS"
# Not those inside of a range such as [1,3].
_COMMA = re.compile(r",(?![^\[\]]*\])")


def listed_endpoints(env: Mapping[str, str]) -> tuple[list[str], list[tuple[Place, str]]]:
    """Return the endpoints that ``S3_ENDPOINT_URIS`` lists, separated by commas, and what is wrong with them."""
    written = [text.strip() for text in _COMMA.split(env.get(ENDPOINT_URIS, "")) if text.strip()]
    complaints: list[tuple[Place, str]] = []
    for index, text in enumerate(written):
        try:
            check_endpoints(text)
        except ValueError as error:
            complaints.append(((index,), str(error)))
    # Only URIs that can be taken apart can be compared.
    complaints = complaints or list(object_to(written))
    return ([] if complaints else [uri for text in written for uri in expand_ranges(text)]), complaints


def server_of(bucket: str, env: Mapping[str, str]) -> tuple[str, int, bool]:
    """Return host and port of the server that AWS tools would use, and whether it is spoken to over TLS."""
    written = f"s3://host:9000/{bucket}/"
    name = next((name for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") if env.get(name)), None)
    if name is None:
        # The preflight goes on from here if the bucket is in another region.
        region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
        return f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}", 443, True
    try:
        parts = urlsplit(env[name])
        tls = parts.scheme == "https"
        host, port = parts.hostname, parts.port or (443 if tls else 80)
    except ValueError:
        host = None
    if (
        host is None
        or parts.scheme not in {"http", "https"}
        or parts.username is not None
        or parts.path.strip("/")
    ):
        # What stands before an @ may be a secret.
        shown = repr(env[name]) if "@" not in env[name] else "not usable"
        raise ValueError(f"{name} is {shown}: expected http://host:port or https://host:port, or {written}")
    return host, port, tls
