"""The files of the ``tls`` block: found, read, and tried before a run depends on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_sai3bench.errors import Problem
from pytest_sai3bench.plan.confidential import Confidential
from pytest_sai3bench.plan.model import TlsPlan
from pytest_sai3bench.suite.places import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_sai3bench.plan.model import Endpoint
    from pytest_sai3bench.suite.loader import LoadedSuite


def plan_tls(loaded: LoadedSuite, endpoints: Iterable[Endpoint], problems: list[Problem]) -> TlsPlan | None:
    """Return what the suite says about TLS, None when no endpoint needs it; adds to ``problems``."""
    block = loaded.suite.tls
    needed = any(endpoint.tls for endpoint in endpoints)
    if block is None:
        return TlsPlan() if needed else None

    def complain(key: str, text: str) -> None:
        place = ("tls", key) if key else ("tls",)
        problems.append(Problem(loaded.where(place), dotted(place), text))

    if not needed:
        complain("", "no endpoint speaks TLS: expected s3+https:// URIs, or no 'tls'")
        return None
    from pytest_sai3bench.agent.tls import TlsSettings, make_context  # noqa: PLC0415 - costs every start time

    paths = {}
    for key in ("ca_file", "cert_file", "key_file"):
        written = getattr(block, key)
        paths[key] = str(loaded.path.parent.absolute() / Path(written).expanduser()) if written else ""
    plan = TlsPlan(paths["ca_file"], paths["cert_file"], paths["key_file"], block.verify)
    for key, path in paths.items():
        # One after the other, so that each problem is told where its file is named.
        if not path or (key == "cert_file" and plan.key_file):
            continue
        alone = TlsPlan(path) if key == "ca_file" else TlsPlan("", plan.cert_file, plan.key_file)
        try:
            make_context(TlsSettings(**read_tls(alone)))
        except OSError as error:
            named = "cert_file" if error.filename == plan.cert_file else key
            complain(named, f"{error.filename} cannot be read: {error.strerror}")
        except ValueError as error:
            complain(key, f"{path}: {error}")
    return plan


def read_tls(plan: TlsPlan) -> Mapping[str, Any]:
    """Return the fields of `agent.tls.TlsSettings`; raises OSError, or ValueError for what is no text."""
    files = {"ca": plan.ca_file, "certificate": plan.cert_file, "key": plan.key_file}
    texts = {name: Path(path).read_text("utf-8") if path else "" for name, path in files.items()}
    return Confidential(texts, verify=plan.verify)
