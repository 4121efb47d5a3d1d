"""Trees that several agents make and use together, or each its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.agent.trees import Form, Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.fleet.run import Run

FORM = Form(3, 2, 4, everywhere=False, mask="sai3bench.d%d_w%d.dir")
SUITE = """
    target: file://{tmp}/mount/
    duration: 300ms
    concurrency: 4
    processes: 2
    distributed:
      agents: [{address: localhost}, {address: localhost}]
      tree_creation_mode: {mode}
      path_selection: exclusive
    prepare:
      directory_structure: {width: 3, depth: 2, files_per_dir: 4}
      ensure_objects: [{base_uri: data/, count: 36, size_spec: 1KiB}]
      cleanup: true
      cleanup_mode: tolerant
    workload:
      - {op: get, path: any, weight: 4, verify: true}
      - {op: stat, path: any, weight: 2}
      - {op: delete, path: any, weight: 1}
      - {op: mkdir, path: any, weight: 1}
"""


@pytest.mark.parametrize(
    ("mode", "folders", "made"),
    [
        # Directories 4, 6, 8, 10 of the last level belong to the first agent, 3, 5, 7, 9, 11 to the other.
        ("concurrent", [""], [16, 20]),
        ("coordinator", [""], [36, 0]),
        ("isolated", ["agent-1/", "agent-2/"], [36, 36]),
    ],
)
def test_agents_make_and_take_what_the_suite_says(
    run_of: Callable[[str], Run], tmp_path: Path, mode: str, folders: list[str], made: list[int]
) -> None:
    mount = tmp_path / "mount"
    (mount / "data").mkdir(parents=True)
    (mount / "data" / "other").write_bytes(b"not ours")
    run = run_of(SUITE.replace("{mode}", mode))
    trees = [Tree(f"data/{folder}", FORM) for folder in folders]
    expected = {tree.name(number) for tree in trees for number in range(36)}

    def files() -> set[str]:
        return {str(path.relative_to(mount)) for path in mount.rglob("*") if path.is_file()}

    run.prepare()
    assert files() == expected | {"data/other"}
    run.work()
    gone = expected - files()
    assert {int(name[-12:-4]) % 2 for name in gone} <= {1}
    run.clean_up()

    prepare, workload, cleanup = run.result().phases
    assert [prepare.tally(ops=["put"], agent=agent).ops for agent in ("agent-1", "agent-2")] == made
    assert workload.tally().errors == cleanup.tally().errors == 0
    assert workload.tally(ops=["delete"]).ops == len(gone)
    assert cleanup.tally(ops=["delete"]).ops == len(expected) - len(gone)
    assert [path.name for path in mount.rglob("*")] == ["data", "other"]
