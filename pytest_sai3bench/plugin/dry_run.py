"""``--sai3-dry-run``: the plans of all collected suites, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.plugin.items import SuiteItem
from pytest_sai3bench.reports.dry_run import dry_run

if TYPE_CHECKING:
    import pytest


def show_plans(session: pytest.Session) -> bool:
    """Write the plan of every suite that was selected; returns True, as a finished loop does."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    runs = dict.fromkeys(item.run for item in session.items if isinstance(item, SuiteItem))
    if terminal is None:
        return True
    terminal.ensure_newline()
    for run in runs:
        terminal.write_line(dry_run(run.plan))
    return True
