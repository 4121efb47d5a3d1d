"""Certificates for an embedded server that speaks TLS, and of the authority that signed them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_sai3bench.embedded import seaweedfs
from pytest_sai3bench.errors import EmbeddedServerMissing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def make(folder: Path, hosts: Iterable[str]) -> Path:
    """Write certificate and key for ``hosts`` into ``folder``; returns the file of the authority to trust."""
    try:
        import trustme  # noqa: PLC0415 - only few need it, and it is large
    except ImportError:
        raise EmbeddedServerMissing(
            "The embedded server cannot speak TLS: trustme is not installed.",
            remedy="pip install 'pytest-sai3bench[embedded]'",
        ) from None
    authority = trustme.CA()
    issued = authority.issue_cert(*hosts)
    key = folder / seaweedfs.KEY
    key.touch(0o600)
    issued.private_key_pem.write_to_path(key)
    certificate = folder / seaweedfs.CERTIFICATE
    certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    return trusted
