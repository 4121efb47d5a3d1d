"""What is wrong, or doubtful, in the stages of a suite as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.suite.places import Finding, Place
from pytest_sai3bench.suite.stages import KEYS_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.stages import Stage

_LISTS: tuple[Place, ...] = (("stages",), ("distributed", "stages"))


def stages_are_in_order(suite: Suite) -> Iterator[Finding]:
    """Yield what speaks against names and orders, and against two lists."""
    if suite.stages and suite.distributed and suite.distributed.stages:
        yield Finding(("stages",), "'distributed.stages' is given, too: expected one of them")
    for outer, stages in _lists(suite):
        for key in ("name", "order"):
            first_of: dict[object, int] = {}
            for index, stage in enumerate(stages):
                value = getattr(stage, key)
                first = first_of.setdefault(value, index)
                if first != index:
                    shown = f"'{value}'" if key == "name" else str(value)
                    text = f"{shown} is also the {key} of stages[{first}]: expected each {key} once"
                    yield Finding((*outer, index, key), text)
        by_order = sorted(range(len(stages)), key=lambda index: stages[index].order)
        for before, index in zip(by_order, by_order[1:]):
            low, high = stages[before].order, stages[index].order
            if high > low + 1:
                text = f"the order jumps from {low} to {high}: is a stage missing?"
                yield Finding((*outer, index, "order"), text, "warning")


def keys_fit_types(suite: Suite) -> Iterator[Finding]:
    """Yield the keys of stages that mean nothing to their type."""
    for outer, stages in _lists(suite):
        for index, stage in enumerate(stages):
            kind = str(stage.settings.type)
            given = stage.model_fields_set | (stage.config.model_fields_set if stage.config else set())
            for key in [key for keys in dict.fromkeys(KEYS_OF.values()) for key in keys]:
                if key in given and key not in KEYS_OF[kind]:
                    text = f"'{key}' has no effect on a stage of type {kind}"
                    yield Finding((*outer, index, *stage.spot(key)), text, "tolerated")


def stages_say_what_is_removed(suite: Suite) -> Iterator[Finding]:
    """Yield the keys of prepare that have no say beside stages."""
    if not suite.sequence:
        return
    if suite.prepare.cleanup:
        text = "'cleanup' has no effect beside 'stages': a stage of type cleanup removes what the run made"
        yield Finding(("prepare", "cleanup"), text, "warning")
    if suite.prepare.cleanup_only:
        text = "'cleanup_only' has no effect beside 'stages': without them a run only removes the objects that are there"
        yield Finding(("prepare", "cleanup_only"), text, "warning")


def rules_have_a_workload(suite: Suite) -> Iterator[Finding]:
    """Yield thresholds that no stage could meet, and the names of stages that do not run the workload."""
    names = suite.workloads
    for index, rule in enumerate(suite.thresholds):
        place: Place = ("thresholds", index)
        if suite.sequence and not names:
            text = "no stage runs the workload: expected one of type execute or hybrid"
            yield Finding(place, text)
        elif rule.stage is not None and rule.stage not in names:
            expected = f"one of {', '.join(names)}" if names else "'stages'"
            text = f"'{rule.stage}' is no stage that runs the workload: expected {expected}"
            yield Finding((*place, "stage"), text)


def _lists(suite: Suite) -> Iterator[tuple[Place, tuple[Stage, ...]]]:
    yield _LISTS[0], suite.stages
    if suite.distributed:
        yield _LISTS[1], suite.distributed.stages
