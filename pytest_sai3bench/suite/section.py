"""What every part of a suite has in common."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, model_validator

if TYPE_CHECKING:
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
