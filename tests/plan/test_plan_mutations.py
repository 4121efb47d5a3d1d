"""Files of the corpus with something else in one place: what comes of it is a plan that can be shown, or problems."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sai3bench.errors import SuiteError
from pytest_sai3bench.plan.advice import give_advice
from pytest_sai3bench.plan.build import build_plan
from pytest_sai3bench.suite.loader import load
from pytest_sai3bench.suite.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.errors import Problem
    from pytest_sai3bench.plan.model import RunPlan
    from pytest_sai3bench.suite.places import Place

ACCEPTED = Path(__file__).parents[1] / "corpus" / "accepted"
# As builtins of JSON: lists where the reader has tuples.
DOCUMENTS: list[dict[str, Any]] = [
    json.loads(json.dumps(read_tree(path.read_text(encoding="utf-8-sig"), file="", env={}).data))
    for path in sorted(ACCEPTED.iterdir())
]
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 3, 10**30, 1.5, "", "x", "1MiB", "60s", "auto", "max"),
        *(
            "*",
            "..",
            "/",
            "data/*",
            "file:///a/",
            "direct:///a/",
            "s3://h:1/bucket/",
            "s3://h[1-3]:9/bucket/",
        ),
        *([], {}, [1], ["a"], [[]], [{}], {"a": 1}, {"type": "uniform"}, "${matrix.a}", "${A:-b}"),
    ]
)


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from places(inner, (*place, key))
    for index, inner in enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*place, index))


@given(document=st.sampled_from(DOCUMENTS), value=VALUES, data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_anything_at_any_place_is_planned_or_explained(
    tmp_path: Path, document: dict[str, Any], value: object, data: st.DataObject
) -> None:
    changed: Any = copy.deepcopy(document)
    *outer, last = data.draw(st.sampled_from(list(places(document))))
    inner = changed
    for step in outer:
        inner = inner[step]
    inner[last] = copy.deepcopy(value)
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(changed, allow_unicode=True), encoding="utf-8")
    problems: Sequence[Problem] = ()
    plan: RunPlan | None
    try:
        plan = build_plan(load(path, env={}, shown="s.yaml"), env={}, cores=lambda _: 4)
    except SuiteError as error:
        problems = error.problems
        plan = None
    if plan is None:
        assert problems
        assert {problem.location.file for problem in problems} == {"s.yaml"}
        return
    assert all(isinstance(text, str) for text in (*plan.notes, *give_advice(plan)))
    for worker in plan.workers:
        wire = worker.to_wire()
        assert json.loads(json.dumps(wire)) == wire


def test_places_are_all_of_them() -> None:
    assert list(places({"a": [1, {"b": 2}]})) == [("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
