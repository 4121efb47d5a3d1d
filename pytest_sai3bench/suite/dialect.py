"""Keys of the dialect that this version reads, but does not act on.

The one list of them: a key leaves it when a section gets a field of that name. Keys are written as places, with ``[]``
for any index.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from pytest_sai3bench.suite.places import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_sai3bench.suite.places import Place


Effect = Literal["later", "needless", "never"]


class _Key(NamedTuple):
    """What ignoring a key does, the values that ask for what is done anyway, and why the key is not needed."""

    effect: Effect
    harmless: tuple[object, ...] = ()
    reason: str = ""


def _needless(reason: str, *harmless: object) -> _Key:
    """What the key is about does not exist here."""
    return _Key("needless", harmless, reason)


def _later(*harmless: object) -> _Key:
    """Leaving the key out changes how a run is done, but not what it measures."""
    return _Key("later", harmless)


def _never(*harmless: object) -> _Key:
    """The key does nothing in sai3-bench either, though its own examples hold it."""
    return _Key("never", harmless)


_ANY = object()
_NO_CACHE = "there is no metadata cache; prepare looks for its objects"
_NO_CONTAINER = "agents run without containers"
_NO_PORT = "agents are reached over ssh and open no port"
_NO_GCS = "gs:// is not supported"
_NO_HTTP2 = "requests are HTTP/1.1"
_SILENCE = "agents are heard every second, and lost after 15 s of silence"
_NO_THREADS = "a worker needs no threads for S3; 'processes' makes more workers"
# Where a barrier of stages can be.
_BARRIERS = (
    *(f"distributed.barrier_sync.{kind}" for kind in ("validation", "prepare", "execute", "cleanup")),
    "distributed.stages[].barrier",
    "stages[].barrier",
)

_KEYS = {
    "autotune": _never(),
    "backend": _never(),
    "cache_checkpoint_interval_secs": _needless(_NO_CACHE),
    "cleanup": _never(),
    "data_size": _never(),
    "distributed_env": _needless("agents get the keys of S3 from this host, and variables by their 'env'"),
    "enable_metadata_cache": _needless(_NO_CACHE),
    "force_overwrite": _never(),
    "objects": _never(),
    "record_count": _never(),
    "repeat": _later(1),
    "s3dlio_optimization.auto_threads": _needless(_NO_THREADS),
    "s3dlio_optimization.gcs_channel_count": _needless(_NO_GCS),
    "s3dlio_optimization.gcs_project": _needless(_NO_GCS),
    "s3dlio_optimization.gcs_rapid_mode": _needless(_NO_GCS),
    "s3dlio_optimization.gcs_write_chunk_size_bytes": _needless(_NO_GCS),
    "s3dlio_optimization.h2_adaptive_window": _needless(_NO_HTTP2),
    "s3dlio_optimization.h2_conn_window_mb": _needless(_NO_HTTP2),
    "s3dlio_optimization.h2_stream_window_mb": _needless(_NO_HTTP2),
    "s3dlio_optimization.h2c": _needless(_NO_HTTP2),
    "s3dlio_optimization.s3dlio_rt_threads": _needless(_NO_THREADS),
    "s3dlio_optimization.tokio_worker_threads": _never(),
    "version": _never(),
    "workload[].use_multi_endpoint": _never(),
    "perf_log.path": _never(),
    "prepare.compress_factor": _never(),
    "prepare.dedup_factor": _never(),
    "prepare.enabled": _never(),
    "prepare.file_size": _never(),
    "prepare.fill": _never(),
    "prepare.ensure_objects[].size": _never(),
    "prepare.ensure_objects[].use_multi_endpoint": _never(),
    "distributed.agent_ready_timeout": _later(),
    "distributed.barrier_sync.default_heartbeat_interval": _needless(_SILENCE),
    "distributed.barrier_sync.default_missed_threshold": _needless(_SILENCE),
    "distributed.barrier_sync.default_query_retries": _needless(_SILENCE),
    "distributed.barrier_sync.default_query_timeout": _needless(_SILENCE),
    "distributed.barrier_sync.timeout_seconds": _never(),
    "distributed.deployment": _needless(_NO_CONTAINER),
    "distributed.grpc_keepalive_interval": _needless(_NO_PORT),
    "distributed.grpc_keepalive_timeout": _needless(_NO_PORT),
    "distributed.kv_cache_dir": _needless(_NO_CACHE),
    "distributed.path_template": _never(),
    "distributed.shared_filesystem": _needless(
        "agents have no prefixes of their own; each cares for its share of the objects", True
    ),
    "distributed.ssh.enabled": _later(True, False),
    "distributed.start_delay": _never(),
    "distributed.agents[].kv_cache_dir": _needless(_NO_CACHE),
    "distributed.agents[].listen_port": _needless(_NO_PORT),
    "distributed.agents[].path_template": _never(),
    "distributed.agents[].volumes": _needless(_NO_CONTAINER),
    **{f"{place}.agent_barrier_timeout": _needless("'timeout_secs' bounds a stage") for place in _BARRIERS},
    **{f"{place}.heartbeat_interval": _needless(_SILENCE) for place in _BARRIERS},
    **{f"{place}.missed_threshold": _needless(_SILENCE) for place in _BARRIERS},
    **{f"{place}.query_retries": _needless(_SILENCE) for place in _BARRIERS},
    **{f"{place}.query_timeout": _needless(_SILENCE) for place in _BARRIERS},
}


def known_in(place: Place) -> tuple[str, ...]:
    """Return the keys of the section at a place that belong to the dialect, but have no effect."""
    return _known_in(_pattern(place))


@cache
def _known_in(section: str) -> tuple[str, ...]:
    return tuple(name for parent, _, name in (key.rpartition(".") for key in _KEYS) if parent == section)


class Inactive(NamedTuple):
    """A key without effect; ``accepted`` are the values that are taken in silence, as YAML, ``*`` for any."""

    key: str
    effect: Effect
    accepted: tuple[str, ...]
    reason: str


def inactive() -> Iterator[Inactive]:
    """Yield every key without effect."""
    for key, (effect, harmless, reason) in _KEYS.items():
        yield Inactive(key, effect, tuple(_as_yaml(value) for value in harmless), reason)


def is_dead(place: Place) -> bool:
    """Tell whether a key does nothing in sai3-bench either."""
    key = _KEYS.get(_pattern(place))
    return key is not None and key.effect == "never"


def judge(place: Place, value: object) -> Iterator[Finding]:
    """Yield what there is to say about the value of a key that `known_in` returns."""
    effect, harmless, reason = _KEYS[_pattern(place)]
    if value is None or any(other is _ANY or _same(value, other) for other in harmless):
        return
    key = place[-1]
    if effect == "needless":
        yield Finding(place, f"'{key}' has no effect: {reason}", "warning")
    elif effect == "never":
        yield Finding(place, f"'{key}' has no effect, nor has it in sai3-bench: it can be removed", "warning")
    else:
        yield Finding(
            place, f"'{key}' has no effect in this version, though it belongs to the dialect", "warning"
        )


def _as_yaml(value: object) -> str:
    if value is _ANY:
        return "*"
    if isinstance(value, bool):
        return str(value).lower()
    return "[]" if value == () else str(value)


def _same(value: object, other: object) -> bool:
    # True is not 1 here.
    return type(value) is type(other) and value == other


def _pattern(place: Place) -> str:
    text = "".join("[]" if isinstance(part, int) else f".{part}" for part in place)
    return text.removeprefix(".")
