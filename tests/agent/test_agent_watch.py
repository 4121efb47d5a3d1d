"""What a worker notices about itself; the clocks are arguments here."""

from __future__ import annotations

from pytest_sai3bench.agent.recorder import Window
from pytest_sai3bench.agent.watch import Watch

MS = 1_000_000


class Answering:
    """A control that remembers when it was asked, and stops after 5 ns."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def check(self, now_ns: int) -> bool:
        self.asked.append(now_ns)
        return now_ns > 5


def watch() -> Watch:
    return Watch(Answering(), Window(0, 100 * MS, 1100 * MS))


def test_the_share_of_a_core_is_that_of_the_window_alone() -> None:
    watched = watch()
    for now_ms, cpu_ms in ((0, 1000), (50, 2000), (110, 3000), (600, 3300), (1090, 3490), (1150, 9000)):
        watched.look(now_ms * MS, cpu_ms * MS)

    assert watched.cpu_share == 0.5
    assert watched.longest_pause_ns == 490 * MS


def test_a_time_that_is_too_short_says_nothing() -> None:
    watched = watch()
    assert watched.cpu_share == -1.0
    watched.look(150 * MS, 0)
    watched.look(349 * MS, 100 * MS)
    assert watched.cpu_share == -1.0
    watched.look(350 * MS, 100 * MS)
    assert watched.cpu_share == 0.5


def test_the_control_behind_it_decides() -> None:
    control = Answering()
    watched = Watch(control, Window(0, 0, 10))

    assert [watched.check(now) for now in (1, 9)] == [False, True]
    assert control.asked == [1, 9]
