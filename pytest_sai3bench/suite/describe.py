"""The reference of all keys of a suite in Markdown, from the models themselves and from the list of inactive keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pytest_sai3bench import units
from pytest_sai3bench.suite import dialect
from pytest_sai3bench.suite.document import Suite
from pytest_sai3bench.suite.examples import example_of
from pytest_sai3bench.suite.scalars import Duration, Size
from pytest_sai3bench.suite.section import Section, known_keys, read_description, sections_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

# A sentence that is about sai3-bench from its beginning, or from a semicolon on.
_DIFFERENCE = re.compile(r"(?:(?P<meaning>.*?); )?(?:[Ii]n )?sai3-bench (?P<difference>.*)")

# What is said about the inactive keys, in the order in which it is shown.
_EFFECTS: dict[dialect.Effect, tuple[str, str]] = {
    "later": (
        "Keys without effect in this version",
        "They belong to the dialect, but this version does not act on them. Each is a warning.",
    ),
    "needless": (
        "Keys that are not needed",
        "What they are about does not exist here. Each is a warning.",
    ),
    "never": (
        "Keys without effect anywhere",
        "They do nothing in sai3-bench either, though its own examples hold some of them. Each is a warning.",
    ),
}


def describe_suite() -> str:
    """Return the reference as Markdown: one table for each section, then those of keys without effect."""
    parts = [_describe_section(places, section) for section, places in section_places().items()]
    found = {each.effect for each in dialect.inactive()}
    parts += [_describe_inactive(effect) for effect in _EFFECTS if effect in found]
    return "\n".join(parts)


def section_places() -> dict[type[Section], list[str]]:
    """Return every section with the places where it can stand, in the order of the keys that lead there."""
    places: dict[type[Section], list[str]] = {}
    waiting: list[tuple[type[Section], str]] = [(Suite, "")]
    while waiting:
        section, place = waiting.pop(0)
        places.setdefault(section, []).append(place)
        inner = []
        for name, field in section.model_fields.items():
            key = f"{place}.{name}".removeprefix(".") + (
                "[]" if get_origin(field.annotation) is tuple else ""
            )
            inner += [(found, key) for found in sections_in((field.annotation, field.metadata))]
        waiting = inner + waiting
    return places


def _describe_section(places: list[str], section: type[Section]) -> str:
    # Where the word is one of several, it does not choose among sections.
    chooser = next(
        (
            name
            for name in ("op", "type")
            if name in section.model_fields and len(get_args(section.model_fields[name].annotation)) == 1
        ),
        "",
    )
    word = f", `{chooser}: {get_args(section.model_fields[chooser].annotation)[0]}`" if chooser else ""
    title = f"`{places[0]}`{word}" if places[0] else "Top level"
    others = f" The same at {_enumerate(places[1:])}." if len(places) > 1 else ""
    rows = [_row(section, name, field) for name, field in section.model_fields.items() if name != chooser]
    return (
        f"### {title}\n\n{_summary(section)}{others}\n\n"
        f"{_table(('key', 'expected', 'default', 'example', 'meaning', 'in sai3-bench'), rows)}"
    )


def _row(section: type[Section], name: str, field: FieldInfo) -> tuple[str, ...]:
    expected, text = read_description(field)
    meaning, difference = split_difference(text)
    inner = any(sections_in((field.annotation, field.metadata)))
    example = "" if inner else example_of(name, field, expected)
    return (
        _spell(section, name),
        expected,
        _default(field),
        f"`{example}`" if example else "",
        meaning,
        difference,
    )


def split_difference(text: str) -> tuple[str, str]:
    """Return what a description says about a key, and apart from it what it says about sai3-bench."""
    meanings, differences = [], []
    for sentence in re.split(r"(?<=\.) ", text):
        told = _DIFFERENCE.fullmatch(sentence)
        if told is None:
            meanings.append(sentence)
            continue
        if told["meaning"]:
            meanings.append(f"{told['meaning']}.")
        differences.append(told["difference"])
    difference = " ".join(differences)
    return " ".join(meanings), difference[:1].upper() + difference[1:]


def _summary(section: type[Section]) -> str:
    paragraph = (section.__doc__ or "").partition("\n\n")[0]
    return re.sub("``", "`", " ".join(paragraph.split()))


def _spell(section: type[Section], name: str) -> str:
    return _enumerate([key for key, field in known_keys(section).items() if field == name], "or")


def _default(field: FieldInfo) -> str:
    value = field.get_default()
    if field.is_required():
        return "required"
    if isinstance(value, Section) or value in (None, (), ""):
        return ""
    return f"`{_written(field, value)}`"


def _written(field: FieldInfo, value: Any) -> str:
    """Return a value as a suite would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if value == units.LARGEST:
        return "2^63 - 1"
    if _reads_as(field, Duration):
        return f"{value:g}s"
    if _reads_as(field, Size):
        return units.format_size(value).replace(" ", "")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _reads_as(field: FieldInfo, kind: Any) -> bool:
    return any(reader in field.metadata for reader in get_args(kind)[1:])


def _describe_inactive(effect: dialect.Effect) -> str:
    title, text = _EFFECTS[effect]
    rows = [
        (f"`{each.key}`", ", ".join(f"`{value}`" for value in each.accepted), each.reason)
        for each in dialect.inactive()
        if each.effect == effect
    ]
    # A column that would be empty is left out.
    columns = [
        column for column in zip(("key", "accepted in silence", "why"), *rows, strict=True) if any(column[1:])
    ]
    header, *cells = zip(*columns, strict=True)
    return f"### {title}\n\n{text}\n\n{_table(header, cells)}"


def _enumerate(names: Iterable[str], last: str = "and") -> str:
    return f" {last} ".join(f"`{name}`" for name in names)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    def lines() -> Iterator[str]:
        for cells in (header, ("---",) * len(header), *rows):
            yield f"| {' | '.join(cells)} |\n"

    return "".join(lines())
