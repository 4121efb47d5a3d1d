"""What a host says it has left: memory, also in a container, and room in file systems."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sai3bench.agent import contacts
from pytest_sai3bench.agent.room import available_memory, rooms_of_folders

_MEMINFO = (
    "MemTotal:       16000 kB\nMemFree:          100 kB\nMemAvailable:    8000 kB\nHugePages_Total:  0\n"
)


def _system(folder: Path, *, group: str = "0::/pod", limit: str = "max", used: int = 0) -> tuple[str, str]:
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/meminfo").write_text(_MEMINFO)
    (folder / "proc/self/cgroup").write_text(f"12:cpu:/x\n{group}\n")
    (folder / "cgroup/pod").mkdir(parents=True)
    (folder / "cgroup/pod/memory.max").write_text(f"{limit}\n")
    (folder / "cgroup/pod/memory.current").write_text(f"{used}\n")
    (folder / "cgroup/pod/memory.stat").write_text("anon 1\ninactive_file 500\n")
    return str(folder / "proc"), str(folder / "cgroup")


def test_memory_is_what_the_system_says_is_available(tmp_path: Path) -> None:
    proc, cgroups = _system(tmp_path)

    assert available_memory(proc, cgroups) == 8000 << 10
    # Another kind of groups, or none.
    assert available_memory(proc, str(tmp_path / "none")) == 8000 << 10
    assert available_memory(str(tmp_path / "none"), cgroups) == 0
    assert available_memory() > 0


@pytest.mark.parametrize(
    ("limit", "used", "expected"),
    [("2000000", 1_500_000, 500_500), ("2000000", 2_100_000, 0), ("99000000000", 1, 8000 << 10)],
)
def test_a_limit_of_a_container_counts(tmp_path: Path, limit: str, used: int, expected: int) -> None:
    assert available_memory(*_system(tmp_path, limit=limit, used=used)) == expected


def test_what_is_written_is_added_up_for_each_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = [f"{tmp_path}/{name}/" for name in ("a", "b", "nfs1", "nfs2", "idle", "gone")]
    for root in roots[:-1]:
        Path(root).mkdir()
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"30 21 0:50 / {tmp_path}/nfs1 rw - nfs4 10.0.0.1:/export rw,addr=10.0.0.1\n"
        f"31 21 0:50 / {tmp_path}/nfs2 rw - nfs4 10.0.0.1:/export rw,addr=10.0.0.1\n"
        f"32 21 0:51 / {tmp_path}/idle rw - nfs4 10.0.0.2:/export rw,addr=10.0.0.2\n"
    )
    monkeypatch.setattr(contacts, "_MOUNTS", str(mounts))
    local, distant = rooms_of_folders(roots, [10, 20, 300, 400, 0, 50])

    assert local["free"] > 0
    assert distant["free"] > 0
    device = str(tmp_path.stat().st_dev)
    assert {**local, "free": 0} == {"endpoint": 0, "name": device, "distant": False, "free": 0, "writes": 30}
    assert {**distant, "free": 0} == {
        "endpoint": 2,
        "name": "10.0.0.1:/export",
        "distant": True,
        "free": 0,
        "writes": 700,
    }
