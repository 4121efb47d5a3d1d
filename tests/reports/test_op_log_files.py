from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import ResultsError
from pytest_sai3bench.reports import run_folder
from pytest_sai3bench.reports.op_log import OpLogFiles, describe_op_log

if TYPE_CHECKING:
    from pytest_sai3bench.plan.model import RunPlan

# sai3-bench's, in its order.
HEADER = "idx\tthread\top\tclient_id\tn_objects\tbytes\tendpoint\tfile\terror\tstart\tfirst_byte\tend\tduration_ns\n"


def test_each_agent_has_a_log_to_which_its_pieces_are_added(tmp_path: Path, plan: RunPlan) -> None:
    files = OpLogFiles(tmp_path, plan)
    files.add("a1", gzip.compress(b"first\n"))
    files.add("a2", gzip.compress(b"other\n"))
    files.add("a1", gzip.compress(b"second\n"))
    first, second = (tmp_path / "agents" / agent / "op_log.tsv.gz" for agent in ("a1", "a2"))

    # Also before the end.
    assert gzip.decompress(first.read_bytes()).decode() == f"{HEADER}first\nsecond\n"
    files.close()
    assert gzip.decompress(first.read_bytes()).decode() == f"{HEADER}first\nsecond\n"
    assert gzip.decompress(second.read_bytes()).decode() == f"{HEADER}other\n"


def test_the_log_of_the_only_agent_is_that_of_the_run(tmp_path: Path, plan: RunPlan) -> None:
    OpLogFiles(tmp_path, replace(plan, workers=plan.workers[:1])).close()

    assert gzip.decompress((tmp_path / "op_log.tsv.gz").read_bytes()).decode() == HEADER


def test_a_log_that_is_not_whole_is_told_at_the_end(
    tmp_path: Path, plan: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = run_folder._open
    monkeypatch.setattr(run_folder, "_open", lambda _path: open_file(Path("/dev/full")))
    files = OpLogFiles(tmp_path, replace(plan, workers=plan.workers[:1]))
    files.add("a1", gzip.compress(b"first\n"))

    with pytest.raises(ResultsError) as caught:
        files.close()
    assert str(caught.value).splitlines()[0] == (
        f"results cannot be written: {tmp_path}/op_log.tsv.gz: No space left on device"
    )


def test_every_column_is_described() -> None:
    assert [line.split("`")[1] for line in describe_op_log().splitlines()[2:]] == HEADER.split()
