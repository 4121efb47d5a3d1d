"""Old files of sai3-bench to files with stages, which its versions from 0.8.61 on want where there are agents.

The text is edited where it has to be, so that comments and layout stay. What comes out is read again, and has to be what
was read before but for the changes that are told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pytest_sai3bench.suite import dialect, yaml12
from pytest_sai3bench.suite.places import dotted
from pytest_sai3bench.suite.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_sai3bench.suite.places import Place

_BARRIER = "barrier: {type: all_or_nothing}"
_OF_DL_DRIVER = ("endpoint_uris", "load_balance_strategy")


class Change(NamedTuple):
    """What was changed in a line of the old file, or, where nothing was ``done``, what should be by hand."""

    line: int
    text: str
    done: bool = True


class Converted(NamedTuple):
    """The new text and what is different in it, by lines; the text is the old one when nothing was to be done."""

    text: str
    changes: tuple[Change, ...]


class _Edit(NamedTuple):
    start: int
    end: int
    text: str


@dataclass
class _Work:
    """The edits of a text, and the values that must come out of them."""

    text: str
    data: dict[str, Any]
    starts: list[int]
    edits: list[_Edit] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def index(self, line: int, column: int) -> int:
        return self.starts[line] + column if line < len(self.starts) else len(self.text)

    def begin(self, node: Node) -> int:
        return self.index(node.start_mark.line, node.start_mark.column)

    def end(self, node: Node) -> int:
        """Return where the text of a node ends; blank lines and comments after it are not part of it."""
        if isinstance(node, MappingNode) and not node.flow_style and node.value:
            # What an alias stands for ends above its key.
            return max(map(self.end, node.value[-1]))
        if isinstance(node, SequenceNode) and not node.flow_style and node.value:
            return self.end(node.value[-1])
        return self.index(node.end_mark.line, node.end_mark.column)

    def after_line(self, index: int) -> int:
        """Return where the line after the one of an index begins."""
        if index and self.text[index - 1] == "\n":
            return index
        found = self.text.find("\n", index)
        return len(self.text) if found < 0 else found + 1

    def read(self, text: str) -> dict[str, Any]:
        return read_tree(text, file="", env=_AsWritten()).data


class _AsWritten(dict[str, str]):
    """Variables that stand for themselves, so that nothing depends on an environment."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ARG002
        return f"<{name}>"


def convert(text: str) -> Converted:
    """Return a suite with stages, and without keys that do nothing anywhere; raises `yaml12.MalformedError`."""
    root = yaml12.compose(text)
    if not isinstance(root, MappingNode):
        raise yaml12.MalformedError("expected a mapping with 'workload'")
    starts = [0]
    for part in text.split("\n"):
        starts.append(starts[-1] + len(part) + 1)
    work = _Work(text, {}, starts[:-1])
    work.data = work.read(text)
    top = _values(root)
    if "distributed" in top:
        _add_stages(work, top)
    for name in _OF_DL_DRIVER:
        if name in top:
            said = f"'{name}' is a key of dl-driver, which sai3-bench ignores: see 'multi_endpoint'"
            work.changes.append(Change(top[name].start_mark.line + 1, said, done=False))
    _remove_dead(work, root, ())
    return Converted(_apply(work), tuple(sorted(work.changes)))


def _values(node: MappingNode) -> dict[str, Node]:
    return {key.value: value for key, value in node.value if isinstance(key, ScalarNode)}


def _add_stages(work: _Work, top: Mapping[str, Node]) -> None:
    distributed = top["distributed"]
    if not isinstance(distributed, MappingNode):
        return
    if work.data["distributed"].get("stages") or work.data.get("stages"):
        return
    if _section(work.data, "prepare").get("cleanup_only") not in (None, False):
        raise yaml12.MalformedError(
            "'prepare.cleanup_only' has no effect beside stages, and the file would make load: leave it without them",
            top["prepare"].start_mark.line + 1,
        )
    line = distributed.start_mark.line + 1
    stages = _stages(work.data, top.get("duration"))
    _write_stages(work, distributed, stages)
    read = work.read("stages: [" + ", ".join(stages) + "]\n")["stages"]
    work.data["distributed"] = {**work.data["distributed"], "stages": read}
    work.changes.append(
        Change(line, f"added distributed.stages: {', '.join(stage['name'] for stage in read)}")
    )
    cleanup = _section(work.data, "prepare").get("cleanup")
    if read[-1]["type"] == "cleanup":
        _move_cleanup(work, top["prepare"])
    elif isinstance(cleanup, str):
        text = "'prepare.cleanup' has no effect beside stages: add a cleanup stage where it is true"
        work.changes.append(Change(top["prepare"].start_mark.line + 1, text, done=False))


def _write_stages(work: _Work, distributed: MappingNode, stages: list[str]) -> None:
    """Write a list of stages at the end of a mapping, or where it has an empty one."""
    empty = _values(distributed).get("stages")
    if distributed.flow_style:
        written = f"[{', '.join(stages)}]"
        if empty is not None:
            work.edits.append(_Edit(work.begin(empty), work.end(empty), written))
            return
        at = work.end(distributed) - 1
        comma = "" if work.text[:at].rstrip().endswith((",", "{")) else ", "
        work.edits.append(_Edit(at, at, f"{comma}stages: {written}"))
        return
    first: Node = distributed.value[0][0]
    indent = " " * first.start_mark.column
    lines = [f"{indent}  - {stage}" for stage in stages]
    if empty is None:
        lines.insert(0, f"{indent}stages:")
    else:
        work.edits.append(_Edit(work.begin(empty), work.end(empty), ""))
    at = work.after_line(work.end(distributed if empty is None else empty))
    broken = "" if work.text[:at].endswith("\n") else "\n"
    work.edits.append(_Edit(at, at, broken + "".join(f"{each}\n" for each in lines)))


def _section(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping that a key has, an empty one when it has something else."""
    value = data.get(key)
    return value if isinstance(value, dict) else {}


def _stages(data: Mapping[str, Any], duration: Node | None) -> list[str]:
    """Return the stages, as YAML, that do what is done without any."""
    prepare, sync = _section(data, "prepare"), _section(data["distributed"], "barrier_sync")
    kinds = ["type: validation, completion: validation_passed"]
    if prepare.get("ensure_objects"):
        kinds.append("type: prepare, completion: tasks_done")
    kinds.append(f"type: execute, completion: duration, duration: {_duration(data, duration)}")
    if prepare.get("cleanup") is True:
        kinds.append("type: cleanup, completion: tasks_done")
    names = {"validation": "preflight"}
    barrier = "" if sync.get("enabled") is True else f", {_BARRIER}"
    found = ((kind.split(",")[0].removeprefix("type: "), kind) for kind in kinds)
    return [
        f"{{name: {names.get(word, word)}, order: {order}, {kind}{barrier}}}"
        for order, (word, kind) in enumerate(found, start=1)
    ]


def _duration(data: Mapping[str, Any], node: Node | None) -> str:
    if "duration" in _section(data, "matrix"):
        return '"${matrix.duration}"'
    if not isinstance(node, ScalarNode) or not node.value:
        return "60s"
    # sai3-bench wants a unit.
    return f"{node.value}s" if isinstance(data["duration"], (int, float)) else f'"{node.value}"'


def _move_cleanup(work: _Work, prepare: Node) -> None:
    assert isinstance(prepare, MappingNode)
    switch = _values(prepare).get("cleanup")
    if switch is None:
        raise yaml12.MalformedError(
            "'cleanup' comes from an alias: write it there itself", prepare.start_mark.line + 1
        )
    work.edits.append(_Edit(work.begin(switch), work.end(switch), "false"))
    work.data["prepare"] = {**work.data["prepare"], "cleanup": False}
    work.changes.append(
        Change(
            switch.start_mark.line + 1, "prepare.cleanup is false now: the cleanup stage removes the objects"
        )
    )


def _remove_dead(work: _Work, node: Node, place: Place) -> None:
    """Take out keys that do nothing anywhere; those that share their line with others are only told."""
    for key, value, inner in _pairs(node, place):
        if not dialect.is_dead(inner):
            if value.start_mark.index > (key or value).start_mark.index or key is None:
                _remove_dead(work, value, inner)
            continue
        assert key is not None
        line, name = key.start_mark.line + 1, dotted(inner)
        start = work.index(key.start_mark.line, 0)
        end = work.after_line(work.end(value))
        alone = not work.text[start : work.begin(key)].strip() and len(getattr(node, "value", ())) > 1
        if alone and not getattr(node, "flow_style", True):
            work.edits.append(_Edit(start, end, ""))
            _drop(work.data, inner)
            work.changes.append(Change(line, f"removed '{name}', which has no effect in sai3-bench either"))
        else:
            work.changes.append(
                Change(line, f"'{name}' has no effect in sai3-bench either: remove it", done=False)
            )


def _pairs(node: Node, place: Place) -> Iterator[tuple[ScalarNode | None, Node, Place]]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if isinstance(key, ScalarNode) and key.value != "<<":
                yield key, value, (*place, key.value)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield None, item, (*place, index)


def _drop(data: Any, place: Place) -> None:
    for step in place[:-1]:
        data = data[step]
    del data[place[-1]]


def _apply(work: _Work) -> str:
    text = work.text
    if not work.edits:
        return text
    for edit in sorted(work.edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    if "\r\n" in work.text:
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    if work.read(text) != work.data:
        raise yaml12.MalformedError(
            "cannot be converted without changing more than it should: add stages by hand"
        )
    return text
