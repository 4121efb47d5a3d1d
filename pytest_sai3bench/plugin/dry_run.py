"""``--sai3-dry-run``: the plans of all collected suites, and nothing else."""

from __future__ import annotations

import pytest

from pytest_sai3bench.plugin.distribution import stop_if_broken
from pytest_sai3bench.plugin.items import SuiteItem
from pytest_sai3bench.plugin.state import CONTROLLER
from pytest_sai3bench.reports.dry_run import dry_run, dry_run_waiting


class DryRun:
    """Takes the place of pytest's own loop over the items, and of the one of xdist."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Write the plan of every suite that was selected."""
        config = session.config
        controller = config.pluginmanager.get_plugin(CONTROLLER)
        items = controller.collect(session) if controller else session.items
        stop_if_broken(session, session.testsfailed)
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            for run in dict.fromkeys(item.run for item in items if isinstance(item, SuiteItem)):
                terminal.write_line("")
                terminal.write(dry_run(run.plan) if run.plan else dry_run_waiting(run.loaded, run.name))
        return True
