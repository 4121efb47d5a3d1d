"""Every kind of value of sai3-bench's dialect, every key of its top level, and the defaults of all others.

The rows are those of its documentation of values and of the top level; a key stands with its default, and with each way
to write it that sai3-bench has. What it refuses and the suite takes, such as units for every size, is here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.suite.distributed import Agent, Distributed
from pytest_sai3bench.suite.endpoints import MultiEndpoint
from pytest_sai3bench.suite.io_rate import IoRate
from pytest_sai3bench.suite.large import RangeEngine, S3dlioOptimization
from pytest_sai3bench.suite.loader import load
from pytest_sai3bench.suite.operations import Delete, Get, List, Put, Stat
from pytest_sai3bench.suite.perf_log import PerfLog
from pytest_sai3bench.suite.preparation import EnsureObjects, Preparation
from pytest_sai3bench.suite.sizes import Fixed, Lognormal, Uniform
from pytest_sai3bench.suite.ssh import Ssh

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_sai3bench.suite.document import Suite
    from pytest_sai3bench.suite.section import Section

MEBIBYTE = 2**20
SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0

DURATIONS = [
    ("500ms", 0.5),
    ("60s", 60.0),
    ("5m", 5 * MINUTE),
    ("1h 30m", 1.5 * HOUR),
    ("1h30m", 1.5 * HOUR),
    ("2days", 2 * DAY),
    ("250ns", 250e-9),
    ("250us", 250e-6),
    ("3w", 21 * DAY),
    ("1M", 30.44 * DAY),
    ("1y", 365.25 * DAY),
    *((f"2{unit}", 2e-9) for unit in ("nsec",)),
    *((f"2{unit}", 2e-6) for unit in ("usec",)),
    *((f"2{unit}", 2e-3) for unit in ("msec",)),
    *((f"2{unit}", 2 * SECOND) for unit in ("seconds", "second", "sec", "s")),
    *((f"2{unit}", 2 * MINUTE) for unit in ("minutes", "minute", "min", "m")),
    *((f"2{unit}", 2 * HOUR) for unit in ("hours", "hour", "hr", "h")),
    *((f"2{unit}", 2 * DAY) for unit in ("days", "day", "d")),
    *((f"2{unit}", 14 * DAY) for unit in ("weeks", "week", "w")),
    *((f"2{unit}", 60.88 * DAY) for unit in ("months", "month", "M")),
    *((f"2{unit}", 730.5 * DAY) for unit in ("years", "year", "y")),
    # sai3-bench takes no number without a unit here, though its documentation has some.
    ("30", 30.0),
    ("1.5", 1.5),
    ('"30"', 30.0),
]
DELAYS = [("2", 2.0), ('"2"', 2.0), ("2s", 2.0), ("2m", 2 * MINUTE), ("2h", 2 * HOUR), ("2d", 2 * DAY)]
COUNTS = [
    ("64032768", 64_032_768),
    ('"64,032,768"', 64_032_768),
    ("64_032_768", 64_032_768),
    ("64 032 768", 64_032_768),
    ("0x10", 16),
]
SIZES = [
    ("4096", 4096),
    ('"4096"', 4096),
    *(
        (f"2{unit}", 2 * 10**power)
        for power, k in ((3, "K"), (6, "M"), (9, "G"), (12, "T"))
        for unit in (k, f"{k}B")
    ),
    *(
        (f"2{unit}", 2 * 2**power)
        for power, k in ((10, "K"), (20, "M"), (30, "G"), (40, "T"))
        for unit in (f"{k}i", f"{k}iB")
    ),
    ("1.5MiB", 1_572_864),
    ("0.5k", 500),
    ("4kib", 4096),
    ("4KIB", 4096),
    ("1.0006KB", 1001),
    ("1.0004KB", 1000),
]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Suite]:
    """Return ``read(text)``: the suite of a text, which must not even be doubted."""

    def read(text: str) -> Suite:
        path = tmp_path / "s.yaml"
        path.write_text(text, encoding="utf-8")
        loaded = load(path, env={}, strict=True)
        assert loaded.warnings == ()
        return loaded.suite

    return read


def only(workload: str = "{op: get, path: a, weight: 1}", *, more: str = "") -> str:
    return f"target: file:///d/\nworkload: [{workload}]\n{more}\n"


@pytest.mark.parametrize(("written", "seconds"), DURATIONS)
def test_a_duration_may_be_written(written: str, seconds: float, read: Callable[[str], Suite]) -> None:
    suite = read(
        only(
            more=f"warmup_period: {written}\nerror_handling: {{backoff_duration: {written}}}\nprepare: {{post_prepare_delay: {written}}}"
        )
    )
    read_here = (suite.warmup, suite.error_handling.backoff_duration, suite.prepare.post_prepare_delay)
    assert read_here == pytest.approx((seconds,) * 3, rel=1e-12)


@pytest.mark.parametrize(("written", "seconds"), DELAYS)
def test_a_delay_may_be_written(written: str, seconds: float, read: Callable[[str], Suite]) -> None:
    ssh = f"distributed: {{agents: [{{address: a}}], ssh: {{timeout: {written}}}}}"
    suite = read(only(more=f"prepare: {{post_prepare_delay: {written}}}\n{ssh}"))
    assert suite.prepare.post_prepare_delay == seconds
    assert suite.distributed is not None
    assert suite.distributed.ssh.timeout == seconds


@pytest.mark.parametrize(("written", "count"), COUNTS)
def test_a_count_may_be_written(written: str, count: int, read: Callable[[str], Suite]) -> None:
    suite = read(
        only(
            f"{{op: get, path: a, weight: {written}}}",
            more=f"prepare: {{ensure_objects: [{{count: {written}}}]}}\nconcurrency: {written}",
        )
    )
    assert (suite.workload[0].weight, suite.prepare.ensure_objects[0].count, suite.concurrency) == (
        count,
    ) * 3


@pytest.mark.parametrize(("written", "size"), SIZES)
def test_a_size_may_be_written(written: str, size: int, read: Callable[[str], Suite]) -> None:
    suite = read(
        f"""\
target: file:///d/
workload:
  - {{op: put, weight: 1, object_size: {written}}}
  - {{op: put, weight: 1, size_spec: {written}}}
  - {{op: put, weight: 1, size_spec: {{type: uniform, min: {written}, max: 3T}}}}
  - {{op: put, weight: 1, size_distribution: {{type: lognormal, mean: {written}, std_dev: {written}, min: {written}, max: 3T}}}}
prepare:
  ensure_objects:
    - {{count: 1, min_size: {written}, max_size: 3T}}
"""
    )
    assert [getattr(operation, "size", None) for operation in suite.workload] == [
        Fixed(size=size),
        Fixed(size=size),
        Uniform(min=size, max=3 * 10**12),
        Lognormal(mean=size, std_dev=size, min=size, max=3 * 10**12),
    ]
    assert suite.prepare.ensure_objects[0].min_size == size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("{type: uniform}", Uniform(min=1024, max=MEBIBYTE)),
        ("{type: uniform, min: 5, max: 5}", Uniform(min=5, max=5)),
        ("{type: lognormal, mean: 1MiB, std_dev: 512KiB}", Lognormal(mean=MEBIBYTE, std_dev=MEBIBYTE // 2)),
        (
            "{type: lognormal, mean: 9, std_dev: 2, min: 3, max: 12}",
            Lognormal(mean=9, std_dev=2, min=3, max=12),
        ),
        ("{type: fixed, size: 7}", Fixed(size=7)),
    ],
)
def test_sizes_are_distributed(written: str, size: object, read: Callable[[str], Suite]) -> None:
    for key in ("size_spec", "size_distribution"):
        suite = read(
            only(
                f"{{op: put, weight: 1, {key}: {written}}}",
                more=f"prepare: {{ensure_objects: [{{count: 1, {key}: {written}}}]}}",
            )
        )
        assert getattr(suite.workload[0], "size", None) == size
        assert suite.prepare.ensure_objects[0].size == size


def test_a_lognormal_size_is_at_least_one_byte_and_not_bounded() -> None:
    assert (Lognormal(mean=9, std_dev=2).min, Lognormal(mean=9, std_dev=2).max) == (1, 2**63 - 1)


@pytest.mark.parametrize(
    ("size_spec", "message"),
    [
        ("12B", ""),
        ("0", ""),
        ("12 X", "size_spec: '12 X' is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB"),
        ("-1", "size_spec: -1 is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB"),
        ("1.5", "size_spec: 1.5 is not a size: expected bytes or text such as 4096, 64KB, 1.5MiB"),
        (
            "{type: uniform, min: 2, max: 1}",
            "size_spec.min: min (2 bytes) is larger than max (1 bytes): expected at most as much",
        ),
        ("{type: uniform, max: 0}", "size_spec.max: too small: expected at least 1"),
        (
            "{type: lognormal, std_dev: 1}",
            "size_spec: 'mean' is missing: expected the mean size, such as 1MiB",
        ),
        (
            "{type: lognormal, mean: 1}",
            "size_spec: 'std_dev' is missing: expected the standard deviation, such as 512KiB",
        ),
        ("{type: lognormal, mean: 0, std_dev: 1}", "size_spec.mean: too small: expected at least 1"),
        ("{type: lognormal, mean: 1, std_dev: 0}", "size_spec.std_dev: too small: expected at least 1"),
        ("{type: lognormal, mean: 1, std_dev: 1, min: 0}", "size_spec.min: too small: expected at least 1"),
        (
            "{type: lognormal, mean: 1, std_dev: 1, min: 9, max: 8}",
            "size_spec.min: min (9 bytes) is larger than max (8 bytes): expected at most as much",
        ),
        ("{min: 1}", "size_spec: 'type' is missing: expected one of fixed, uniform, lognormal"),
        (
            "1, size_distribution: 1",
            "size_distribution: 'size_distribution' is another spelling of 'size_spec', which is given too: expected one of them",
        ),
    ],
)
def test_a_wrong_size_is_told(size_spec: str, message: str, problems_of: Callable[..., list[str]]) -> None:
    text = only(f"{{op: put, weight: 1, size_spec: {size_spec}}}")
    assert problems_of(text) == ([f"error s.yaml:2: workload[0].{message}"] if message else [])


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("file:///mnt/data", "file:///mnt/data"),
        ("direct:///mnt/data/", "direct:///mnt/data/"),
        ("s3://bucket", "s3://bucket"),
        ("s3://10.0.0.1:9000/bucket/prefix/", "s3://10.0.0.1:9000/bucket/prefix/"),
        ("s3://localhost/bucket/", "s3://localhost/bucket/"),
    ],
)
def test_a_target_has_a_scheme(uri: str, target: str, read: Callable[[str], Suite]) -> None:
    assert read(f"target: {uri}\nworkload: [{{op: get, path: a, weight: 1}}]\n").target == target


# Key, what is written, what it means.
TOP_LEVEL: list[tuple[str, str, Any]] = [
    ("duration", "", 60.0),
    ("duration", "90s", 90.0),
    ("concurrency", "", 16),
    ("concurrency", "64", 64),
    ("prepare", "", Preparation()),
    ("range_engine", "", None),
    ("range_engine", "{enabled: true}", RangeEngine(enabled=True)),
    (
        "range_engine",
        "{enabled: true, chunk_size: 67108864, max_concurrent_ranges: 16, min_split_size: 16777216, range_timeout_secs: 30}",
        RangeEngine(
            enabled=True,
            chunk_size=64 * MEBIBYTE,
            max_concurrent_ranges=16,
            min_split_size=16 * MEBIBYTE,
            range_timeout_secs=30.0,
        ),
    ),
    ("page_cache_mode", "", None),
    *(("page_cache_mode", mode, mode) for mode in ("auto", "sequential", "random", "dontneed", "normal")),
    ("distributed", "", None),
    ("io_rate", "", None),
    ("processes", "", 1),
    ("processes", "single", 1),
    ("processes", "auto", "auto"),
    ("processes", "4", 4),
    ("processes", '"4"', 4),
    ("processing_mode", "", "multi_runtime"),
    ("processing_mode", "multi_runtime", "multi_runtime"),
    ("processing_mode", "multi_process", "multi_process"),
    ("op_log_path", "", None),
    ("op_log_path", "/tmp/op.log.zst", "/tmp/op.log.zst"),
    ("warmup_period", "", 0.0),
    ("warmup_period", "10s", 10.0),
    ("multi_endpoint", "", None),
    ("s3dlio_optimization", "", None),
    (
        "s3dlio_optimization",
        "{enable_range_downloads: true, range_threshold_mb: 64}",
        S3dlioOptimization(enable_range_downloads=True),
    ),
]


@pytest.mark.parametrize(("key", "written", "value"), TOP_LEVEL)
def test_a_key_of_the_top_level_means(
    key: str, written: str, value: object, read: Callable[[str], Suite], tmp_path: Path
) -> None:
    target = "s3://h:1/bucket/" if key in ("range_engine", "s3dlio_optimization") else "file:///d/"
    suite = read(f"target: {target}\nworkload: [{{op: get, path: a, weight: 1}}]\n{key}: {written}\n")
    assert getattr(suite, {"warmup_period": "warmup"}.get(key, key)) == value


@pytest.mark.parametrize(
    ("written", "iops"),
    [
        ("1000", 1000),
        ('"1000"', 1000),
        ("max", "max"),
        ("MAX", "max"),
        ("0", "max"),
        ("-1", "max"),
        ('"-1"', "max"),
    ],
)
def test_a_rate_may_be_written(written: str, iops: object, read: Callable[[str], Suite]) -> None:
    rate = read(only(more=f"io_rate: {{iops: {written}}}")).io_rate
    assert rate is not None
    assert (rate.iops, rate.distribution) == (iops, "exponential")


@pytest.mark.parametrize("distribution", ["exponential", "uniform", "deterministic"])
def test_arrivals_are_distributed(distribution: str, read: Callable[[str], Suite]) -> None:
    rate = read(only(more=f"io_rate: {{iops: 5, distribution: {distribution}}}")).io_rate
    assert rate is not None
    assert rate.distribution == distribution


@pytest.mark.parametrize(
    ("strategy", "read_as"),
    [
        ("round_robin", "round_robin"),
        ("roundrobin", "round_robin"),
        ("Round_Robin", "round_robin"),
        ("least_connections", "least_connections"),
        ("leastconnections", "least_connections"),
        ("LEAST_CONNECTIONS", "least_connections"),
    ],
)
def test_a_strategy_may_be_written(strategy: str, read_as: str, read: Callable[[str], Suite]) -> None:
    block = read(
        f"workload: [{{op: get, path: a, weight: 1}}]\nmulti_endpoint: {{strategy: {strategy}, endpoints: [file:///a/]}}\n"
    ).multi_endpoint
    assert block is not None
    assert block.strategy == read_as


@pytest.mark.parametrize(
    ("mode", "read_as"),
    [
        ("strict", "strict"),
        ("tolerant", "tolerant"),
        ("besteffort", "best_effort"),
        ("best_effort", "best_effort"),
    ],
)
def test_a_cleanup_mode_may_be_written(mode: str, read_as: str, read: Callable[[str], Suite]) -> None:
    assert read(only(more=f"prepare: {{cleanup_mode: {mode}}}")).prepare.cleanup_mode == read_as


@pytest.mark.parametrize(("fill", "read_as"), [("zero", "zero"), ("random", "random"), ("prand", "random")])
def test_a_fill_may_be_written(fill: str, read_as: str, read: Callable[[str], Suite]) -> None:
    text = only(more=f"prepare: {{ensure_objects: [{{count: 1, fill: {fill}}}]}}")
    assert read(text).prepare.ensure_objects[0].fill == read_as


def test_error_handling_has_its_defaults(read: Callable[[str], Suite]) -> None:
    written = """\
error_handling:
  max_total_errors: 100
  error_rate_threshold: 5.0
  backoff_duration: 5s
  error_rate_window: 1.0
  retry_on_error: false
  max_retries: 3
  initial_retry_delay_ms: 100
  max_retry_delay_ms: 5000
  retry_backoff_multiplier: 2.0
  retry_jitter_factor: 0.25
"""
    assert read(only(more=written)).error_handling == read(only()).error_handling


def test_an_empty_list_of_agents_is_this_host_alone(read: Callable[[str], Suite]) -> None:
    distributed = read(
        only(
            more="""\
distributed:
  agents: []
  shared_filesystem: true
  tree_creation_mode: isolated
  path_selection: random
"""
        )
    ).distributed
    assert distributed is not None
    assert distributed.agents == ()


DEFAULTS: list[tuple[type[Section], dict[str, Any]]] = [
    (Put, {"path": "", "dedup_factor": 1, "compress_factor": 1, "object_size": None, "size_spec": None}),
    (
        Preparation,
        {
            "ensure_objects": (),
            "cleanup": False,
            "cleanup_mode": "tolerant",
            "skip_verification": False,
            "force_overwrite": False,
            "post_prepare_delay": 0.0,
            "key_prefix_shards": 0,
        },
    ),
    (
        EnsureObjects,
        {
            "base_uri": None,
            "min_size": MEBIBYTE,
            "max_size": MEBIBYTE,
            "size_spec": None,
            "fill": "random",
            "dedup_factor": 1,
            "compress_factor": 1,
        },
    ),
    (IoRate, {"distribution": "exponential"}),
    (MultiEndpoint, {"strategy": "round_robin"}),
    (PerfLog, {"interval": 1.0}),
    (
        RangeEngine,
        {
            "enabled": False,
            "chunk_size": 67_108_864,
            "max_concurrent_ranges": 16,
            "min_split_size": 16_777_216,
            "range_timeout_secs": 30.0,
        },
    ),
    (S3dlioOptimization, {"enable_range_downloads": False, "range_threshold_mb": 64}),
    (
        Agent,
        {
            "id": None,
            "target_override": None,
            "concurrency_override": None,
            "multi_endpoint": None,
            "env": {},
        },
    ),
    (Ssh, {"user": None, "known_hosts": None, "timeout": 10.0}),
]


@pytest.mark.parametrize(
    ("section", "key", "default"),
    [
        pytest.param(section, key, default, id=f"{section.__name__}.{key}")
        for section, defaults in DEFAULTS
        for key, default in defaults.items()
    ],
)
def test_a_key_of_a_section_has_the_default_of_the_dialect(
    section: type[Section], key: str, default: object
) -> None:
    assert section.model_fields[key].get_default() == default


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        (Get, {"op", "weight", "path"}),
        (Put, {"op", "weight"}),
        (List, {"op", "weight", "path"}),
        (Stat, {"op", "weight", "path"}),
        (Delete, {"op", "weight", "path"}),
        (EnsureObjects, {"count"}),
        (IoRate, {"iops"}),
        (Agent, {"address"}),
        (Distributed, {"agents"}),
        (Preparation, set()),
        (MultiEndpoint, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_section_requires_what_the_dialect_does(section: type[Section], keys: set[str]) -> None:
    """Of `distributed` sai3-bench requires three keys more, which mean something with directory trees only."""
    assert {name for name, field in section.model_fields.items() if field.is_required()} == keys
