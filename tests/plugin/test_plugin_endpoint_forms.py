"""Endpoints for all agents, for one, and mixed: who drove what in a real run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_FORMS = """\
name: forms
embedded_server: {mounts: 6}
multi_endpoint:
  strategy: least_connections
  endpoints: ["file://embedded-[1-2]/"]
distributed:
  agents:
    - {address: localhost, id: of-all}
    - address: 127.0.0.1
      id: own
      multi_endpoint: {strategy: round_robin, endpoints: ["file://embedded-3/", "file://embedded-4/"]}
    - {address: localhost, id: own-endpoints, multi_endpoint: {endpoints: ["file://embedded-{4...5}/"]}}
    - {address: localhost, id: own-strategy, multi_endpoint: {strategy: round_robin}}
    - address: localhost
      id: own-target
      multi_endpoint: {enabled: false}
      target_override: file://embedded-6/
duration: 300ms
concurrency: 4
prepare:
  ensure_objects:
    - {base_uri: data/, count: 40, size_spec: 1KiB}
workload:
  - {op: get, path: "data/*", weight: 1}
"""


def test_each_agent_drives_the_endpoints_of_its_form(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("forms.sai3.yaml").write_text(_FORMS)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    folder = pytester.path / "sai3-results" / "latest" / "forms.sai3" / "forms"
    workers = json.loads((folder / "plan.json").read_text())["workers"]
    document = json.loads((folder / "result.json").read_text())
    workload = next(phase for phase in document["phases"] if phase["phase"] == "workload")
    driven: dict[str, set[str]] = {}
    for series in workload["series"]:
        driven.setdefault(series["agent"], set()).add(series["endpoint"])
    assert {worker["agent"]: worker["strategy"] for worker in workers} == {
        "of-all": "least_connections",
        "own": "round_robin",
        "own-endpoints": "least_connections",
        "own-strategy": "round_robin",
        "own-target": "round_robin",
    }
    assert driven == {
        "of-all": {"file://embedded-1/", "file://embedded-2/"},
        "own": {"file://embedded-3/", "file://embedded-4/"},
        "own-endpoints": {"file://embedded-4/", "file://embedded-5/"},
        "own-strategy": {"file://embedded-1/", "file://embedded-2/"},
        "own-target": {"file://embedded-6/"},
    }


def test_a_range_of_addresses_without_agents(pytester: pytest.Pytester) -> None:
    text = _FORMS[: _FORMS.index("distributed:")] + _FORMS[_FORMS.index("duration:") :]
    pytester.path.joinpath("forms.sai3.yaml").write_text(text)
    pytester.runpytest_inprocess().assert_outcomes(passed=2)

    folder = pytester.path / "sai3-results" / "latest" / "forms.sai3" / "forms"
    document = json.loads((folder / "result.json").read_text())
    assert {phase["phase"]: phase["endpoints"] for phase in document["phases"]} == {
        "prepare": ["file://embedded-1/", "file://embedded-2/"],
        "workload": ["file://embedded-1/", "file://embedded-2/"],
    }
