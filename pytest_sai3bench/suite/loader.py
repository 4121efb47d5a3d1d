"""A suite file to a validated suite, or to every problem that is in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pytest_sai3bench.errors import Location, Problem, SuiteError
from pytest_sai3bench.suite import matrix, yaml12
from pytest_sai3bench.suite.complaints import explain, place_of
from pytest_sai3bench.suite.document import Suite
from pytest_sai3bench.suite.fixtures import misplaced
from pytest_sai3bench.suite.rules import check
from pytest_sai3bench.suite.section import known_keys
from pytest_sai3bench.suite.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from pytest_sai3bench.suite.places import Finding, Marks, Place
    from pytest_sai3bench.suite.tree import Tree

LARGEST_FILE = 4 * 2**20


@dataclass(frozen=True)
class LoadedSuite:
    """A suite with its file: ``shown`` is the name of the file in messages, ``warnings`` are in file order.

    ``combination`` are the values of the matrix that this one of the file's suites has. ``waiting`` are the places that
    wait for values of fixtures; nothing below the top-level keys they are in is to be relied on.
    """

    path: Path
    shown: str
    text: str = field(repr=False)
    suite: Suite
    warnings: tuple[Problem, ...]
    marks: Marks = field(repr=False)
    combination: matrix.Combination = field(default_factory=dict)
    waiting: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What tells apart the suites that one file makes with a matrix; empty without one."""
        return matrix.label_of(self.combination)

    def where(self, place: Place) -> Location:
        """Return where a place such as ``("workload", 1, "weight")`` is written, or the nearest place around it."""
        return self.marks.where(place)


@dataclass(frozen=True)
class Written:
    """A suite that is in no file: its text, and the line of the program that stands for all places in it."""

    text: str = field(repr=False)
    line: int


class UnusableSuiteError(SuiteError):
    """A suite with errors in it; ``readable`` is what is left when the parts with errors are taken out."""

    def __init__(self, problems: Sequence[Problem], readable: LoadedSuite) -> None:
        super().__init__(problems)
        self.readable = readable


def load(path: Path, *, env: Mapping[str, str], strict: bool = False, shown: str = "") -> LoadedSuite:
    """Return the first suite of a file, the only one without a matrix; see `load_all`."""
    return load_all(path, env=env, strict=strict, shown=shown)[0]


def load_all(
    path: Path,
    *,
    env: Mapping[str, str],
    strict: bool = False,
    shown: str = "",
    written: Written | None = None,
) -> tuple[LoadedSuite, ...]:
    """Read and check a suite file, once for each combination of its matrix.

    What is ``written`` counts as if it were in the file.
    Raises SuiteError with all problems of the first combination that has any, warnings among them. ``strict`` turns
    tolerated oddities, such as unknown keys, into errors. What is readable beside an error comes with it, as
    `UnusableSuiteError`.
    """
    file = shown or str(path)
    text = written.text if written else read_text(path, file)
    line = written.line if written else None
    try:
        tree = read_tree(text, file=file, env=env, line=line)
        if "matrix" not in tree.data:
            return (_check(path, text, tree, [], strict=strict),)
        suites = []
        for combination in matrix.combinations(tree.data):
            tree = read_tree(text, file=file, env={**env, **matrix.variables(combination)}, line=line)
            unused = matrix.put_in(tree.data, combination, text, known_keys(Suite))
            suite = _check(path, text, tree, list(unused), strict=strict)
            suites.append(replace(suite, combination=combination))
    except yaml12.MalformedError as error:
        raise SuiteError([Problem(Location(file, error.line, error.column), "", error.message)]) from error
    return tuple(suites)


def _check(path: Path, text: str, tree: Tree, findings: list[Finding], *, strict: bool) -> LoadedSuite:
    """Return the suite of a tree, which ``findings`` were made in already; raises `UnusableSuiteError`."""
    file = tree.marks.file
    suite, more = _validate(tree.data, {str(place[0]) for place in tree.waiting if place})
    told = [
        finding
        for finding in (*findings, *more)
        if finding.severity != "error" or not tree.excuses(finding.place)
    ]
    told += misplaced(tree.waiting, suite.fixtures)
    problems = tree.problems + [tree.marks.locate(finding, strict=strict) for finding in told]
    warnings = tuple(sorted(problems, key=lambda problem: (problem.location.line, problem.location.column)))
    loaded = LoadedSuite(path, file, text, suite, warnings, tree.marks, waiting=tree.waiting)
    if any(problem.severity == "error" for problem in problems):
        raise UnusableSuiteError(problems, loaded)
    return loaded


def read_text(path: Path, file: str) -> str:
    """Return the text of a suite file, called ``file`` in messages; raises SuiteError when it is none."""
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SuiteError([Problem(Location(file, 1), "", f"cannot be read: {error.strerror}")]) from error
    if len(content) > LARGEST_FILE:
        raise SuiteError([Problem(Location(file, 1), "", "larger than 4 MiB: expected a suite, not data")])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8: expected a file saved as UTF-8"
        raise SuiteError([Problem(Location(file, line), "", message)]) from error


def _validate(data: dict[str, Any], waiting: Collection[str]) -> tuple[Suite, list[Finding]]:
    """Return the readable part of a suite, and all findings; keys that are ``waiting`` are not judged as a whole.

    What is wrong is taken out of the data until the rest is a suite: first unknown keys, because a section that has
    some is not checked as a whole, then the top-level keys with errors in them.
    """
    findings: list[Finding] = []
    unreadable: set[str] = set(waiting)
    while isinstance(outcome := _attempt(data), list):
        unknown = [error for error in outcome if error["type"] == "extra_forbidden"]
        for error in unknown or outcome:
            findings += explain(error)
        if unknown:
            for error in unknown:
                _remove(data, place_of(error))
        else:
            wrong = {str(place_of(error)[0]) for error in outcome}
            data = {key: value for key, value in data.items() if key not in wrong}
            unreadable |= wrong
    return outcome, [*findings, *check(outcome, unreadable)]


def _attempt(data: dict[str, Any]) -> Suite | list[ErrorDetails]:
    try:
        return Suite.model_validate(data)
    except ValidationError as error:
        return error.errors(include_url=False)


def _remove(data: dict[str, Any], place: Place) -> None:
    inner: Any = data
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
