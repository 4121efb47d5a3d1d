"""Suites beside pytest-xdist: workers leave them out, the controller runs them alone when the workers are done.

A worker cannot measure while its siblings load the same machine, and it has neither the terminal nor a say in when
others run. So the controller, which normally runs nothing, collects once more, suites only, and runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.plugin.items import SuiteItem
from pytest_sai3bench.plugin.state import SECOND_PHASE

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


def keep_items_of_this_process(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Drop suites on a worker, and everything else in the controller's second phase."""
    if hasattr(config, "workerinput"):
        items[:] = [item for item in items if not isinstance(item, SuiteItem)]
    elif config.stash.get(SECOND_PHASE, False):
        items[:] = [item for item in items if isinstance(item, SuiteItem)]


def run_suites(session: pytest.Session) -> None:
    """Collect the suites and run their items, as pytest's own loop would."""
    if session.shouldfail or session.shouldstop:
        return
    distributed = session.testscollected
    items = collect_suites(session)
    session.testscollected = distributed + len(items)
    for position, item in enumerate(items):
        following = items[position + 1] if position + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)


def collect_suites(session: pytest.Session) -> Sequence[pytest.Item]:
    """Collect the suites alone, in the controller, which has collected nothing before."""
    session.config.stash[SECOND_PHASE] = True
    try:
        return session.perform_collect()
    finally:
        session.config.stash[SECOND_PHASE] = False
