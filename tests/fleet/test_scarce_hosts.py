"""Hosts with too little memory for their workers, or too little room for what prepare writes: told before the load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.errors import PreflightError, StageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

_MIB = 1 << 20
_SUITE = """
    processes: 2
    concurrency: 8
    namespace: {namespace}
    distributed:
      agents:
        - {{address: localhost, id: a, multi_endpoint: {{endpoints: ["{scheme}://{{tmp}}/m1/", "{scheme}://{{tmp}}/m2/"]}}}}
        - {{address: localhost, id: b, multi_endpoint: {{endpoints: ["{scheme}://{{tmp}}/m3/"]}}}}
    duration: 100ms
    prepare:
      ensure_objects: [{{base_uri: data/, count: 64, size_spec: {size}}}]
    workload:
      - {{op: get, path: "data/*", weight: 1}}
"""


@pytest.fixture
def has_left(monkeypatch: pytest.MonkeyPatch, change_agent: Callable[..., None]) -> Callable[..., None]:
    """Return ``has_left(memory=…, room=…)``: let hosts say that so many bytes are left."""

    def has_left(*, memory: int = 0, room: int | None = None) -> None:
        if room is None:
            change_agent("serve", '"memory": available_memory(),', f'"memory": {memory},')
        else:
            change_agent("room", "status.f_bavail * status.f_frsize", str(room))

    return has_left


def _suite(*, namespace: str = "shared", size: Any = "1KiB", scheme: str = "file") -> str:
    return _SUITE.format(namespace=namespace, size=size, scheme=scheme)


def test_memory_has_to_suffice_for_all_workers_of_a_host(
    run_of: Callable[[str], Run], store: Path, has_left: Callable[..., None]
) -> None:
    """Four workers with the data of puts, 10 MiB each, and 16 lanes that move 1 KiB."""
    has_left(memory=30 * _MIB)
    run = run_of(_suite())
    with pytest.raises(PreflightError) as caught:
        run.prepare()
    run.clean_up()

    assert str(caught.value).splitlines() == [
        "s.yaml:6: a, b: 4 processes need 40 MiB of memory or more, this host has 30 MiB left",
        "  Free some, or ask for less: processes, and concurrency of direct:// and file://.",
    ]
    assert run.result().reason == str(caught.value)


@pytest.mark.parametrize("memory", [0, 40 * _MIB + 16 * 1024])
def test_memory_that_suffices_or_is_not_known_is_no_hindrance(
    run_of: Callable[[str], Run], store: Path, has_left: Callable[..., None], memory: int
) -> None:
    has_left(memory=memory)
    run_of(_suite()).prepare()


@pytest.mark.parametrize(("namespace", "written"), [("shared", 64), ("replicated", 192)])
def test_there_has_to_be_room_for_what_is_missing(
    run_of: Callable[[str], Run],
    store: Path,
    has_left: Callable[..., None],
    *,
    namespace: str,
    written: int,
) -> None:
    has_left(room=written * 512)
    run = run_of(_suite(namespace=namespace))
    with pytest.raises(StageError) as caught:
        run.prepare()
    run.clean_up()

    assert str(caught.value).splitlines() == [
        (
            f"s.yaml:6: a, b: prepare writes {written} KiB where file://{store.parent}/m1/ is, this host has "
            f"{written // 2} KiB left there"
        ),
        "  Make room, or prepare fewer or smaller objects (prepare.ensure_objects).",
    ]
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_objects_that_are_there_need_no_room(
    run_of: Callable[[str], Run], store: Path, has_left: Callable[..., None]
) -> None:
    (store / "data").mkdir()
    for number in range(0, 64, 2):
        (store / f"data/prepared-{number:08}.dat").write_bytes(bytes(1024))
    has_left(room=32 * 1024)
    run_of(_suite()).prepare()

    assert len(list(store.rglob("*.dat"))) == 64
