"""What deduplication and compression find in the objects that really were written."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plan.model import Endpoint, Origin
from pytest_sai3bench.plan.work import DataPlan, ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.embedded.server import EmbeddedServer

MIB = 1 << 20
HERE = Origin("", "")
FACTORS = [(1, 1), (3, 1), (1, 2), (4, 5)]


def stages_of(make_op: Callable[..., Any], dedup: int, compress: int) -> list[StagePlan]:
    data = DataPlan(dedup=dedup, compress=compress)
    objects = ObjectSet("data/", "prepared", 2, SizePlan("fixed", MIB, MIB), "", data=data)
    return [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=0.5, operations=(make_op("put", "data/", data=data),)),
    ]


def assert_reduced(objects: list[bytes], dedup: int, compress: int) -> None:
    """Hash every block, and compress every 64 KiB of those that are left."""
    large = [content for content in objects if len(content) == MIB]
    assert len(large) == 2
    blocks = [content[start : start + 4096] for content in large for start in range(0, MIB, 4096)]
    unique = list(dict.fromkeys(blocks))
    assert len(blocks) / len(unique) == pytest.approx(dedup, rel=0.05)
    pieces = [b"".join(unique[start : start + 16]) for start in range(0, len(unique), 16)]
    compressed = sum(len(zlib.compress(piece, 1)) for piece in pieces)
    assert sum(map(len, pieces)) / compressed == pytest.approx(compress, rel=0.05)
    # Puts of the workload are one block each here, and new every time.
    small = [content for content in objects if len(content) != MIB]
    assert small
    assert len(set(small)) == len(small)
    assert {len(content) for content in small} == {1000}


@pytest.mark.parametrize(("dedup", "compress"), FACTORS)
def test_files_are_as_reducible_as_the_suite_says(
    tmp_path: Path, make_run: Callable[..., Any], make_op: Callable[..., Any], dedup: int, compress: int
) -> None:
    endpoint = Endpoint(tmp_path.as_uri() + "/", "file", HERE, root=f"{tmp_path}/")
    make_run([endpoint], stages_of(make_op, dedup, compress)).all_stages()
    assert_reduced([path.read_bytes() for path in (tmp_path / "data").iterdir()], dedup, compress)


def test_objects_of_a_server_are_as_reducible_as_the_suite_says(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    make_run: Callable[..., Any],
    make_op: Callable[..., Any],
) -> None:
    host, port = s3_server.addresses[0]
    endpoint = Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", HERE, host, port, bucket)
    make_run([endpoint], stages_of(make_op, 4, 5), s3_server.credentials).all_stages()
    keys = [entry["Key"] for entry in s3_client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert_reduced([s3_client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys], 4, 5)
