"""What must be known before the clock starts: which objects exist, and which are missing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from .naming import UNSHARDED
from .own_objects import Absent
from .patterns import parse_pattern
from .placement import always
from .pools import PlacedPool, parse_numbered
from .s3_client import RequestFailed
from .tasks import ANYWHERE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .engine import Engine
    from .entries import Pool
    from .naming import Names, Shards
    from .placement import Placement
    from .tasks import Homes


class StageFailed(Exception):
    """A stage that cannot begin; ``kind`` as in `messages.FAILURE_KINDS`."""

    def __init__(self, kind: str, detail: str, endpoint: int = 0) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.endpoint = endpoint


def resolve_pools(
    operations: list[dict[str, Any]],
    engine: Engine,
    placement: Placement,
    breathe: Callable[[], None],
    shards: Shards = UNSHARDED,
) -> list[Pool | None]:
    """Return the pool of each operation that works on existing objects, None for the others.

    ``breathe`` is called now and then during long listings. Paths match names as they are, and without the folder of
    their shard. Raises `StageFailed` when a path matches nothing.
    """
    pools: list[Pool | None] = []
    known: dict[tuple[str, str], Pool] = {}
    for operation in operations:
        finds = operation["op"] in ("get", "stat", "delete") and operation["tree"] is None
        if not finds or not operation["weight"]:
            pools.append(None)
            continue
        key = (operation["path"], operation["pool"])
        if key not in known:
            known[key] = _resolve(operation, engine, placement, breathe, shards)
        pools.append(known[key])
    return pools


def _resolve(
    operation: dict[str, Any],
    engine: Engine,
    placement: Placement,
    breathe: Callable[[], None],
    shards: Shards,
) -> Pool:
    def gather(names_on: Callable[[int], Iterable[str]]) -> Pool:
        pools = []
        for endpoint in placement.listed:
            try:
                pools.append(shards.pool(names_on(endpoint)))
            except RequestFailed as failure:
                raise StageFailed(failure.kind, failure.detail, endpoint) from failure
        return PlacedPool(pools, placement.sharers) if placement.is_single else pools[0]

    pattern = parse_pattern(operation["path"])
    if pattern.exact:
        exact = engine.encode(pattern.exact)
        spellings = dict.fromkeys([exact, shards.within(exact)] if shards.count else [exact])
        pool = gather(lambda endpoint: [name for name in spellings if engine.exists(name, endpoint)])
        if len(pool):
            return pool
        text = f"{operation['where']}: {operation['op']}: there is no object {pattern.exact}"
        raise StageFailed("no-match", text)
    folder = engine.encode(pattern.folder)
    listed = 0

    def names_of(endpoint: int) -> Iterator[str]:
        for place in [folder] if pattern.recursive else shards.places_in(folder):
            if place != folder:
                breathe()
            yield from engine.names(place, recursive=pattern.recursive, endpoint=endpoint)

    def matching(endpoint: int) -> Iterator[str]:
        nonlocal listed
        for name in names_of(endpoint):
            listed += 1
            if listed % 1000 == 0:
                breathe()
            # Only whole characters may match a star, not parts of an encoded one.
            if pattern.regex is None or _matches(pattern.regex, engine.decode(name), shards):
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


def _matches(regex: re.Pattern[str], name: str, shards: Shards) -> bool:
    if regex.fullmatch(name):
        return True
    return bool(shards.count) and regex.fullmatch(shards.without(name)) is not None


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
    names: Names,
    share: tuple[int, int],
    engine: Engine,
    placement: Placement,
    breathe: Callable[[], None],
    *,
    look: bool,
) -> list[tuple[Absent, Homes]]:
    """Return the numbers of this worker's share of objects that do not exist, and where they belong.

    The ``share`` is one of so many: the worker cares for every n-th object. Without ``look`` its whole share counts as
    missing. Where every endpoint has a copy of its own, there is one such set of numbers for each.
    """

    def absent(endpoints: Sequence[int], own: int, shares: int, homes: Homes) -> Absent:
        missing = Absent(names.share(own, shares))
        for endpoint in endpoints if look and len(missing) else ():
            for number in _numbers_on(endpoint, names, engine, breathe):
                # What is on another endpoint than its own is not there.
                if homes(number) in (endpoint, ANYWHERE):
                    missing.find(number)
        return missing

    if placement.namespace == "replicated":
        copies = [partial(always, endpoint) for endpoint in range(placement.endpoints)]
        return [
            (absent([endpoint], own, shares, homes), homes)
            for endpoint, (homes, (own, shares)) in enumerate(zip(copies, placement.sharers))
        ]
    own, shares = share
    homes = placement.homes_of_files() if names.deep else placement.homes_of_prepared(shares)
    return [(absent(placement.listed, own, shares, homes), homes)]


def _numbers_on(endpoint: int, names: Names, engine: Engine, breathe: Callable[[], None]) -> Iterator[int]:
    """Yield the numbers of the objects of a set that an endpoint has."""
    try:
        for folder in names.places():
            breathe()
            for position, name in enumerate(
                engine.names(folder, recursive=names.deep, endpoint=endpoint), start=1
            ):
                if position % 1000 == 0:
                    breathe()
                number = names.number(name)
                if number >= 0:
                    yield number
    except RequestFailed as failure:
        raise StageFailed(failure.kind, failure.detail, endpoint) from failure
