"""What must be known before the clock starts: which objects exist, and which are missing."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Callable

from .patterns import parse_pattern
from .pools import NamePool, parse_numbered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .engine import Engine


class StageFailed(Exception):
    """A stage that cannot begin; ``kind`` as in `messages.FAILURE_KINDS`."""

    def __init__(self, kind: str, detail: str, endpoint: int = 0) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.endpoint = endpoint


def resolve_pools(
    operations: list[dict[str, Any]], engine: Engine, breathe: Callable[[], None]
) -> list[NamePool | None]:
    """Return the pool of each operation that works on existing objects, None for the others.

    ``breathe`` is called now and then during long listings. Raises `StageFailed` when a path matches nothing.
    """
    pools: list[NamePool | None] = []
    known: dict[tuple[str, str], NamePool] = {}
    for operation in operations:
        if operation["op"] not in ("get", "stat", "delete") or not operation["weight"]:
            pools.append(None)
            continue
        key = (operation["path"], operation["pool"])
        if key not in known:
            known[key] = _resolve(operation, engine, breathe)
        pools.append(known[key])
    return pools


def _resolve(operation: dict[str, Any], engine: Engine, breathe: Callable[[], None]) -> NamePool:
    pattern = parse_pattern(operation["path"])
    if pattern.exact:
        name = engine.encode(pattern.exact)
        if engine.exists(name):
            return NamePool([name])
        text = f"{operation['where']}: {operation['op']}: there is no object {pattern.exact}"
        raise StageFailed("no-match", text)
    folder = engine.encode(pattern.folder)
    listed = 0

    def matching() -> Iterator[str]:
        nonlocal listed
        for name in engine.names(folder, recursive=pattern.recursive):
            listed += 1
            if listed % 1000 == 0:
                breathe()
            # Only whole characters may match a star, not parts of an encoded one.
            if pattern.regex is None or pattern.regex.fullmatch(engine.decode(name)):
                yield name

    if operation["pool"] == "all":
        pool = NamePool(matching())
    else:
        wanted = operation["pool"] == "deletable"
        pool = NamePool(name for name in matching() if _is_deletable(name) is wanted)
        if wanted and not len(pool):
            pool = NamePool(matching())
    if not len(pool):
        shown = pattern.folder or "the endpoint's root"
        raise StageFailed(
            "no-match",
            f"{operation['where']}: {operation['op']}: {operation['path'] or '(no path)'} matches none of the {listed} "
            f"objects in {shown}",
        )
    return pool


def refuse_strangers(
    operations: Sequence[dict[str, Any]], pools: Sequence[NamePool | None], known: Mapping[str, int]
) -> None:
    """Raise `StageFailed` when objects are to be verified whose content is not known.

    ``known`` gives the number of prepare's objects for each stem.
    """
    for operation, pool in zip(operations, pools):
        if not operation["verify"] or pool is None:
            continue
        strangers = pool.strangers(known)
        first = next(strangers, None)
        if first is not None:
            count = 1 + sum(1 for _ in strangers)
            raise StageFailed(
                "unverifiable",
                f"{operation['where']}: get: {count} of the {len(pool)} objects that {operation['path']} matches are "
                f"not those of prepare, so what they must hold is not known; the first is {first}",
            )


def _is_deletable(name: str) -> bool:
    numbered = parse_numbered(name)
    return numbered is not None and numbered[0].endswith("deletable-")


def find_missing(
    objects: dict[str, Any], engine: Engine, breathe: Callable[[], None], *, look: bool
) -> array[int]:
    """Return the numbers of this worker's share of ``objects`` that do not exist; without ``look`` all of them."""
    stem = engine.encode(objects["folder"]) + objects["stem"] + "-"
    share, shares, count = objects["share"], objects["shares"], objects["count"]
    present = bytearray(count)
    if look:
        for position, name in enumerate(engine.names(engine.encode(objects["folder"]), recursive=False)):
            if position % 1000 == 0:
                breathe()
            numbered = parse_numbered(name)
            if numbered is not None and numbered[0] == stem and numbered[1] < count:
                present[numbered[1]] = 1
    return array("I", (number for number in range(share, count, shares) if not present[number]))
