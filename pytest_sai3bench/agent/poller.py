"""Readiness of many sockets: epoll on Linux, the best of `selectors` elsewhere, behind one small interface."""

from __future__ import annotations

import select
import selectors
from typing import Callable, Protocol

READ = 1
WRITE = 4
# Above this number select knows no descriptors.
_SELECTABLE = 1024


class Poller(Protocol):
    """Masks are `READ` and `WRITE`; errors and hang-ups wake a socket too, with other bits set."""

    def register(self, fd: int, mask: int, /) -> None:
        """Begin to watch ``fd``."""

    def modify(self, fd: int, mask: int, /) -> None:
        """Change what ``fd`` is watched for."""

    def unregister(self, fd: int, /) -> None:
        """Stop watching ``fd``; call it before closing."""

    def poll(self, timeout_s: float, most: int, /) -> list[tuple[int, int]]:
        """Return (fd, mask) of what is ready, waiting up to ``timeout_s``."""

    def close(self) -> None:
        """Free the poller."""


class _Selector:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, mask: int) -> None:
        self._selector.register(fd, self._events(mask))

    def modify(self, fd: int, mask: int) -> None:
        self._selector.modify(fd, self._events(mask))

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def poll(self, timeout_s: float, most: int) -> list[tuple[int, int]]:
        ready = self._selector.select(timeout_s)[:most]
        return [
            (
                key.fd,
                (READ if events & selectors.EVENT_READ else 0)
                | (WRITE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in ready
        ]

    def close(self) -> None:
        self._selector.close()

    @staticmethod
    def _events(mask: int) -> int:
        return (selectors.EVENT_READ if mask & READ else 0) | (selectors.EVENT_WRITE if mask & WRITE else 0)


def make_fine_wait(poller: Poller) -> Callable[[float], object] | None:
    """Return a function that waits, at most so many seconds, until something is ready, with all the system's precision.

    epoll counts in milliseconds, select in microseconds, and an epoll can be selected. None when that is not possible,
    or not necessary.
    """
    if not hasattr(select, "epoll") or not isinstance(poller, select.epoll) or poller.fileno() >= _SELECTABLE:
        return None
    fds = [poller.fileno()]
    return lambda timeout_s: select.select(fds, (), (), timeout_s)


def make_poller(*, portable: bool = False) -> Poller:
    """Return epoll where the system has it, unless ``portable`` asks for the fallback."""
    if hasattr(select, "epoll") and not portable:
        # READ and WRITE are EPOLLIN and EPOLLOUT.
        return select.epoll()
    return _Selector()
