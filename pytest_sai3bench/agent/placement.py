"""Where an object lives when the endpoints do not all show the same ones: the rules of ``namespace``.

``shared``: every endpoint shows every object, the strategy chooses. ``independent``: each object is on one endpoint.
``replicated``: every endpoint has an object of its own under every name.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .tasks import everywhere

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .tasks import Homes


class Placement(NamedTuple):
    """The rule, and the place of this worker among others.

    It is number ``process`` of the ``processes`` of its agent. ``sharers`` says for each of its endpoints which of the
    workers that drive it this one is, and how many they are.
    """

    namespace: str
    endpoints: int
    process: int
    processes: int
    sharers: Sequence[Sequence[int]]

    @property
    def is_single(self) -> bool:
        """Whether each object is on one endpoint."""
        return self.namespace == "independent"

    @property
    def listed(self) -> Sequence[int]:
        """The endpoints that have to be listed to find all objects that there are."""
        return range(self.endpoints) if self.is_single else (0,)

    def decides(self, kind: str) -> bool:
        """Tell whether every task of such a stage says on which endpoint it is done."""
        return self.is_single or (self.namespace == "replicated" and kind != "workload")

    def homes_of_prepared(self, shares: int) -> Homes:
        """Return where the objects of prepare live, each by its number; an agent's own are spread evenly.

        The ``shares`` are those of all workers. What an agent makes in all is counted through, and object n of that
        lives on endpoint n modulo the number of its endpoints: with one agent n is the number of the object.
        """
        return partial(self._home_of_prepared, shares) if self.is_single else everywhere

    def _home_of_prepared(self, shares: int, number: int) -> int:
        return (number // shares * self.processes + self.process) % self.endpoints

    def homes_of_files(self) -> Homes:
        """Return where the files of a tree live, each by its number: the same for all agents, whoever makes them."""
        return self._home_of_file if self.is_single else everywhere

    def _home_of_file(self, number: int) -> int:
        return number % self.endpoints

    def homes_of_new(self) -> Homes:
        """Return where new objects of this worker live, each by its number; every worker begins at another endpoint."""
        return self._home_of_new if self.is_single else everywhere

    def _home_of_new(self, number: int) -> int:
        return (number + self.process) % self.endpoints

    def places_of_new(self) -> Sequence[Homes]:
        """Return where new objects have to be removed: in the place of each, or on every endpoint where none is known."""
        if self.namespace != "replicated":
            return (self.homes_of_new(),)
        return [partial(always, endpoint) for endpoint in range(self.endpoints)]


def always(endpoint: int, _number: int) -> int:
    """Return ``endpoint`` for any number."""
    return endpoint


def make_placement(plan: dict[str, Any]) -> Placement:
    """Return the rule of a worker's plan."""
    return Placement(
        plan["namespace"], len(plan["endpoints"]), plan["process"], plan["processes"], plan["sharers"]
    )
