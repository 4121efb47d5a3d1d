"""Large objects of a real server: moved in parts, the same in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plan.model import (
    Endpoint,
    ObjectSet,
    OperationPlan,
    Origin,
    RangesPlan,
    SizePlan,
    StagePlan,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer

KIB = 1024


@pytest.fixture
def endpoints(s3_server: EmbeddedServer, bucket: str) -> list[Endpoint]:
    return [
        Endpoint(f"s3://{host}:{port}/{bucket}/", "s3", Origin("", ""), host, port, bucket)
        for host, port in s3_server.addresses
    ]


def of_role(result: Any, role: str) -> dict[str, tuple[int, int]]:
    """Return operations and bytes of the window by operation."""
    found: dict[str, tuple[int, int]] = {}
    for section in ("measured", "tail"):
        for wire in result["sections"].get(section, []):
            if wire["role"] == role:
                count, size = found.get(wire["op"], (0, 0))
                found[wire["op"]] = (count + wire["count"], size + wire["bytes"])
    return found


@pytest.mark.parametrize("verify", [True, False], ids=["verified", "counted"])
def test_what_was_written_whole_is_read_in_ranges(
    verify: bool,  # noqa: FBT001 - pytest passes it by name
    s3_server: EmbeddedServer,
    endpoints: list[Endpoint],
    make_run: Callable[..., Any],
) -> None:
    size = 300 * KIB + 7
    operation = OperationPlan("get", "data/*", 1, "s.yaml:1", verify=verify, ranges=RangesPlan(100_000, 3))
    objects = ObjectSet("data/", "prepared", 5, SizePlan("fixed", size, size), "")
    stages = [
        StagePlan("prepare", objects=(objects,)),
        StagePlan("workload", duration_s=0.3, operations=(operation,)),
    ]

    _, workload = make_run(endpoints, stages, s3_server.credentials).all_stages()

    assert workload["errors"] == []
    count, moved = of_role(workload, "whole")["get"]
    assert count > 0
    assert moved == count * size
    assert of_role(workload, "part") == {"get": (4 * count, moved)}
    requests = Counter[int]()
    for section in workload["sections"].values():
        for wire in section:
            requests[wire["endpoint"]] += wire["count"] if wire["role"] == "part" else 0
    assert max(requests.values()) - min(requests.values()) <= 1


def test_the_size_of_other_objects_comes_with_their_first_range(
    s3_server: EmbeddedServer,
    s3_client: Any,
    bucket: str,
    endpoints: list[Endpoint],
    make_run: Callable[..., Any],
) -> None:
    sizes = {"empty": 0, "small": 10, "exact": 100_000, "more": 100_001, "large": 512 * KIB}
    for name, size in sizes.items():
        s3_client.put_object(Bucket=bucket, Key=f"other/{name}", Body=b"x" * size)
    operations = [
        OperationPlan("get", f"other/{name}", 1, "s.yaml:1", ranges=RangesPlan(100_000, 3)) for name in sizes
    ]
    stages = [StagePlan("workload", duration_s=0.3, operations=tuple(operations))]

    (workload,) = make_run(endpoints, stages, s3_server.credentials).all_stages()

    assert workload["errors"] == []
    seen = {
        (wire["role"], wire["bytes"] // wire["count"])
        for section in workload["sections"].values()
        for wire in section
        if wire["role"] != "part"
    }
    # Objects of 100,001 bytes and of 512 KiB are in the same size bucket as each other, or not; never with the rest.
    assert {size for role, size in seen if role == ""} <= {0, 10, 100_000}
    assert {role for role, size in seen if size > 100_000} == {"whole"}
    assert of_role(workload, "part")["get"][1] == of_role(workload, "whole")["get"][1]
