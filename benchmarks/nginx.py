"""An nginx that answers signed GETs and PUTs and one listing, as an S3 server would; it checks no signature."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = """
worker_processes 1;
daemon off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path {root}/t1;
  proxy_temp_path {root}/t2;
  fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4;
  scgi_temp_path {root}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    root {root}/objects;
    client_max_body_size 0;
    location /bench/new/ {{ dav_methods PUT; add_header ETag '"0"' always; }}
    location = /bench {{ default_type application/xml; try_files /list.xml =404; }}
  }}
}}
"""


def object_name(number: int) -> str:
    """Return the key of an object, as prepare would have named it."""
    return f"data/prepared-{number:08d}.dat"


@contextmanager
def serve_objects(count: int, size: int) -> Iterator[int]:
    """Serve ``count`` objects of ``size`` random bytes in the bucket ``bench``; yields the port on 127.0.0.1."""
    with serve_folder(count, size) as (port, _):
        yield port


@contextmanager
def serve_folder(count: int, size: int, place: str | None = None) -> Iterator[tuple[int, Path]]:
    """Do the same in a new folder below ``place``, and yield that of the bucket, too; ``new/`` in it takes PUTs."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        raise SystemExit("nginx is not installed (Debian: apt-get install nginx-light)")
    with tempfile.TemporaryDirectory(dir=place) as folder:
        root = Path(folder)
        # nginx started by root reads files as another user.
        root.chmod(0o755)
        data = root / "objects" / "bench" / "data"
        data.mkdir(parents=True)
        new = data.parent / "new"
        new.mkdir()
        new.chmod(0o777)
        keys = [object_name(number) for number in range(count)]
        for key in keys:
            (data.parent / key).write_bytes(os.urandom(size))
        listed = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
        (root / "objects" / "list.xml").write_text(
            f"<ListBucketResult><IsTruncated>false</IsTruncated>{listed}</ListBucketResult>"
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        (root / "nginx.conf").write_text(_CONFIG.format(root=root, port=port))
        server = subprocess.Popen([binary, "-p", folder, "-c", str(root / "nginx.conf")])
        try:
            _wait(port, server)
            yield port, data.parent
        finally:
            server.terminate()
            server.wait(10)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit("nginx did not start")
