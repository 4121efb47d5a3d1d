from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.suite.loader import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def problems_of(tmp_path: Path) -> Callable[..., list[str]]:
    """Return ``problems_of(text, strict=False)``: every problem of a suite as text, warnings too."""

    def problems_of(text: str, *, strict: bool = False) -> list[str]:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        try:
            loaded = load(path, env={}, strict=strict, shown="s.yaml")
        except SuiteError as error:
            return [f"{problem.severity} {problem}" for problem in error.problems]
        return [f"{problem.severity} {problem}" for problem in loaded.warnings]

    return problems_of
