"""Parts of the measured time of a workload, cut from its intervals and joined again."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pytest_sai3bench.results.model import PhaseResult, total_by_key
from pytest_sai3bench.units import format_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_sai3bench.results.timeline import Interval


@dataclass(frozen=True)
class Window(PhaseResult):
    """What completed between two instants, in seconds from the begin of the measured time, read like a whole phase.

    It knows nothing about the agents but their names.
    """

    start_s: float = 0.0
    end_s: float = 0.0
    agent_names: tuple[str, ...] = ()

    @property
    def window_s(self) -> float:
        """Its length in seconds."""
        return self.end_s - self.start_s

    def __str__(self) -> str:
        return f"{format_seconds(self.start_s) if self.start_s else '0 s'} to {format_seconds(self.end_s)}"


def cut(
    interval: Interval,
    *,
    warmup_s: float,
    duration_s: float,
    endpoints: tuple[str, ...],
    agents: tuple[str, ...],
) -> Window | None:
    """Return what of an interval belongs to the measured time and its tail; None for the warm-up.

    What only has a tail is a window without length.
    """
    start_s = max(interval.start_s - warmup_s, 0.0)
    end_s = min(interval.end_s - warmup_s, duration_s)
    if end_s <= 0:
        return None
    parts = (interval.sections.get(section, {}).items() for section in ("measured", "tail"))
    series = total_by_key(chain.from_iterable(parts))
    return Window(
        "workload", endpoints, (), series, start_s=min(start_s, end_s), end_s=end_s, agent_names=agents
    )


def join(windows: Sequence[Window]) -> Window:
    """Return the window from the start of the first to the end of the last of ``windows``, which has what all have."""
    first, last = windows[0], windows[-1]
    if len(windows) == 1:
        return first
    series = total_by_key(chain.from_iterable(window.series.items() for window in windows))
    return Window(
        first.phase,
        first.endpoints,
        (),
        series,
        start_s=first.start_s,
        end_s=last.end_s,
        agent_names=first.agent_names,
    )
