"""The entries of ``thresholds``: a rule, and what becomes of it when it is not met.

The grammar of the rules themselves belongs to another layer; here they are text.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pytest_sai3bench.suite.scalars import Severity, Text
from pytest_sai3bench.suite.section import Section
from pytest_sai3bench.suite.wording import found

_RULE = "text such as 'get.p99 < 20 ms'"


class Threshold(Section):
    """One rule; ``severity: warn`` only warns, ``xfail`` says why it is expected to fail, ``skip`` why it is not judged.

    ``stage`` names the only one of several stages with the workload that is judged.
    """

    rule: Text = Field(description=_RULE + ". An entry may also be this text alone.")
    severity: Severity = Field(
        default="fail", description="fail or warn. With warn a rule that is not met passes with a warning."
    )
    xfail: Text | None = Field(
        default=None, description="the reason. The test is expected to fail, and this is why."
    )
    skip: Text | None = Field(
        default=None, description="the reason. The rule is not judged, and this is why; its test is skipped."
    )
    stage: Text | None = Field(
        default=None,
        description="the name of a stage. Judge the workload of this stage only; by default that of each is judged.",
    )


def _read_text(value: object) -> object:
    if isinstance(value, (dict, Threshold)):
        return value
    if isinstance(value, str) and value.strip():
        return {"rule": value}
    raise ValueError(f"{found(value)} is not a threshold: expected {_RULE}, or a mapping with 'rule'")


Rule = Annotated[Threshold, BeforeValidator(_read_text, json_schema_input_type=Threshold | str)]
