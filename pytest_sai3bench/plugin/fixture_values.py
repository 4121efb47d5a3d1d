"""The pytest fixtures that a suite names: whether they are there, their set-up, and the values that stand in the suite.

pytest has no public way for items that are no functions to request fixtures. This does what pytest's own items of doctests
do, and is the only module that knows how.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.fixtures import TopRequest

from pytest_sai3bench.errors import Problem, SuiteError
from pytest_sai3bench.suite.places import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.suite.loader import LoadedSuite
    from pytest_sai3bench.suite.places import Place


def check_fixtures(collector: pytest.Collector, loaded: LoadedSuite) -> None:
    """Raise `SuiteError` for the fixtures of a suite that are not there, or cannot be had."""
    problems = []
    for index, name in enumerate(loaded.suite.fixtures):
        found = collector.session._fixturemanager.getfixturedefs(name, collector)  # noqa: SLF001
        place: Place = ("fixtures", index)
        if not found:
            message = f"there is no fixture '{name}': expected one of a conftest.py or a plugin"
        elif found[-1].params is not None:
            message = (
                f"the fixture '{name}' has parameters: expected one without; 'matrix' makes several runs"
            )
        else:
            continue
        problems.append(Problem(loaded.where(place), dotted(place), message))
    if problems:
        raise SuiteError(problems)


def set_up(item: Any, names: tuple[str, ...]) -> Mapping[str, object]:
    """Set up the fixtures of these names and those used automatically, and return their values."""
    item.add_marker(pytest.mark.usefixtures(*names))
    item._fixtureinfo = item.session._fixturemanager.getfixtureinfo(node=item, func=None, cls=None)  # noqa: SLF001
    item.fixturenames = item._fixtureinfo.names_closure  # noqa: SLF001
    item.funcargs = {}
    item._request = TopRequest(item, _ispytest=True)  # noqa: SLF001
    item._request._fillfixtures()  # noqa: SLF001
    values: Mapping[str, object] = item.funcargs
    return values


def texts_of(values: Mapping[str, object], loaded: LoadedSuite) -> dict[str, str]:
    """Return the texts that stand for variables such as ``fixture.minio.endpoint``; raises `SuiteError`."""
    texts: dict[str, str] = {}
    problems = []
    for place, names in loaded.waiting.items():
        for name in names:
            try:
                texts[name] = _text_of(values, name)
            except LookupError as error:
                problems.append(Problem(loaded.where(place), dotted(place), str(error.args[0])))
    if problems:
        raise SuiteError(problems)
    return texts


def _text_of(values: Mapping[str, object], name: str) -> str:
    """Raise LookupError, with what is wrong as its only argument."""
    value: Any = values
    path = name.split(".")[1:]
    for depth, step in enumerate(path):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif depth and hasattr(value, step):
            value = getattr(value, step)
        elif isinstance(value, (list, tuple)) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            has = ", ".join(_steps(value)) or "none"
            raise LookupError(
                f"{'.'.join(['fixture', *path[:depth]])} has no '{step}': expected one of {has}"
            )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (str, int, float, os.PathLike)):
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    raise LookupError(f"{name} is of type {type(value).__name__}: expected text, a number or a path")


def _steps(value: object) -> Iterator[str]:
    """Yield the names by which a value has others."""
    if isinstance(value, Mapping):
        yield from map(str, value)
    elif isinstance(value, (list, tuple)):
        yield from map(str, range(len(value)))
    else:
        yield from (name for name in dir(value) if not name.startswith("_"))
