"""What the plugin keeps in pytest's stash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sai3bench.plugin.runs import Runs

# All runs of the session; set when the first one is wanted.
RUNS: pytest.StashKey[Runs] = pytest.StashKey()
# Set while the controller of xdist collects and runs the suites, after the workers have ended.
SECOND_PHASE: pytest.StashKey[bool] = pytest.StashKey()
