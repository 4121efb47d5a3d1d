from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.plan.model import EndpointRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_sai3bench.plan.model import RunPlan

_SUITE = """
multi_endpoint: {%s, endpoints: ["file:///m1/", "file:///m2/"]}
distributed:
  agents:
    - {address: localhost, id: as-all}
    - {address: localhost, id: own, multi_endpoint: {eject_time: 1m, endpoints: ["file:///m3/"]}}
    - {address: localhost, id: other, target_override: "file:///m4/"}
workload: [{op: list, path: data/, weight: 1}]
"""


@pytest.mark.parametrize(
    ("keys", "rules"),
    [
        ("strategy: round_robin", EndpointRules("fail", 5, 10.0, 5.0)),
        ("endpoint_failure: Continue", EndpointRules("continue", 5, 10.0, 5.0)),
        (
            "endpoint_failure: eject, eject_time: 250ms, eject_after: 3, suspect_after: 2",
            EndpointRules("eject", 3, 0.25, 2.0),
        ),
    ],
)
def test_what_a_suite_says_about_failing_endpoints(
    plan_of: Callable[[str], RunPlan], keys: str, rules: EndpointRules
) -> None:
    as_all, own, other = plan_of(_SUITE % keys).workers

    assert as_all.endpoint_rules == rules
    # An agent's own block says what is different.
    assert own.endpoint_rules == EndpointRules(rules.failure, rules.eject_after, 60.0, rules.suspect_after_s)
    assert other.endpoint_rules == EndpointRules()
    assert as_all.to_wire()["endpoint_rules"] == {
        "failure": rules.failure,
        "eject_after": rules.eject_after,
        "eject_time_s": rules.eject_time_s,
        "suspect_after_s": rules.suspect_after_s,
    }
