"""Paths of operations and object sets, made relative to the endpoints."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from pytest_sai3bench.suite.uris import parse_uri

if TYPE_CHECKING:
    from collections.abc import Sequence


def common_root(uris: Sequence[str]) -> str | None:
    """Return the URI of the store (bucket, or deepest folder) that holds all ``uris``; None when there is no such."""
    parsed = [parse_uri(uri) for uri in uris]
    first = parsed[0]
    if any(
        (uri.scheme, uri.host, uri.port, uri.bucket, uri.embedded_index)
        != (first.scheme, first.host, first.port, first.bucket, first.embedded_index)
        for uri in parsed
    ):
        return None
    store = uris[0][: len(uris[0]) - len(first.path)]
    if first.scheme == "s3":
        return store.rstrip("/") + "/"
    folders = ["/" + _folder_of(uri.path) for uri in parsed]
    return store.rstrip("/") + posixpath.commonpath(folders).rstrip("/") + "/"


def _folder_of(path: str) -> str:
    star = path.find("*")
    return path[: star if star >= 0 else None].rpartition("/")[0]


def relative_path(path: str, endpoints: Sequence[str], base: str) -> str:
    """Return ``path`` relative to the endpoints, which are URIs with a slash at the end.

    A path that is a URI must lie below one of them; ``base`` is put in front of any other. Raises ValueError when that
    is not so, or when the path leaves its endpoint.
    """
    if "://" in path:
        for endpoint in endpoints:
            if path == endpoint.rstrip("/"):
                return ""
            if path.startswith(endpoint):
                relative = path[len(endpoint) :]
                break
        else:
            raise ValueError(f"{path} lies below none of the endpoints: expected a path relative to them")
    else:
        relative = base + path.lstrip("/")
    if ".." in relative.split("/"):
        raise ValueError(f"{path!r} leaves its endpoint: expected a path without '..'")
    return relative


def as_folder(path: str) -> str:
    """Return ``path`` with a slash at the end; the empty path stays empty."""
    return path if not path or path.endswith("/") else path + "/"
