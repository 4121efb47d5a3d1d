"""Suites beside pytest-xdist: workers leave them out, the controller runs them alone when the workers are done.

A worker cannot measure while its siblings load the same machine, and it has neither the terminal nor a say in when
others run. So the controller, which normally runs nothing, collects once more, suites only, and runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plugin.state import MET_SUITES, SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path


def leave_out_suites(items: list[pytest.Item]) -> None:
    """Drop the items of suites."""
    from pytest_sai3bench.plugin.items import SuiteItem  # noqa: PLC0415 - only where there are suites

    items[:] = [item for item in items if not isinstance(item, SuiteItem)]


class Controller:
    """The plugin in the controller of xdist."""

    def __init__(self) -> None:
        self._met_suites = False
        self._broken = 0
        self._collecting = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn whether there are suites at all: most sessions have none and must not notice us."""
        # A worker that crashed has no output.
        self._met_suites |= getattr(node, "workeroutput", {}).get(MET_SUITES, False)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count what could not be collected, by workers or by us."""
        self._broken += report.failed

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the suites when the workers are done."""
        outcome = yield
        if self._met_suites and not session.shouldfail and not session.shouldstop:
            self._run_suites(session)
        return outcome

    def collect(self, session: pytest.Session) -> Sequence[pytest.Item]:
        """Collect the suites alone; other files are neither read nor imported here."""
        config = session.config
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line("")
        # All that pytest does around a collection, without xdist, which keeps the controller from collecting.
        collect = config.pluginmanager.subset_hook_caller(
            "pytest_collection", [config.pluginmanager.get_plugin("dsession")]
        )
        arguments = config.args
        directory = config.invocation_params.dir
        config.args = [one for one in arguments if not _is_other_file(directory / one.partition("::")[0])]
        self._collecting = True
        try:
            collect(session=session)
        finally:
            self._collecting = False
            config.args = arguments
        return session.items

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave all files alone that cannot be suites."""
        return True if self._collecting and _is_other_file(collection_path) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep suites only: there are other items in YAML files."""
        from pytest_sai3bench.plugin.items import SuiteItem  # noqa: PLC0415 - only where there are suites

        items[:] = [item for item in items if isinstance(item, SuiteItem)]

    def _run_suites(self, session: pytest.Session) -> None:
        """Collect the suites and run their items, as pytest's own loop would."""
        stop_if_broken(session, self._broken)
        distributed = session.testscollected
        items = self.collect(session)
        session.testscollected = distributed + len(items)
        stop_if_broken(session, self._broken)
        for item, following in zip(items, [*items[1:], None]):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)


def stop_if_broken(session: pytest.Session, errors: int) -> None:
    """Stop the session, as pytest's own loop would, when there were errors of collection."""
    if errors and not session.config.option.continue_on_collection_errors:
        raise session.Interrupted(f"{errors} error{'' if errors == 1 else 's'} during collection")


def _is_other_file(path: Path) -> bool:
    return path.suffix.lower() not in SUFFIXES and path.is_file()
