"""Blocks of free ports, one per embedded server of this host.

A block is reserved by a name in the abstract socket namespace: two test processes that start a server at the same
moment get different blocks, and the reservation ends with the process that holds it, leaving no file.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from pytest_sai3bench.errors import EmbeddedServerError

BLOCK_SIZE = 128
# All below 32768, from where on Linux takes the ports of outgoing connections.
_FIRST_PORT = 10_000
_BLOCKS = 170


@dataclass
class PortBlock:
    """Ports that nobody listens on; ``guard`` reserves them while any process holds it open."""

    guard: socket.socket
    ports: list[int]

    def take(self) -> int:
        """Return a port that was not given out before."""
        if not self.ports:
            raise EmbeddedServerError(
                f"The embedded server needs more than its {BLOCK_SIZE} ports.",
                remedy="Run suites with many addresses, or with many delays, in sessions of their own.",
            )
        return self.ports.pop(0)


def reserve_block(first_port: int = _FIRST_PORT, blocks: int = _BLOCKS) -> PortBlock:
    """Reserve the first block that no other server holds and in which every port is free."""
    end = first_port + blocks * BLOCK_SIZE
    for base in range(first_port, end, BLOCK_SIZE):
        guard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ports = list(range(base, base + BLOCK_SIZE))
        if _bind(guard, f"\0pytest-sai3bench-ports-{base}") and all(_is_free(port) for port in ports):
            return PortBlock(guard, ports)
        guard.close()
    raise EmbeddedServerError(
        f"The embedded server found no {BLOCK_SIZE} free ports in a row from {first_port} to {end - 1}.",
        remedy="End servers that are no longer used: ss -ltn lists them.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the server does it; a port in TIME_WAIT is free, one with a listener on any address is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bind(probe, ("", port))


def _bind(probe: socket.socket, address: str | tuple[str, int]) -> bool:
    try:
        probe.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True
