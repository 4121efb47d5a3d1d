"""What one operation is: the bare values that sources hand out and engines carry out."""

from __future__ import annotations

from typing import Any, Callable

from .messages import ATOMIC, FSYNC

# One operation: index in `OPERATIONS` (for PUTs of files with `FSYNC` and `ATOMIC`) and key relative to the endpoint; for
# PUTs size in bytes and shape of the data (None for plain), for GETs the same of what must come back (None for whatever
# does); last the endpoint on which it has to be done, or `ANYWHERE`. Of operations that take several requests see
# `large`, whose details take the place of the shape. A bare tuple, since making one costs a tenth of making anything with
# names.
Task = tuple[int, str, int, Any, int]

ANYWHERE = -1
# Says for the number of an object on which endpoint it is.
Homes = Callable[[int], int]


def everywhere(_number: int) -> int:
    """Return `ANYWHERE` for any object."""
    return ANYWHERE


def how_to_put(options: dict[str, Any]) -> int:
    """Return what is added to `PUT` for an operation, or a stage, with these options."""
    return (FSYNC if options["fsync"] else 0) | (ATOMIC if options["atomic"] else 0)
