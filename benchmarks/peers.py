"""Other clients, each moving 4 KiB objects in a process of its own: ``peers.py NAME get|put PORT LANES SECONDS``.

Prints one line of JSON: operations, CPU seconds (user and system) and wall seconds of the loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING

from nginx import object_name

if TYPE_CHECKING:
    from collections.abc import Callable

OBJECTS = 100
CONTENT = os.urandom(4096)


def run_threads(move: Callable[[str], object], lanes: int, seconds: float) -> int:
    """Call ``move`` in ``lanes`` threads until the time is up; return the number of calls."""
    end = time.monotonic() + seconds
    counts = [0] * lanes

    def work(lane: int) -> None:
        number = lane
        while time.monotonic() < end:
            move(object_name(number % OBJECTS))
            number += 1
            counts[lane] += 1

    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def use_boto3(operation: str, port: int, lanes: int, seconds: float) -> int:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        config=Config(max_pool_connections=lanes, s3={"addressing_style": "path"}),
    )
    if operation == "put":
        return run_threads(
            lambda key: client.put_object(Bucket="bench", Key=f"new/{key[5:]}", Body=CONTENT), lanes, seconds
        )
    return run_threads(lambda key: client.get_object(Bucket="bench", Key=key)["Body"].read(), lanes, seconds)


def use_obstore(operation: str, port: int, lanes: int, seconds: float) -> int:
    from obstore.store import S3Store

    store = S3Store("bench", endpoint=f"http://127.0.0.1:{port}", client_options={"allow_http": True})
    end = time.monotonic() + seconds
    count = 0

    async def work(lane: int) -> None:
        nonlocal count
        number = lane
        while time.monotonic() < end:
            if operation == "put":
                await store.put_async(
                    f"new/{object_name(number % OBJECTS)[5:]}", CONTENT, use_multipart=False
                )
            else:
                result = await store.get_async(object_name(number % OBJECTS))
                await result.bytes_async()
            number += 1
            count += 1

    async def work_all() -> None:
        await asyncio.gather(*(work(lane) for lane in range(lanes)))

    asyncio.run(work_all())
    return count


def use_s3dlio(operation: str, port: int, lanes: int, seconds: float) -> int:
    os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
    import s3dlio

    if operation == "put":
        return run_threads(lambda key: s3dlio.put_bytes(f"s3://bench/new/{key[5:]}", CONTENT), lanes, seconds)
    return run_threads(lambda key: s3dlio.get(f"s3://bench/{key}"), lanes, seconds)


PEERS = {"boto3": use_boto3, "obstore": use_obstore, "s3dlio": use_s3dlio}


def main() -> None:
    name, operation = sys.argv[1:3]
    port, lanes, seconds = int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])
    os.environ.update(AWS_ACCESS_KEY_ID="key", AWS_SECRET_ACCESS_KEY="secret", AWS_REGION="us-east-1")
    # One call first: imports and connections are not what is compared.
    PEERS[name](operation, port, 1, 0.2)
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    count = PEERS[name](operation, port, lanes, seconds)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"ops": count, "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main()
