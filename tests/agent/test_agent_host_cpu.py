from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent import host_cpu

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "counters"),
    [
        ("cpu  100 20 30 400 50 6 7 8 9 1", [120, 43, 50, 621]),
        # Older kernels know fewer states.
        ("cpu  100 20 30 400 50 6 7", [120, 43, 50, 613]),
        ("cpu0 100 20 30 400 50 6 7 8 9 1", []),
        ("cpu  100 20", []),
        ("", []),
    ],
)
def test_counters_are_user_system_iowait_and_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, counters: list[int]
) -> None:
    path = tmp_path / "stat"
    path.write_text(f"{line}\nintr 1 2 3\n")
    monkeypatch.setattr(host_cpu, "_STAT", str(path))

    assert host_cpu.read_host_cpu() == counters


def test_where_there_are_no_counters_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_cpu, "_STAT", str(tmp_path / "none"))

    assert host_cpu.read_host_cpu() == []


def test_counters_of_this_host_grow() -> None:
    first, second = host_cpu.read_host_cpu(), host_cpu.read_host_cpu()

    assert len(first) == 4
    assert second[3] >= first[3] > 0
