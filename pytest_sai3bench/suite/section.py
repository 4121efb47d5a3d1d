"""What every part of a suite has in common."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import AliasChoices, BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from pytest_sai3bench.suite.places import Place


class Section(BaseModel):
    """A mapping of a suite: frozen, without conversions, and complete in its keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty_keys(cls, data: Any) -> Any:
        """A known key without a value counts as not given, so that its default applies."""
        if isinstance(data, dict) and None in data.values():
            known = known_keys(cls)
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return data


class ObjectionsError(ValueError):
    """What a section says about values that are each right but do not fit together; places are relative to it."""

    def __init__(self, *objections: tuple[Place, str]) -> None:
        super().__init__(objections)
        self.objections = objections


@cache
def known_keys(section: type[Section]) -> dict[str, str]:
    """Return the keys of a section with the field each belongs to; a field may have several spellings."""
    keys: dict[str, str] = {}
    for name, field in section.model_fields.items():
        alias = field.validation_alias
        spellings = alias.choices if isinstance(alias, AliasChoices) else [alias or name]
        keys.update((str(spelling), name) for spelling in spellings)
    return keys


def read_description(field: FieldInfo) -> tuple[str, str]:
    """Return how "expected …" goes on for a field, and what the field means: the first sentence and the rest."""
    expected, _, meaning = (field.description or "").partition(". ")
    return expected, meaning


def sections_in(annotation: Any) -> Iterator[type[Section]]:
    """Yield the sections that an annotation mentions, through optional types, lists and unions."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for part in annotation if isinstance(annotation, (tuple, list)) else get_args(annotation):
        yield from sections_in(part)
