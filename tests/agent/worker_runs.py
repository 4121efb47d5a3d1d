"""A worker led through its stages, as the controller does it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.agent.messages import SECTIONS
from pytest_sai3bench.agent.recorder import Totals
from pytest_sai3bench.agent.stages import Worker

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.agent.recorder import Segment
    from pytest_sai3bench.agent.sigv4 import Credentials
    from pytest_sai3bench.agent.tls import TlsSettings
    from pytest_sai3bench.plan import model


class Reins:
    """The control of a stage as the controller has it; stops when ``stop_when`` says so."""

    def __init__(
        self, endpoints: int, stop_when: Callable[[], bool] = lambda: False, *, times_first_byte: bool = True
    ) -> None:
        self.done: deque[Segment] = deque()
        self.totals = Totals(endpoints, times_first_byte=times_first_byte)
        self.segments: list[Segment] = []
        self._stop_when = stop_when

    def check(self, now_ns: int) -> bool:
        while self.done:
            segment = self.done.popleft()
            self.segments.append(segment)
            self.totals.add(segment)
        return self._stop_when()

    def counts(self, *sections: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Return operations and bytes by operation and endpoint."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for section, series in self.totals.sections_wire().items():
            for wire in series:
                if section in (sections or SECTIONS):
                    count, size = found.get((wire["op"], wire["endpoint"]), (0, 0))
                    found[wire["op"], wire["endpoint"]] = (count + wire["count"], size + wire["bytes"])
        return found

    def counts_of(self, role: str) -> dict[tuple[str, int], tuple[int, int]]:
        """Return as `counts` does, but only what has one of the roles of `messages.ROLES`."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for series in self.totals.sections_wire().values():
            for wire in series:
                if wire["role"] == role:
                    count, size = found.get((wire["op"], wire["endpoint"]), (0, 0))
                    found[wire["op"], wire["endpoint"]] = (count + wire["count"], size + wire["bytes"])
        return found

    def errors(self) -> list[tuple[str, int, str, int, str]]:
        """Return operation, endpoint, kind, number and first text of all failures."""
        return [
            (each["op"], each["endpoint"], each["kind"], each["count"], each["sample"])
            for each in self.totals.errors_wire()
        ]


@dataclass
class Run:
    """A worker led through its stages as the controller would do it."""

    plan: model.WorkerPlan
    credentials: Credentials | None = None
    tls: TlsSettings | None = None
    reins: Reins = field(init=False)
    worker: Worker = field(init=False)

    def __post_init__(self) -> None:
        self.worker = Worker(self.plan.to_wire(), self.credentials, self.tls)

    def check(self) -> list[tuple[str, str]]:
        """Return kind and detail of the check of each endpoint."""
        checks = self.worker.check()
        assert [check["endpoint"] for check in checks] == list(range(len(self.plan.endpoints)))
        return [(check["kind"], check["detail"]) for check in checks]

    def stage(
        self,
        number: int,
        stop_when: Callable[[], bool] = lambda: False,
        once_ready: Callable[[], object] = lambda: None,
        change: Callable[[Any], Any] = lambda source: source,
    ) -> Any:
        """Run one stage and return its result, which has to be the sum of all that was handed over before.

        ``change`` may put another source in the place of the stage's own.
        """
        timed = self.worker.engine.times_first_byte
        self.reins = Reins(len(self.plan.endpoints), stop_when, times_first_byte=timed)
        prepared = self.worker.prepare(number, lambda: None)
        prepared = prepared._replace(source=change(prepared.source))
        once_ready()
        result = self.worker.run(prepared, monotonic_ns(), self.reins, self.reins.done, self.reins.totals)
        assert not self.reins.done
        assert result["sections"] == self.reins.totals.sections_wire()
        return result

    def all_stages(self) -> list[Any]:
        """Check the endpoints, run every stage, and let go of everything."""
        assert {kind for kind, _ in self.check()} == {""}
        results = [self.stage(number) for number in range(len(self.plan.stages))]
        self.worker.close()
        return results
