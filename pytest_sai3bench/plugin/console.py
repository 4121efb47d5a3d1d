"""The user's terminal while an item runs: past pytest's capture, and without spoiling pytest's own lines."""

from __future__ import annotations

from contextlib import nullcontext
from time import monotonic_ns
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.observer import Observer
from pytest_sai3bench.plugin.terminal import width_of
from pytest_sai3bench.reports.endpoints import endpoint_list
from pytest_sai3bench.reports.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    import pytest

    from pytest_sai3bench.agent.messages import TickWire
    from pytest_sai3bench.plan.model import RunPlan, WorkerPlan
    from pytest_sai3bench.results.model import PhaseResult

# From line to line.
EVERY_S = 10
# Ticks of a second are on their way for that long.
_GRACE_S = 1
_NS_PER_S = 1_000_000_000


class Console:
    """Shows lines while ``item`` runs; call it from the main thread only, for capturing is one for the process."""

    def __init__(self, item: pytest.Item) -> None:
        manager = item.config.pluginmanager
        self._terminal: pytest.TerminalReporter | None = manager.get_plugin("terminalreporter")
        self._capture = manager.get_plugin("capturemanager")
        self._writer = item.config.get_terminal_writer() if self._terminal else None
        self._nodeid = item.nodeid
        self._wrote = False

    def show(self, lines: Iterable[str]) -> None:
        """Write whole lines."""
        if self._terminal is None:
            return
        with self._uncaptured():
            self._terminal.ensure_newline()
            if self._writer and self._writer.width_of_current_line:
                # Where pytest shows no names of files, it does not know that it is in the middle of a line.
                self._terminal.write_line("")
            for line in lines:
                self._terminal.write_line(line)
            self._terminal.flush()
        self._wrote = True

    def rest(self) -> None:
        """Let pytest go on: the outcome of the item stands behind the name of its file, as ever."""
        terminal = self._terminal
        # With -v the whole name is written together with the outcome.
        if self._wrote and terminal and terminal.showfspath and not terminal.showlongtestinfo:
            with self._uncaptured():
                terminal.write_fspath_result(self._nodeid, "")
        self._wrote = False

    def _uncaptured(self) -> AbstractContextManager[None]:
        return self._capture.global_and_fixture_disabled() if self._capture else nullcontext()


class PlainLines(Observer):
    """Shows the endpoints at once, and a line every `EVERY_S` seconds of each stage."""

    def __init__(self, plan: RunPlan, console: Console, *, everything: bool, width: int) -> None:
        self._plan = plan
        self._console = console
        self._width = width
        self._progress = Progress(plan)
        self._start_ns: int | None = None
        self._next_s = EVERY_S
        console.show(endpoint_list(plan, width, everything=everything))

    def began(self, stage: int, start_ns: int) -> None:
        """Begin to count."""
        begun = self._plan.workers[0].stages[stage]
        self._progress.begin(begun)
        self._start_ns = start_ns
        # So that lines tell of whole decades of the measured time, and the last one of a warm-up of its end.
        self._next_s = EVERY_S + int(begun.warmup_s) % EVERY_S

    def ticked(self, worker: WorkerPlan, tick: TickWire) -> None:
        """Keep it for the next line."""
        self._progress.take(worker, tick)

    def pulse(self) -> None:
        """Show the next line when it is time."""
        if self._start_ns is None:
            return
        elapsed_s = (monotonic_ns() - self._start_ns) // _NS_PER_S - _GRACE_S
        if elapsed_s >= self._next_s:
            until_s = elapsed_s - (elapsed_s - self._next_s) % EVERY_S
            self._console.show(self._progress.tell(until_s, self._width))
            self._next_s = until_s + EVERY_S

    def ended(self, phase: PhaseResult) -> None:  # noqa: ARG002 - the summary shows it
        """Have done."""
        self._start_ns = None


def watch(plan: RunPlan, item: pytest.Item) -> tuple[Console, list[Observer]]:
    """Return the console of the run that ``item`` owns, and who shows there how it goes: ``--sai3-progress`` decides.

    ``plan`` is bound to addresses.
    """
    config = item.config
    console = Console(item)
    choice = config.getoption("sai3_progress")
    is_quiet = choice == "none" or (choice == "auto" and config.get_verbosity() < 0)
    if is_quiet or not config.pluginmanager.hasplugin("terminalreporter"):
        return console, []
    everything = config.get_verbosity() > 0
    return console, [PlainLines(plan, console, everything=everything, width=width_of(config))]
