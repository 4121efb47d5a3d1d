"""One value for each key of a suite, as an author may write it; for the reference."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pytest_sai3bench import units
from pytest_sai3bench.suite.scalars import Duration, Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

# Keys whose values neither their description nor their kind tells.
_EXAMPLES = {
    "address": "node1",
    "args": "[--all]",
    "base_uri": "data/",
    "ca_file": "ca.pem",
    "cert_file": "client.pem",
    "command": "sync",
    "compress_factor": "2",
    "config": "ssh_config",
    "connections_per_endpoint": "64",
    "count": '"1,000,000"',
    "dedup_factor": "4",
    "dir_mask": "d%d_w%d",
    "env": "{AWS_REGION: eu-west-1}",
    "fixtures": "[bucket]",
    "gateway": "ssh=-J jump node1",
    "id": "rack-1",
    "iops": "5000",
    "key_file": "client.key",
    "key_path": "~/.ssh/bench",
    "known_hosts": "known_hosts",
    "load_balance_strategy": "least_connections",
    "markers": "[smoke, nightly]",
    "matrix": "{object_size: [4KiB, 1MiB], concurrency: [8, 64]}",
    "name": "mixed",
    "op_log_path": "/data/ops.tsv.zst",
    "path": "data/*",
    "port": "2222",
    "processes": "auto",
    "python": "python3.12",
    "rule": "get.p99 < 20 ms",
    "seed": "42",
    "skip": "the hosts are away",
    "stage": "measure",
    "target": "s3://10.0.0.1:9000/bench/",
    "target_override": "s3://10.0.0.2:9000/bench/",
    "user": "bench",
    "weight": "70",
    "weights": "[2, 1, 1, 1]",
    "xfail": "firmware 4.2",
}
_SUCH_AS = re.compile(r"such as '?([^,;']+?)'?(?:,|;|$)")


def example_of(name: str, field: FieldInfo, expected: str) -> str:
    """Return a value as YAML, one that is not the default; nothing when there is none to tell."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if expected == "a list of URIs":
        return '["s3://10.0.0.[1-8]:9000/bench/"]'
    kinds, default = list(_kinds(field.annotation)), field.get_default()
    if bool in kinds:
        return "false" if default is True else "true"
    for words in kinds:
        if get_origin(words) is Literal:
            return next((str(word) for word in get_args(words) if word != default), "")
    if isinstance(default, (int, float)) and 0 < default < units.LARGEST:
        return _written(field, 2 * default)
    if told := _SUCH_AS.search(expected):
        return told[1]
    if int in kinds or float in kinds:
        return _written(field, 2**20 if _is(field, Size) else 30)
    return ""


def _written(field: FieldInfo, number: float) -> str:
    if _is(field, Size):
        return units.format_size(number).replace(" ", "")
    return f"{number:g}s" if _is(field, Duration) else f"{number:g}"


def _is(field: FieldInfo, kind: Any) -> bool:
    readers = [*field.metadata, *_readers(field.annotation)]
    return any(reader in readers for reader in get_args(kind)[1:])


def _readers(annotation: Any) -> Iterator[Any]:
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield part
        yield from _readers(part)


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation mentions."""
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from _kinds(part)
