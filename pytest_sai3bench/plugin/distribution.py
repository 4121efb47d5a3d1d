"""Suites beside pytest-xdist: workers leave them out, the controller runs them alone when the workers are done.

A worker cannot measure while its siblings load the same machine, and it has neither the terminal nor a say in when
others run. So the controller, which normally runs nothing, collects once more, suites only, and runs them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.plugin.state import MEASURING_FILES, MET_SUITES, SUFFIXES, uses_fixture

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence


def measures(item: pytest.Item) -> bool:
    """Tell whether an item is to run alone: that of a suite, or a test with the fixture ``sai3bench``."""
    from pytest_sai3bench.plugin.items import SuiteItem  # noqa: PLC0415 - only where there are suites

    return isinstance(item, SuiteItem) or uses_fixture(item)


def leave_out(items: list[pytest.Item], config: pytest.Config) -> None:
    """Drop what measures from the items of a worker and tell the controller, or let it be skipped."""
    measuring = [item for item in items if measures(item)]
    if config.getoption("sai3_xdist") == "skip":
        config.workeroutput.pop(MET_SUITES, None)  # type: ignore[attr-defined]
        for item in measuring:
            item.add_marker(pytest.mark.skip(reason="nothing is measured beside xdist (--sai3-xdist=skip)"))
        return
    config.workeroutput |= {  # type: ignore[attr-defined]
        MET_SUITES: True,
        MEASURING_FILES: sorted({str(item.path) for item in measuring}),
    }
    items[:] = [item for item in items if item not in measuring]


class Controller:
    """The plugin in the controller of xdist."""

    def __init__(self) -> None:
        self._met_suites = False
        self._files: frozenset[Path] = frozenset()
        self._broken = 0
        self._collecting = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Learn whether there are suites at all: most sessions have none and must not notice us."""
        # A worker that crashed has no output.
        output = getattr(node, "workeroutput", {})
        self._met_suites |= output.get(MET_SUITES, False)
        self._files |= frozenset(map(Path, output.get(MEASURING_FILES, ())))

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
        """Collect suites and files with tests that measure; other files are neither read nor imported here."""
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
        config.args = [one for one in arguments if not self._is_other(directory / one.partition("::")[0])]
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
        return True if self._collecting and self._is_other(collection_path) else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what measures only: there are other items in these files."""
        items[:] = [item for item in items if measures(item)]

    def _is_other(self, path: Path) -> bool:
        return path.suffix.lower() not in SUFFIXES and path not in self._files and path.is_file()

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
