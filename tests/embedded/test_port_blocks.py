from __future__ import annotations

import socket

import pytest

from pytest_sai3bench.embedded.ports import BLOCK_SIZE, reserve_block
from pytest_sai3bench.errors import EmbeddedServerError

# Each test has a range of its own, away from the servers' too: tests may run beside each other.


def test_blocks_are_reserved_while_their_guard_is_open() -> None:
    first = reserve_block(2000, 4)
    second = reserve_block(2000, 4)
    assert not set(first.ports) & set(second.ports)
    first.guard.close()
    third = reserve_block(2000, 4)
    assert third.ports == first.ports
    second.guard.close()
    third.guard.close()


@pytest.mark.parametrize(
    ("host", "first_port"), [("127.0.0.1", 3000), ("127.0.0.9", 4000), ("0.0.0.0", 5000)]
)
def test_block_with_a_listener_on_any_address_is_passed_over(host: str, first_port: int) -> None:
    block = reserve_block(first_port, 4)
    block.guard.close()
    with socket.create_server((host, block.ports[-1])):
        other = reserve_block(first_port, 4)
        other.guard.close()
        assert not set(block.ports) & set(other.ports)


def test_ports_are_given_out_once() -> None:
    block = reserve_block(6000, 4)
    block.guard.close()
    first, offered = block.ports[0], BLOCK_SIZE
    assert [block.take() for _ in range(offered)] == list(range(first, first + offered))
    assert block.ports == []


def test_no_free_block_says_so() -> None:
    with reserve_block(7000, 1).guard, pytest.raises(EmbeddedServerError) as failure:
        reserve_block(7000, 1)
    assert str(failure.value) == (
        "The embedded server found no 128 free ports in a row from 7000 to 7127.\n"
        "End servers that are no longer used: ss -ltn lists them."
    )
