"""``--sai3-dry-run``: the plans of all collected suites, and nothing else."""

from __future__ import annotations

import pytest

from pytest_sai3bench.plugin.distribution import collect_suites
from pytest_sai3bench.plugin.items import SuiteItem
from pytest_sai3bench.reports.dry_run import dry_run


class DryRun:
    """Takes the place of pytest's own loop over the items."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Write the plan of every suite that was selected."""
        distributed = session.config.pluginmanager.hasplugin("dsession")
        items = collect_suites(session) if distributed else session.items
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            for run in dict.fromkeys(item.run for item in items if isinstance(item, SuiteItem)):
                terminal.write_line("")
                terminal.write(dry_run(run.plan))
        return True
