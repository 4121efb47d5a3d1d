"""Rules where several stages run the workload: each stage is judged by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_sai3bench.thresholds.evaluation import evaluate

if TYPE_CHECKING:
    from pytest_sai3bench.results.model import RunResult
    from pytest_sai3bench.thresholds.baselines import Comparison
    from pytest_sai3bench.thresholds.collection import Compiled
    from pytest_sai3bench.thresholds.verdicts import Verdict
    from pytest_sai3bench.thresholds.watching import Seen


def evaluate_stage(
    compiled: Compiled, result: RunResult, seen: Seen | None = None, beside: Comparison | None = None
) -> Verdict:
    """Return the verdict on ``compiled`` from the workload of ``result``, or from that of its stage, which it then names.

    ``seen`` and ``beside`` are those of `evaluate`.
    """
    if not compiled.stage:
        return evaluate(compiled, result, seen, beside)
    verdict = evaluate(compiled, result.of_stage(compiled.stage), seen, beside)
    reason = f"stage {compiled.stage}: {verdict.reason}" if verdict.reason else ""
    return replace(verdict, stage=compiled.stage, reason=reason)
