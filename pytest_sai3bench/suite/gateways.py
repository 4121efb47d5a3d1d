"""``gateway`` of an agent: the part of execnet's specifications that can start one."""

from __future__ import annotations

import shlex
from typing import NamedTuple

EXPECTED = "expected popen, ssh or ssh=HOST, with //python=COMMAND or //ssh_config=FILE"


class GatewaySpec(NamedTuple):
    """A gateway: on this host, or over ``ssh`` (its arguments, the host last; none for the agent's address)."""

    kind: str
    arguments: tuple[str, ...] = ()
    python: str = ""
    ssh_config: str = ""


def parse_gateway(text: str) -> GatewaySpec:
    """Return a specification such as ``popen//python=sudo python3`` in its parts; raises ValueError."""
    first, *rest = text.split("//")
    kind, equals, value = first.partition("=")
    if kind not in {"popen", "ssh"} or (kind == "popen" and equals):
        raise ValueError(f"{text!r} is no gateway: {EXPECTED}")
    arguments = tuple(value.split())
    if equals and (not arguments or arguments[-1].startswith("-")):
        raise ValueError(f"{text!r} names no host: expected ssh=HOST, or ssh for the agent's address")
    options = {}
    for part in rest:
        key, _, option = part.partition("=")
        if key not in {"python", "ssh_config"} or not option.strip() or key in options:
            raise ValueError(f"{text!r}: {part!r} cannot stand there: {EXPECTED}")
        options[key] = option.strip()
    if "python" in options:
        options["python"] = parse_command(options["python"])
    if kind == "popen" and "ssh_config" in options:
        raise ValueError(f"{text!r}: popen has no use for ssh_config: {EXPECTED}")
    return GatewaySpec(kind, arguments, **options)


def parse_command(text: str) -> str:
    """Return the command that starts Python on a host; raises ValueError for what no shell would take."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a command: {str(error).lower()}") from None
    # execnet separates its own words by slashes, and nothing can hide them from it.
    if not words or "//" in text or "\n" in text:
        raise ValueError(
            f"{text!r} is not a command that starts Python: expected one such as python3, without '//'"
        )
    return text
