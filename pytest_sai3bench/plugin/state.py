"""Names and keys that modules of the plugin share; imports nothing, so that `hooks` may import it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_sai3bench.plugin.runs import Runs

SUFFIXES = frozenset((".yaml", ".yml"))
# All runs of the session, in pytest's stash; set when the first one is wanted.
RUNS: pytest.StashKey[Runs] = pytest.StashKey()
# Key under which a worker of xdist tells the controller that it has met a suite.
MET_SUITES = "sai3bench_met_suites"
# Key under which it tells the files of the tests that measure.
MEASURING_FILES = "sai3bench_measuring_files"
# Name of the plugin's object on GitHub Actions.
GITHUB = "sai3bench_github"
# Name of the plugin's object in the controller of xdist.
CONTROLLER = "sai3bench_controller"


def uses_fixture(item: pytest.Item) -> bool:
    """Tell whether a test measures by itself: whether it asks for the fixture ``sai3bench``."""
    return "sai3bench" in getattr(item, "fixturenames", ())
