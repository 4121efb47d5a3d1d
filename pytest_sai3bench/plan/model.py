"""The resolved plan: what each worker does, where, and why there.

Frozen values; `WorkerPlan.to_wire` gives the builtins that cross to an agent. The plan holds no secrets: credentials
travel beside it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pytest_sai3bench.plan.work import StagePlan

Scheme = Literal["s3", "file", "direct"]
FailureMode = Literal["fail", "continue", "eject"]


@dataclass(frozen=True)
class Origin:
    """Where a resolved value was written: ``four_host.yaml:12`` and ``distributed.agents[1].multi_endpoint``.

    For a variable of the environment its name, and no path.
    """

    where: str
    path: str

    def __str__(self) -> str:
        return f"{self.where} ({self.path})" if self.path else self.where


@dataclass(frozen=True)
class Endpoint:
    """One address that serves objects.

    ``uri`` is the text of the suite and the endpoint's identity everywhere, with one slash at the end. ``host`` and
    ``port`` say where to connect (an embedded address gets them when the server is up); ``bucket`` and ``prefix``
    (empty, or with one slash at the end) apply to ``s3``, ``root`` (a folder, slash at the end) to ``file`` and ``direct``.
    ``tls`` says that an ``s3`` server is spoken to over TLS, ``virtual`` that the bucket stands in the name of its host.
    ``delay_s`` is how much later than others an embedded ``s3`` address answers. With ``each_address`` a run makes an
    endpoint for each address of ``host``; ``address`` is that to connect to, empty where ``host`` says it.
    """

    uri: str
    scheme: Scheme
    origin: Origin
    host: str = ""
    port: int = 0
    bucket: str = ""
    prefix: str = ""
    root: str = ""
    embedded: bool = False
    tls: bool = False
    virtual: bool = False
    delay_s: float = 0.0
    each_address: bool = False
    address: str = ""

    def to_wire(self) -> dict[str, Any]:
        """Return the fields an agent needs."""
        return {
            "uri": self.uri,
            "scheme": self.scheme,
            "host": self.host,
            "address": self.address,
            "port": self.port,
            "bucket": self.bucket,
            "prefix": self.prefix,
            "root": self.root,
            "tls": self.tls,
            "virtual": self.virtual,
        }


@dataclass(frozen=True)
class ErrorPolicy:
    """What an agent does about failed attempts; rates per second, times in seconds."""

    max_total_errors: int = 100
    error_rate_threshold: float = 5.0
    backoff_s: float = 5.0
    error_rate_window_s: float = 1.0
    retry_on_error: bool = False
    max_retries: int = 3
    initial_retry_delay_s: float = 0.1
    max_retry_delay_s: float = 5.0
    retry_backoff_multiplier: float = 2.0
    retry_jitter_factor: float = 0.25

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class EndpointRules:
    """What an agent does about an endpoint that fails.

    ``fail`` lets its errors end the run, ``continue`` does not as long as another works, ``eject`` leaves it out for
    ``eject_time_s`` after ``eject_after`` failures in a row. After ``suspect_after_s`` without an answer an endpoint gets
    no more operations.
    """

    failure: FailureMode = "fail"
    eject_after: int = 5
    eject_time_s: float = 10.0
    suspect_after_s: float = 5.0

    def to_wire(self) -> dict[str, Any]:
        """Return all fields."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class SshPlan:
    """What ssh is told about a host; what is empty is left to its own configuration.

    ``options`` come first, so that they win. Files are absolute paths on the controller.
    """

    host: str
    options: tuple[str, ...] = ()
    user: str = ""
    port: int = 0
    key_file: str = ""
    known_hosts: str = ""
    config: str = ""
    timeout_s: float = 10.0


@dataclass(frozen=True)
class HostPlan:
    """Where an agent runs: the host at the other end of ``ssh``, or of the command ``python``, or else this one.

    ``python`` starts Python there, empty for the Python of this process. ``origin`` says where that is written.
    """

    origin: Origin = field(default=Origin("", ""), compare=False)
    python: str = ""
    ssh: SshPlan | None = None

    @property
    def is_here(self) -> bool:
        """True when the agent is a child of this process."""
        return self.ssh is None and not self.python

    @property
    def title(self) -> str:
        """What the host is called in messages."""
        if self.ssh is not None:
            return self.ssh.host
        return f"'{self.python}'" if self.python else "this host"


@dataclass(frozen=True)
class WorkerPlan:
    """All that one worker process does. ``strategy`` chooses among ``endpoints``; ``lanes`` operations are in flight.

    ``strategy_origin`` says where the strategy is written, None when nothing says it. ``weights`` are those of the
    endpoints, empty where the strategy does not go by them.

    ``namespace`` says which objects the endpoints show. ``sharers`` has for each endpoint which of the workers that drive
    it this one is, counted from 0, and how many they are; empty when all workers drive all endpoints.

    Names of objects lie in the folders of ``key_prefix_shards`` shards, 0 for none, see `pytest_sai3bench.agent.naming`.

    ``connections`` is how many a worker may have to each of its endpoints, 0 when nothing bounds them.

    ``worker`` counts all ``workers`` of the run from 0, ``process`` the ``processes`` of its agent.
    ``page_cache_mode`` is the hint for reads of files, empty for none; ``read_sink`` says what becomes of bodies of gets
    over HTTP, ``engine`` what makes the load on ``s3``. ``env`` holds variables of the agent's environment, which may be
    secret. Reports are cut every ``interval_s`` seconds. ``op_log_bytes`` is how long its log of operations may become,
    0 for none.

    All random choices follow from ``seed``, a worker's own, but for sizes and data of prepare's objects: these follow
    from ``data_seed``, which all workers share.
    """

    agent: str
    address: str
    worker: int
    workers: int
    endpoints: tuple[Endpoint, ...]
    strategy: str
    lanes: int
    seed: int
    stages: tuple[StagePlan, ...]
    errors: ErrorPolicy
    weights: tuple[float, ...] = ()
    endpoint_rules: EndpointRules = EndpointRules()
    namespace: Literal["shared", "independent", "replicated"] = "shared"
    sharers: tuple[tuple[int, int], ...] = ()
    connections: int = 0
    connect_timeout_s: float = 10.0
    request_timeout_s: float = 120.0
    data_seed: int = 0
    process: int = 0
    processes: int = 1
    page_cache_mode: str = ""
    read_sink: Literal["auto", "copy", "discard"] = "auto"
    engine: Literal["default", "boto3"] = "default"
    strategy_origin: Origin | None = None
    host: HostPlan = HostPlan()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    interval_s: float = 1.0
    op_log_bytes: int = 0
    key_prefix_shards: int = 0

    @property
    def title(self) -> str:
        """The agent, and which of its processes this is when there are several."""
        return (
            self.agent
            if self.processes == 1
            else f"{self.agent} (worker {self.process + 1} of {self.processes})"
        )

    @property
    def workload_lanes(self) -> int:
        """How many lanes the workload has; bounds of its operations may make them more or fewer than ``lanes``."""
        found = [stage.lanes for stage in self.stages if stage.kind == "workload"]
        return (found and found[0]) or self.lanes

    def to_wire(self) -> dict[str, Any]:
        """Return the plan as builtins that survive JSON unchanged."""
        return {
            "agent": self.agent,
            "worker": self.worker,
            "workers": self.workers,
            "endpoints": [endpoint.to_wire() for endpoint in self.endpoints],
            "strategy": self.strategy,
            "weights": list(self.weights),
            "namespace": self.namespace,
            "sharers": [
                list(pair) for pair in self.sharers or [(self.worker, self.workers)] * len(self.endpoints)
            ],
            "processes": self.processes,
            "connections": self.connections,
            "lanes": self.lanes,
            "seed": self.seed,
            "stages": [stage.to_wire() for stage in self.stages],
            "errors": self.errors.to_wire(),
            "endpoint_rules": self.endpoint_rules.to_wire(),
            "connect_timeout_s": self.connect_timeout_s,
            "request_timeout_s": self.request_timeout_s,
            "page_cache_mode": self.page_cache_mode,
            "read_sink": self.read_sink,
            "engine": self.engine,
            "data_seed": self.data_seed,
            "process": self.process,
            "interval_ns": round(self.interval_s * 1e9),
            "op_log_bytes": self.op_log_bytes,
            "key_prefix_shards": self.key_prefix_shards,
        }


@dataclass(frozen=True)
class TlsPlan:
    """Whom the workers trust over TLS and who they are: absolute paths on the controller, empty where nothing is given.

    What is in the files travels beside the plan, like the credentials.
    """

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    verify: bool = True


@dataclass(frozen=True)
class RunPlan:
    """One run of one workload: a plan per worker, and what the whole amounts to.

    ``perf_log`` asks for a log of every interval. With ``asks_cores`` it is to be made again when the hosts have said
    how many cores they have. ``lost_agent`` says whether it goes on without an agent.
    """

    suite: str
    name: str
    workers: tuple[WorkerPlan, ...]
    notes: tuple[str, ...] = ()
    tls: TlsPlan | None = None
    perf_log: bool = True
    asks_cores: bool = False
    lost_agent: Literal["fail", "continue"] = "fail"

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All endpoints of all workers, each URI once, in the order of first mention."""
        seen: dict[str, Endpoint] = {}
        for worker in self.workers:
            for endpoint in worker.endpoints:
                seen.setdefault(endpoint.uri, endpoint)
        return tuple(seen.values())

    @property
    def times_first_byte(self) -> bool:
        """Whether somewhere the time to the first byte of a get is measured."""
        return any(
            worker.engine == "default" and worker.endpoints[0].scheme == "s3" for worker in self.workers
        )

    def to_document(self) -> dict[str, Any]:
        """Return the plan as builtins for the results: of the agents' environments only the names."""
        document = asdict(self)
        for worker in document["workers"]:
            worker["env"] = [name for name, _ in worker["env"]]
        return document
