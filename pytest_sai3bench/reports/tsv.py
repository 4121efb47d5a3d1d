"""Tab-separated tables whose columns are data: the writer and the documentation read the same list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Row_contra = TypeVar("Row_contra", contravariant=True)


@dataclass(frozen=True)
class Column(Generic[Row_contra]):
    """One column: its name in the header, what it means, and the text of a row in it."""

    name: str
    meaning: str
    text: Callable[[Row_contra], str]


@dataclass(frozen=True)
class Table(Generic[Row_contra]):
    """A table under ``[name]``; the first table of a file has no name."""

    name: str
    columns: tuple[Column[Row_contra], ...]

    def write(self, stream: TextIO, rows: Iterable[Row_contra]) -> None:
        """Write the header and ``rows``; a named table is set off by an empty line and its name."""
        if self.name:
            stream.write(f"\n[{self.name}]\n")
        self.write_header(stream)
        for row in rows:
            self.write_row(stream, row)

    def write_header(self, stream: TextIO) -> None:
        """Write the names of the columns."""
        _write_line(stream, (column.name for column in self.columns))

    def write_row(self, stream: TextIO, row: Row_contra) -> None:
        """Write one row."""
        _write_line(stream, (column.text(row) for column in self.columns))

    def describe(self) -> str:
        """Return the columns as a Markdown table, for the documentation."""
        lines = ["| column | meaning |", "| --- | --- |"]
        lines += [f"| `{column.name}` | {column.meaning} |" for column in self.columns]
        return "\n".join(lines) + "\n"


def _write_line(stream: TextIO, cells: Iterable[str]) -> None:
    # Any other white space inside a cell would be read as a border of cells or rows.
    stream.write("\t".join(" ".join(cell.split()) for cell in cells) + "\n")
