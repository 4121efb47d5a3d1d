"""The stages of a run that says itself what it does, in which order, and who waits for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, model_validator

from pytest_sai3bench.suite.scalars import (
    BarrierType,
    Completion,
    Count,
    PositiveCount,
    PositiveDuration,
    StageType,
    Text,
)
from pytest_sai3bench.suite.section import ObjectionsError, Section

if TYPE_CHECKING:
    from pytest_sai3bench.suite.places import Place

# The keys of each type, and its completions; the first of these is its default.
KEYS_OF: dict[str, tuple[str, ...]] = {
    "validation": (),
    "prepare": ("expected_objects",),
    "execute": ("duration",),
    "hybrid": ("max_duration", "expected_tasks"),
    "custom": ("command", "args"),
    "cleanup": ("expected_objects",),
}
COMPLETIONS_OF: dict[str, tuple[str, ...]] = {
    "validation": ("validation_passed",),
    "prepare": ("tasks_done", "duration_or_tasks"),
    "execute": ("duration", "duration_or_tasks"),
    "hybrid": ("duration_or_tasks",),
    "custom": ("script_exit", "duration_or_tasks"),
    "cleanup": ("tasks_done", "duration_or_tasks"),
}
# Without these a stage cannot be done.
_REQUIRED = {"execute": "duration", "custom": "command"}
_EXPECTED = {"duration": "a duration such as 60s", "command": "the name of a program"}


class Barrier(Section):
    """What becomes of a run when agents fail in a stage, or are lost."""

    type: BarrierType = Field(
        description=(
            "all_or_nothing, majority or best_effort. "
            "The run goes on when every agent, more than half of them, or one of them came through; the others are "
            "a note. In sai3-bench the type of `barrier_sync.prepare` counts for all stages."
        )
    )


class BarrierSync(Section):
    """The barriers of stages that have none of their own."""

    enabled: bool = Field(
        default=False,
        description="true or false. Without it these barriers have no effect: a stage then has all_or_nothing.",
    )
    validation: Barrier | None = Field(default=None, description="the barrier of stages of this type.")
    prepare: Barrier | None = Field(default=None, description="the barrier of stages of this type.")
    execute: Barrier | None = Field(
        default=None, description="the barrier of stages of this type. And of custom and hybrid ones."
    )
    cleanup: Barrier | None = Field(default=None, description="the barrier of stages of this type.")


class StageSettings(Section):
    """The keys of a stage that depend on its type, as sai3-bench's documentation writes them: apart from the others."""

    type: StageType | None = Field(
        default=None,
        description=(
            "validation, prepare, execute, hybrid, custom or cleanup. "
            "`validation` checks the endpoints again. `prepare` makes the objects of `prepare`. `execute` runs the "
            "workload for its `duration`, `hybrid` for at most `max_duration` and `expected_tasks`. `custom` runs a "
            "command on the host of every agent. `cleanup` removes what the run has made so far."
        ),
    )
    duration: PositiveDuration | None = Field(
        default=None,
        description="a duration such as 60s. Of `execute`, required there: the measured time, in place of the top-level one.",
    )
    max_duration: PositiveDuration | None = Field(
        default=None,
        description="a duration such as 60s. Of `hybrid`: the longest measured time, by default the top-level `duration`.",
    )
    expected_tasks: PositiveCount | None = Field(
        default=None,
        description="a number of operations. Of `hybrid`: after so many, of all agents together, the stage ends.",
    )
    expected_objects: Count | None = Field(
        default=None,
        description="a number of objects. Of `prepare` and `cleanup`: a note says when the suite has another number of them.",
    )
    command: Text | None = Field(
        default=None,
        description=(
            "a program. Of `custom`, required there: run once on the host of every agent, without a shell. "
            "When it ends with another status than 0 the stage has failed."
        ),
    )
    args: tuple[str, ...] = Field(
        default=(), description="a list of texts. Of `custom`: what follows the command."
    )


class Stage(StageSettings):
    """One stage of a run; all agents begin it together."""

    name: Text = Field(description="some words. The name in reports and files, each once.")
    order: Count = Field(description="a whole number. Stages run in this order, each number once.")
    completion: Completion | None = Field(
        default=None,
        description=(
            "duration, tasks_done, script_exit, validation_passed or duration_or_tasks. "
            "It has to fit the type, from which it follows. sai3-bench wants it written for all but execute."
        ),
    )
    barrier: Barrier | None = Field(
        default=None,
        description="who has to come through. By default the one of `barrier_sync`, else all_or_nothing.",
    )
    timeout_secs: PositiveDuration | None = Field(
        default=None,
        description=(
            "a duration such as 10m. When the stage takes longer it has failed, and its agents stop. "
            "In sai3-bench a plain number, without effect."
        ),
    )
    optional: bool = Field(
        default=False,
        description="true or false. When the stage fails that is a note, and the run goes on. Without effect in sai3-bench.",
    )
    config: StageSettings | None = Field(
        default=None, description="the keys of the type. They may as well stand beside the others."
    )

    @property
    def settings(self) -> StageSettings:
        """The keys that depend on the type, wherever they are written."""
        inner = self.config.model_fields_set if self.config else ()
        return StageSettings.model_construct(
            **{
                name: getattr(self.config if name in inner else self, name)
                for name in StageSettings.model_fields
            }
        )

    def spot(self, key: str) -> Place:
        """Return the place of such a key."""
        return ("config", key) if self.config and key in self.config.model_fields_set else (key,)

    @model_validator(mode="after")
    def _check_settings(self) -> Stage:
        objections: list[tuple[Place, str]] = [
            (("config", key), f"'{key}' stands beside 'config', too: expected one of them")
            for key in StageSettings.model_fields
            if self.config and key in self.config.model_fields_set & self.model_fields_set
        ]
        settings = self.settings
        if settings.type is None:
            objections.append(((), f"'type' is missing: expected one of {', '.join(KEYS_OF)}"))
            raise ObjectionsError(*objections)
        allowed = COMPLETIONS_OF[settings.type]
        if self.completion and self.completion not in allowed:
            text = f"'completion: {self.completion}' does not fit 'type: {settings.type}': expected {' or '.join(allowed)}"
            objections.append((("completion",), text))
        needed = _REQUIRED.get(settings.type)
        if needed and getattr(settings, needed) is None:
            objections.append(((), f"'{needed}' is missing: expected {_EXPECTED[needed]}"))
        least_s = settings.duration if settings.type == "execute" else None
        if least_s and self.timeout_secs and self.timeout_secs < least_s:
            text = f"{self.timeout_secs:g} s are over before the duration of {least_s:g} s: expected more"
            objections.append((("timeout_secs",), text))
        if objections:
            raise ObjectionsError(*objections)
        return self


class PlacedStage(NamedTuple):
    """A stage, where it is written, and the type of its barrier."""

    place: Place
    stage: Stage
    barrier: str


def arrange(stages: tuple[Stage, ...], outer: Place, sync: BarrierSync | None) -> tuple[PlacedStage, ...]:
    """Return the stages of a list in their order, each with its barrier; ``outer`` is the place of the list."""
    placed = [
        PlacedStage((*outer, index), stage, _barrier(stage, sync)) for index, stage in enumerate(stages)
    ]
    return tuple(sorted(placed, key=lambda each: each.stage.order))


def _barrier(stage: Stage, sync: BarrierSync | None) -> str:
    kind = stage.settings.type
    own = stage.barrier
    if own is None and sync is not None and sync.enabled:
        own = getattr(sync, "execute" if kind in ("custom", "hybrid") else str(kind))
    return own.type if own else "all_or_nothing"
