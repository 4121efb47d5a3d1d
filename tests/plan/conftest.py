from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_sai3bench.plan.model import RunPlan


@pytest.fixture
def plan_of(tmp_path: Path) -> Callable[..., RunPlan]:
    """Return ``plan_of(text, env={}, duration_s=None)``: the plan of a suite with this text, shown as ``s.yaml``."""

    def plan_of(text: str, env: Mapping[str, str] = {}, duration_s: float | None = None) -> RunPlan:
        path = tmp_path / "s.yaml"
        path.write_text(dedent(text).lstrip("\n"))
        return build_plan(load(path, env={}, shown="s.yaml"), env=env, duration_s=duration_s)

    return plan_of


@pytest.fixture
def problems_of(plan_of: Callable[..., RunPlan]) -> Callable[..., list[str]]:
    """Return ``problems_of(text, env={})``: what is wrong with the plan of a suite, line by line."""

    def problems_of(text: str, env: Mapping[str, str] = {}) -> list[str]:
        with pytest.raises(SuiteError) as caught:
            plan_of(text, env)
        return str(caught.value).splitlines()

    return problems_of
