"""A whole run against a real S3 server with four addresses, which keeps counts of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.embedded.server import EmbeddedServer
    from pytest_sai3bench.fleet.run import Run


def test_two_agents_drive_the_addresses_that_are_theirs(
    run_of: Callable[..., Run], s3_server: EmbeddedServer, s3_client: Any, bucket: str
) -> None:
    uris = [f"s3://{host}:{port}/{bucket}/pre/" for host, port in s3_server.addresses]
    s3_client.put_object(Bucket=bucket, Key="pre/data/mine", Body=b"was here before")
    run = run_of(
        f"""
        duration: 1s
        concurrency: 4
        distributed:
          agents:
            - {{address: localhost, id: a, multi_endpoint: {{endpoints: ["{uris[0]}", "{uris[1]}"]}}}}
            - address: localhost
              id: b
              multi_endpoint: {{strategy: least_connections, endpoints: ["{uris[2]}", "{uris[3]}"]}}
        prepare:
          ensure_objects: [{{base_uri: data/, count: 24, size_spec: 4KiB}}]
          cleanup: true
        workload:
          - {{op: get, path: "data/prepared-*", weight: 7}}
          - {{op: put, path: new/, weight: 2, object_size: 1KiB}}
          - {{op: stat, path: "data/*", weight: 1}}
        """,
        s3_server.credentials._asdict(),
    )

    run.prepare()
    keys = [each["Key"] for each in s3_client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["pre/data/mine", *(f"pre/data/prepared-{number:08d}.dat" for number in range(24))]
    run.work()
    run.clean_up()
    result = run.result()

    keys = [each["Key"] for each in s3_client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["pre/data/mine"]
    assert (result.status, result.reason) == ("completed", "")
    checks = {check.name: check.passed for check in result.checks if check.name != "generator-cpu"}
    assert set(checks.values()) == {True}
    prepare, workload, cleanup = result.phases
    assert [prepare.tally(endpoint=uri).ops for uri in uris[:2]] == [6, 6]
    assert [prepare.tally(agent=agent).ops for agent in "ab"] == [12, 12]
    assert {(key.agent, key.endpoint) for key in workload.series} == {
        (agent, uri) for agent, own in (("a", uris[:2]), ("b", uris[2:])) for uri in own
    }
    assert workload.tally().errors == cleanup.tally().errors == 0
    # Each address of the suite was contacted, and by its own agent only.
    reached = {
        (report.agent, contact.endpoint): [address for address, _ in contact.remotes]
        for report in workload.agents
        for contact in report.contacts
    }
    assert reached == {
        ("ab"[number // 2], uri): [f"{host}:{port}"]
        for number, (uri, (host, port)) in enumerate(zip(uris, s3_server.addresses, strict=True))
    }
    assert all(contact.connections > 0 for report in workload.agents for contact in report.contacts)
    # The server's own count of puts, of the requests that were made to each address.
    puts = [
        sum(phase.tally(ops=["put"], endpoint=uri).requests for phase in (prepare, workload)) for uri in uris
    ]
    served = [counts["PUT"] for counts in s3_server.access_counts(bucket)]
    # The first address also saw our own put, and the one that created the bucket.
    assert [served[0] - puts[0] in {1, 2}, *(a - b for a, b in zip(served[1:], puts[1:]))] == [True, 0, 0, 0]


def test_a_run_through_the_reference_engine_says_so(
    run_of: Callable[..., Run], s3_server: EmbeddedServer, bucket: str
) -> None:
    host, port = s3_server.addresses[0]
    run = run_of(
        f"""
        target: s3://{host}:{port}/{bucket}/
        duration: 300ms
        concurrency: 2
        engine: boto3
        prepare: {{ensure_objects: [{{base_uri: data/, count: 5, size_spec: 1KiB}}], cleanup: true}}
        workload: [{{op: get, path: "data/*", weight: 1}}]
        """,
        s3_server.credentials._asdict(),
    )

    run.prepare()
    run.work()
    run.clean_up()
    result = run.result()

    assert (result.status, [agent.engine for phase in result.phases for agent in phase.agents]) == (
        "completed",
        ["boto3"] * 3,
    )
    assert result.workload is not None
    tally = result.workload.tally()
    assert (tally.errors, tally.bytes, tally.ttfb.count) == (0, tally.ops * 1024, 0)
    assert tally.ops > 0
