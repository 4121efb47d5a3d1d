"""YAML nodes to plain values, with the place of every value in the file.

Lists become tuples. Merge keys, aliases and variables are resolved here, so that everything after sees one kind of
document. What an alias refers to counts every time it is used: a few nested aliases can stand for billions of nodes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pytest_sai3bench.errors import Location, Problem
from pytest_sai3bench.suite import yaml12
from pytest_sai3bench.suite.places import Marks, dotted
from pytest_sai3bench.suite.variables import expand, fixture_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sai3bench.suite.places import Place

LARGEST_NODES = 100_000
DEEPEST_LEVEL = 64
_KNOWN_TAGS = frozenset(
    (
        yaml12.COLLECTION,
        yaml12.TEXT,
        yaml12.PLAIN,
        "tag:yaml.org,2002:map",
        "tag:yaml.org,2002:seq",
        "tag:yaml.org,2002:str",
    )
)


class Tree(NamedTuple):
    """The values of a file; ``unresolved`` are the places whose text could not be read as meant.

    ``waiting`` are those whose text waits for values of fixtures, with the names of these.
    """

    data: dict[str, Any]
    marks: Marks
    problems: list[Problem]
    unresolved: set[Place]
    waiting: dict[Place, tuple[str, ...]]

    def excuses(self, place: Place) -> bool:
        """Tell whether what is wrong with a place has been said already, or may not be wrong when fixtures have values."""
        return place in self.unresolved or any(
            bool(place) and waiting[: len(place)] == place for waiting in self.waiting
        )


def read_tree(text: str, *, file: str, env: Mapping[str, str], line: int | None = None) -> Tree:
    """Return the values of a document; raises MalformedError when they cannot be read at all.

    Where ``line`` is given, everything is said to stand there.
    """
    root = yaml12.compose(text)
    if root is None or (isinstance(root, ScalarNode) and not root.value):
        raise yaml12.MalformedError("the file is empty: expected a mapping with 'workload'")
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "text"
        raise yaml12.MalformedError(
            f"the file holds {kind}: expected a mapping with 'workload'", root.start_mark.line + 1
        )
    reader = _Reader(file, env)
    data = reader.read(root, (), root)
    if line is not None:
        reader.positions = {(): (line, 1)}
        reader.problems = [replace(one, location=Location(file, line)) for one in reader.problems]
    return Tree(data, Marks(file, reader.positions), reader.problems, reader.unresolved, reader.waiting)


class _Reader:
    def __init__(self, file: str, env: Mapping[str, str]) -> None:
        self.file = file
        self.env = env
        self.positions: dict[Place, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.unresolved: set[Place] = set()
        self.waiting: dict[Place, tuple[str, ...]] = {}
        self.nodes = 0

    def read(self, node: Node, place: Place, written: Node) -> Any:
        """Return the value of a node; ``written`` is the node that shows readers where it stands."""
        mark = written.start_mark
        self.positions[place] = (mark.line + 1, mark.column + 1)
        self.count(node, len(place))
        if node.tag not in _KNOWN_TAGS:
            self.complain(
                place, written, f"the tag {_tag(node)} is not supported: expected YAML without tags"
            )
            self.unresolved.add(place)
        if isinstance(node, MappingNode):
            return self.read_mapping(node, place)
        if isinstance(node, SequenceNode):
            return tuple(self.read(item, (*place, index), item) for index, item in enumerate(node.value))
        return self.read_scalar(node, place)

    def read_scalar(self, node: Node, place: Place) -> Any:
        text: str = node.value
        if "$" in text:
            if names := [name for name in fixture_names(text) if name not in self.env]:
                self.waiting[place] = tuple(names)
            text, complaints = expand(text, self.env)
            if complaints:
                self.unresolved.add(place)
                for complaint in complaints:
                    self.complain(place, node, complaint)
        return yaml12.resolve(text) if node.tag == yaml12.PLAIN else text

    def read_mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in self.own_pairs(node, place):
            inner = (*place, key.value)
            # A key that is there already came with the mapping itself, or was merged before and wins.
            if key.value not in values:
                # An alias is shown where it is used. A list or mapping begins at its key, often a line above.
                here = isinstance(value, ScalarNode) and value.start_mark.index > key.start_mark.index
                values[key.value] = self.read(value, inner, value if here else key)
        return values

    def own_pairs(
        self, node: MappingNode, place: Place, merges: int = 0
    ) -> Iterator[tuple[ScalarNode, Node]]:
        """Yield the pairs of a mapping, then those merged into it; complain about what is wrong with the keys."""
        sources: list[Node] = []
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                self.complain(place, key, "a list or mapping stands as a key: expected text")
            elif key.value == "<<" and key.tag == yaml12.PLAIN:
                sources += value.value if isinstance(value, SequenceNode) else [value]
            elif key.value not in lines:
                lines[key.value] = key.start_mark.line + 1
                yield key, value
            elif not merges:
                first = lines[key.value]
                self.complain(
                    (*place, key.value), key, f"the key '{key.value}' is given twice, first in line {first}"
                )
        for source in sources:
            self.count(source, len(place) + merges)
            if isinstance(source, MappingNode):
                yield from self.own_pairs(source, place, merges + 1)
            else:
                self.complain(
                    place, source, "'<<' merges something that is not a mapping: expected *name of a mapping"
                )

    def count(self, node: Node, level: int) -> None:
        """Stop at a document that is too large or too deep to be a suite."""
        self.nodes += 1
        if self.nodes > LARGEST_NODES:
            raise yaml12.MalformedError(
                f"the file holds more than {LARGEST_NODES:,} values, aliases included"
            )
        if level > DEEPEST_LEVEL:
            mark = node.start_mark
            raise yaml12.MalformedError(
                f"more than {DEEPEST_LEVEL} levels of nesting; does an alias contain itself?",
                mark.line + 1,
                mark.column + 1,
            )

    def complain(self, place: Place, node: Node, message: str) -> None:
        mark = node.start_mark
        location = Location(self.file, mark.line + 1, mark.column + 1)
        self.problems.append(Problem(location, dotted(place), message))


def _tag(node: Node) -> str:
    return str(node.tag).replace("tag:yaml.org,2002:", "!!")
