"""The seam between a stage and what carries it out: one implementation per kind of storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Iterator, Sequence

    from .balance import Balancer
    from .health import Health
    from .messages import CheckWire, ContactWire
    from .op_log import OpLog
    from .pacing import Pacer
    from .policy import ErrorPolicy
    from .recorder import Segment, Window
    from .tasks import Task


class OperationFailed(OSError):
    """An operation without success that says itself how reports call it: ``kind`` and ``text``."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Source(Protocol):
    """Where operations come from; may be called from many threads."""

    def take(self) -> Task | None:
        """Return the next operation, or None when there is none left."""


class Control(Protocol):
    """The stage's hold on the load."""

    def check(self, now_ns: int) -> bool:
        """Do what is due (ticks, messages); True when the load must stop. Called every 50 ms or so."""


class Load(NamedTuple):
    """What an engine needs to carry out a stage; finished segments go into ``done``.

    With a ``pacer`` each operation begins at an instant of it, or at once when that has passed. With an ``op_log`` every
    attempt is noted there.
    """

    source: Source
    window: Window
    done: deque[Segment]
    balancer: Balancer
    policy: ErrorPolicy
    health: Health
    control: Control
    pacer: Pacer | None = None
    op_log: OpLog | None = None


class Engine(Protocol):
    """Carries out operations on the endpoints of one plan.

    Names and keys are relative to an endpoint and in the form that the engine itself yields (percent-encoded for S3).
    `RequestFailed` is raised where the storage does not answer as it should. ``times_first_byte`` says whether it knows
    when the first byte of a get arrived, ``cpu_cores`` how many cores one worker can keep busy.
    """

    read_sink: str
    threads: bool
    times_first_byte: bool
    cpu_cores: int

    def check(self, *, write: bool) -> list[CheckWire]:
        """Try every endpoint; ``write`` asks whether objects can be made, too."""

    def encode(self, path: str) -> str:
        """Return a path of the plan in the form of the engine's names."""

    def decode(self, name: str) -> str:
        """Return a name of the engine in the form of paths in the plan."""

    def exists(self, name: str, endpoint: int = 0) -> bool:
        """Tell whether an object is there, on one endpoint."""

    def names(self, folder: str, *, recursive: bool, endpoint: int = 0) -> Iterator[str]:
        """Yield the names of the objects below ``folder``, on one endpoint."""

    def make_folder(self, folder: str) -> None:
        """Make sure that objects can be put into ``folder``."""

    def remove_folders(self) -> bool:
        """Remove the folders that `make_folder` made, as far as they are empty; True when one is not."""

    def open(self, lanes: int = 0) -> None:
        """Get ready to keep so many operations going, so that the first costs no more than the others; 0 as the plan says."""

    def settled(self, window: Window, now_ns: int) -> int:
        """Return the first interval of ``window`` of which something may still be handed over, called as `Control.check`."""

    def run(self, load: Load) -> int:
        """Work until nothing is left to do; return the number of operations that were cut off by a stop."""

    def contacts(self) -> list[ContactWire]:
        """Return how each endpoint was reached since `open`."""

    @property
    def left_behind(self) -> Sequence[str]:
        """What may remain in the storage of uploads that did not end, after the last `run`; empty as a rule."""

    def close(self) -> None:
        """Let go of everything."""
