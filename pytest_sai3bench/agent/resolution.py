"""What must be known before the clock starts: which objects exist, and which are missing."""

from __future__ import annotations

from array import array
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .patterns import parse_pattern
from .placement import always
from .pools import NamePool, PlacedPool, parse_numbered
from .s3_client import RequestFailed
from .sources import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .engine import Engine
    from .placement import Placement
    from .sources import Homes, Pool


class StageFailed(Exception):
    """A stage that cannot begin; ``kind`` as in `messages.FAILURE_KINDS`."""

    def __init__(self, kind: str, detail: str, endpoint: int = 0) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.endpoint = endpoint


def resolve_pools(
    operations: list[dict[str, Any]], engine: Engine, placement: Placement, breathe: Callable[[], None]
) -> list[Pool | None]:
    """Return the pool of each operation that works on existing objects, None for the others.

    ``breathe`` is called now and then during long listings. Raises `StageFailed` when a path matches nothing.
    """
    pools: list[Pool | None] = []
    known: dict[tuple[str, str], Pool] = {}
    for operation in operations:
        if operation["op"] not in ("get", "stat", "delete") or not operation["weight"]:
            pools.append(None)
            continue
        key = (operation["path"], operation["pool"])
        if key not in known:
            known[key] = _resolve(operation, engine, placement, breathe)
        pools.append(known[key])
    return pools


def _resolve(
    operation: dict[str, Any], engine: Engine, placement: Placement, breathe: Callable[[], None]
) -> Pool:
    def gather(names_on: Callable[[int], Iterable[str]]) -> Pool:
        pools = []
        for endpoint in placement.listed:
            try:
                pools.append(NamePool(names_on(endpoint)))
            except RequestFailed as failure:
                raise StageFailed(failure.kind, failure.detail, endpoint) from failure
        return PlacedPool(pools, placement.sharers) if placement.is_single else pools[0]

    pattern = parse_pattern(operation["path"])
    if pattern.exact:
        name = engine.encode(pattern.exact)
        pool = gather(lambda endpoint: [name] if engine.exists(name, endpoint) else [])
        if len(pool):
            return pool
        text = f"{operation['where']}: {operation['op']}: there is no object {pattern.exact}"
        raise StageFailed("no-match", text)
    folder = engine.encode(pattern.folder)
    listed = 0

    def matching(endpoint: int) -> Iterator[str]:
        nonlocal listed
        for name in engine.names(folder, recursive=pattern.recursive, endpoint=endpoint):
            listed += 1
            if listed % 1000 == 0:
                breathe()
            # Only whole characters may match a star, not parts of an encoded one.
            if pattern.regex is None or pattern.regex.fullmatch(engine.decode(name)):
                yield name

    if operation["pool"] == "all":
        pool = gather(matching)
    else:
        wanted = operation["pool"] == "deletable"
        pool = gather(lambda endpoint: (name for name in matching(endpoint) if _is_deletable(name) is wanted))
        if wanted and not len(pool):
            pool = gather(matching)
    if not len(pool):
        shown = pattern.folder or "the endpoint's root"
        raise StageFailed(
            "no-match",
            f"{operation['where']}: {operation['op']}: {operation['path'] or '(no path)'} matches none of the {listed} "
            f"objects in {shown}",
        )
    return pool


def refuse_strangers(
    operations: Sequence[dict[str, Any]], pools: Sequence[Pool | None], known: Mapping[str, int]
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
    objects: dict[str, Any],
    engine: Engine,
    placement: Placement,
    breathe: Callable[[], None],
    *,
    look: bool,
) -> list[tuple[array[int], Homes]]:
    """Return the numbers of this worker's share of ``objects`` that do not exist, and where they belong.

    Without ``look`` that is the whole share. Where every endpoint has a copy of its own, there is one such list for each.
    """
    count = objects["count"]

    def absent(endpoints: Sequence[int], share: int, shares: int, homes: Homes) -> array[int]:
        present = bytearray(count)
        for endpoint in endpoints if look else ():
            for number in _numbers_on(endpoint, objects, engine, breathe):
                # What is on another endpoint than its own is not there.
                if number < count and homes(number) in (endpoint, ANYWHERE):
                    present[number] = 1
        return array("I", (number for number in range(share, count, shares) if not present[number]))

    if placement.namespace == "replicated":
        copies = [partial(always, endpoint) for endpoint in range(placement.endpoints)]
        return [
            (absent([endpoint], share, shares, homes), homes)
            for endpoint, (homes, (share, shares)) in enumerate(zip(copies, placement.sharers))
        ]
    homes = placement.homes_of_prepared(objects["shares"])
    return [(absent(placement.listed, objects["share"], objects["shares"], homes), homes)]


def _numbers_on(
    endpoint: int, objects: dict[str, Any], engine: Engine, breathe: Callable[[], None]
) -> Iterator[int]:
    """Yield the numbers of the objects of a set that an endpoint has."""
    folder = engine.encode(objects["folder"])
    stem = f"{folder}{objects['stem']}-"
    try:
        for position, name in enumerate(engine.names(folder, recursive=False, endpoint=endpoint)):
            if position % 1000 == 0:
                breathe()
            numbered = parse_numbered(name)
            if numbered is not None and numbered[0] == stem:
                yield numbered[1]
    except RequestFailed as failure:
        raise StageFailed(failure.kind, failure.detail, endpoint) from failure
