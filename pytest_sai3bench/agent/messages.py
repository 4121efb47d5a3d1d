"""What controller and agent say to each other: every message, field by field.

A message is one JSON text; JSON rather than the transport's own encoding keeps the agent free of any transport.
Times are integers in nanoseconds of the *agent's* monotonic clock unless a name says otherwise; sizes are bytes.
``stage`` counts the stages of the plan from 0. ``endpoint`` counts the endpoints of the agent's plan from 0.

Conversation::

    controller                         agent
    hello                          →
                                   ←   hello        versions, host, its free memory
    ping ×k                        →
                                   ←   pong         clock samples
    plan (with secrets)            →
                                   ←   preflight    one check per endpoint
    stage                          →
                                   ←   ready        patterns resolved, objects listed; ``room`` where prepare writes
    start                          →                an instant on the agent's clock (``at_ns``)
                                   ←   tick ×n      deltas, once a second or more often
                                   ←   settled ×n   intervals of which all has been told
                                   ←   result       totals of the stage
                                   ←   rested       the delay after prepare is over
    ack                            →
    … next stage …
    bye                            →
                                   ←   bye

``epoch_ns`` of ``start`` is to be added to the agent's clock for the time since the epoch by the controller's.

The secrets are ``credentials`` (of S3, or null) and, where endpoints speak TLS, ``tls``: texts of certificates and of
the client's key.

With a log of operations the agent sends ``op_log`` in a stage, each answered by ``taken``, at most four of them unanswered:
``piece`` is a gzip file in base64 with lines of the log.

At any time: ``alive`` (both ways, once a second; from the first process of an agent with ``host_cpu``, the counters of
`host_cpu.read_host_cpu`), ``abort`` (controller → agent: stop the load, send the
result, stay for the next stage) and ``failed`` (agent → controller: this stage cannot begin or has given up).
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class LatencyWire(TypedDict):
    """Durations in nanoseconds; ``index`` and ``counts`` are parallel: sparse counts by bucket index of `hdr`."""

    sum_ns: int
    min_ns: int
    max_ns: int
    index: list[int]
    counts: list[int]


class SeriesWire(TypedDict):
    """Operations of one kind on one endpoint in one size bucket.

    ``index`` and ``counts`` are parallel: sparse counts by bucket index of `hdr`. ``count`` is their sum. These are
    latencies from the send; ``response`` are those from the instant at which operations were due, None without a rate.
    ``ttfb`` are those from the send to the first byte of the answer: None where they are not known, ``latency`` where
    every answer came in one piece, so that they are the same. ``role`` is one of `ROLES`.
    """

    op: str
    role: str
    endpoint: int
    bucket: int
    count: int
    bytes: int
    sum_ns: int
    min_ns: int
    max_ns: int
    index: list[int]
    counts: list[int]
    response: LatencyWire | None
    ttfb: LatencyWire | Literal["latency"] | None


class PacingWire(TypedDict):
    """What became of the instants of a rate, see `pacing.Pacer`; ``index`` and ``counts`` are its ``lags``."""

    due: int
    late: int
    missed: int
    longest_lag_ns: int
    index: list[int]
    counts: list[int]


class ErrorWire(TypedDict):
    """Failed attempts of one kind; ``sample`` is the first one's text, ``section`` as in `ResultWire`."""

    section: str
    op: str
    endpoint: int
    kind: str
    count: int
    sample: str


class OutageWire(TypedDict):
    """A time for which an endpoint was left out: ``kind`` is ``paused``, ``silent`` or ``ejected``, ``reason`` says why.

    It ended when the endpoint worked again; ``ended_ns`` is -1 when it did not. ``tries`` is how often it was tried in
    vain.
    """

    endpoint: int
    kind: str
    reason: str
    began_ns: int
    ended_ns: int
    tries: int


class CheckWire(TypedDict):
    """Outcome of the preflight of one endpoint; ``kind`` is empty when it is usable, ``detail`` then a note if any."""

    endpoint: int
    kind: str
    detail: str


class RoomWire(TypedDict):
    """A file system that prepare writes to, with one of the endpoints on it.

    ``free`` bytes are left for the agent's user, ``writes`` are those that this worker is going to need at least.
    ``distant`` says that it is a network file system, whose ``name`` is the same on all hosts.
    """

    endpoint: int
    name: str
    distant: bool
    free: int
    writes: int


class TickWire(TypedDict):
    """What was added since the tick before.

    ``tick`` counts whole seconds since the start, ``interval`` the intervals of the plan (``interval_ns``): several ticks
    may share one.
    """

    type: str
    stage: int
    tick: int
    interval: int
    sections: dict[str, list[SeriesWire]]
    errors: list[ErrorWire]


class SettledWire(TypedDict):
    """All that completed in intervals before ``interval`` has been told."""

    type: str
    stage: int
    interval: int


class MountWire(TypedDict):
    """Where a folder is: the device's number, mount point, type of file system, what is mounted, and its address if any."""

    device: str
    point: str
    type: str
    source: str
    address: str


class ContactWire(TypedDict):
    """How an endpoint was reached in a stage.

    ``connections`` counts those that were ready for requests, ``remotes`` how many of them led to each address
    (``host:port``, the first 16 of these), ``locals`` has some of their other ends. ``mount`` is that of a folder.
    """

    endpoint: int
    connections: int
    remotes: list[tuple[str, int]]
    locals: list[str]
    mount: MountWire | None


class ResultWire(TypedDict):
    """Everything a stage measured.

    ``sections``: ``warmup`` (completed before the window), ``measured`` (completed inside it), ``tail`` (begun before
    its end, completed after it). ``window_ns`` is that window; for prepare and cleanup it spans the whole stage.
    ``planned_start_ns`` is the instant that was ordered, ``started_ns`` the one at which load began.
    ``engine`` is that of the plan. ``outcome``: ``completed``, ``exhausted`` (nothing left to do before the time was up), ``aborted`` (on request),
    ``gave-up`` (too many errors) or ``failed`` (the command of the stage). ``cpu_cores`` is how many cores the worker's engine can keep busy. ``notes`` are sentences for the reader of the result.
    ``pacing`` is None without a rate. ``cpu_share`` and ``longest_pause_ns`` are those of `watch.Watch`.
    """

    type: str
    stage: int
    outcome: str
    reason: str
    planned_start_ns: int
    started_ns: int
    ended_ns: int
    window_ns: list[int]
    sections: dict[str, list[SeriesWire]]
    errors: list[ErrorWire]
    retries: int
    outages: list[OutageWire]
    cpu_s: float
    cpu_cores: int
    max_rss_bytes: int
    read_sink: str
    engine: str
    notes: list[str]
    pacing: PacingWire | None
    cpu_share: float
    longest_pause_ns: int
    contacts: list[ContactWire]


class FailedWire(TypedDict):
    """A stage that cannot begin; ``kind`` is one of `FAILURE_KINDS`."""

    type: str
    stage: int
    kind: str
    detail: str
    endpoint: int


Message = dict[str, Any]

SECTIONS = ("warmup", "measured", "tail")
OPERATIONS = ("get", "put", "list", "stat", "delete", "mkdir", "rmdir")
GET, PUT, LIST, STAT, DELETE, MKDIR, RMDIR = range(len(OPERATIONS))
# What a series counts: operations of one request each; operations of several, where the first of these went; or those
# requests, each where it went.
ROLES = ("", "whole", "part")
# How files are put, added to `PUT` in a task: see `file_puts`.
FSYNC, ATOMIC = 1 << 8, 1 << 9
KIND_MASK = 0xFF
# Operations whose results are shown together as META, as sai3-bench does.
META_OPERATIONS = ("list", "stat", "delete", "mkdir", "rmdir")

# Kinds of preflight results and of failed stages.
FAILURE_KINDS = (
    "refused",
    "unreachable",
    "unresolved",
    "timeout",
    "denied",
    "bad-secret",
    "unknown-key",
    "no-bucket",
    "redirected",
    "wrong-region",
    "no-folder",
    "not-writable",
    "no-direct",
    "not-http",
    "wrong-host",
    "unknown-ca",
    "expired-certificate",
    "bad-certificate",
    "client-certificate",
    "not-tls",
    "needs-tls",
    "tls-failed",
    "no-match",
    "unverifiable",
    "no-boto3",
    "old-python",
    "aborted",
    "internal",
    "other",
)
