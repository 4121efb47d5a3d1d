"""Paths of operations and object sets, made relative to the endpoints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.suite.uris import parse_uri

if TYPE_CHECKING:
    from collections.abc import Sequence


def common_root(uris: Sequence[str]) -> str | None:
    """Return the URI of the store (bucket, or deepest folder) that holds all ``uris``; None when there is no such."""
    parsed = [parse_uri(uri) for uri in uris]
    first = parsed[0]
    if any(replace(uri, path="") != replace(first, path="") for uri in parsed):
        return None
    store = uris[0].removesuffix(first.path) if first.path else uris[0]
    if first.scheme == "s3":
        return as_folder(store)
    folders = [_folders_of(uri.path) for uri in parsed]
    # Not commonpath: it drops "." from paths, and then they no longer begin with their root.
    shared = [names[0] for names in zip(*folders) if len(set(names)) == 1]
    while any(folder[: len(shared)] != shared for folder in folders):
        shared.pop()
    return as_folder(store + "".join(shared))


def _folders_of(path: str) -> list[str]:
    """Return the folders that lead to a path or pattern, each with its slash."""
    return [name + "/" for name in path.partition("*")[0].split("/")[:-1]]


def relative_path(path: str, endpoints: Sequence[str], base: str) -> str:
    """Return ``path`` relative to the endpoints, which are URIs with a slash at the end.

    A path that is a URI must lie below one of them, the deepest counts; ``base`` is put in front of any other. Raises
    ValueError when that is not so, or when the path leaves its endpoint.
    """
    if "://" not in path:
        relative = base + path.lstrip("/")
    elif (found := below(path, endpoints)) is not None:
        relative = found
    else:
        raise ValueError(f"{path} lies below none of the endpoints: expected a path relative to them")
    if ".." in relative.split("/"):
        raise ValueError(f"{path!r} leaves its endpoint: expected a path without '..'")
    return relative


def below(uri: str, endpoints: Sequence[str]) -> str | None:
    """Return what is left of ``uri`` below the deepest of the endpoints that hold it, None when none does.

    A bucket without a server is that of the endpoints, as these show the same objects.
    """
    if "://" not in uri:
        return None
    folder = as_folder(uri)
    holding = [endpoint for endpoint in endpoints if folder.startswith(endpoint)]
    parsed = parse_uri(uri)
    if not holding and parsed.bucket and not parsed.host:
        holding = [place for place in map(_without_server, endpoints) if folder.startswith(place)]
    return uri[len(max(holding, key=len)) :] if holding else None


def _without_server(endpoint: str) -> str:
    parsed = parse_uri(endpoint)
    return f"s3://{parsed.bucket}/{parsed.path}" if parsed.host else endpoint


def as_folder(path: str) -> str:
    """Return ``path`` with a slash at the end; the empty path stays empty."""
    return path if not path or path.endswith("/") else path + "/"
