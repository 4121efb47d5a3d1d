"""An address whose answers come late: hands connections on to another port of its host, and delays what comes back.

Runs as a script: ``delay.py HOST PORT TARGET_PORT SECONDS``. Every piece of an answer is handed on that long after it
came: such an address has the bandwidth of the one behind it, and a longer way to it.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_PIECE = 1 << 16
# Pieces that may wait for their time on one connection; with 16 MiB a longer way does not slow a large answer down.
_MOST_WAITING = 256


async def serve(host: str, port: int, target_port: int, delay_s: float) -> None:
    """Accept connections until the task is cancelled."""

    async def connect(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        # Whichever side breaks off, the other one learns it by the end of its own connection.
        with suppress(OSError):
            target, to_target = await asyncio.open_connection(host, target_port)
            ways = [
                asyncio.ensure_future(_hand_on(client, to_target, 0)),
                asyncio.ensure_future(_hand_on(target, to_client, delay_s)),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_target.close()
        to_client.close()

    server = await asyncio.start_server(connect, host, port, backlog=1024)
    async with server:
        await server.serve_forever()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Copy to the end, each piece ``delay_s`` after it came."""
    clock = asyncio.get_running_loop().time
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_WAITING)

    async def collect() -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                await waiting.put((clock() + delay_s, piece))
        await waiting.put((clock() + delay_s, b""))

    collecting = asyncio.ensure_future(collect())
    try:
        while True:
            due_s, piece = await waiting.get()
            await asyncio.sleep(due_s - clock())
            if not piece:
                return
            writer.write(piece)
            await writer.drain()
    finally:
        collecting.cancel()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
