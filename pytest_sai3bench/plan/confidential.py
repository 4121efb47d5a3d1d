"""Secrets on the controller: kept out of what shows values, and out of the environment of its children.

The system shows the environment of a process to others of the same user; backups, crash reports and monitoring copy it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SECRETS = frozenset({"AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"})
# A child, ssh above all, does not get along without them, whoever else is given their values.
_NEEDED = frozenset({"HOME", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "TMPDIR", "USER"})
# What is shorter is a number, a switch or a word, and often the value of something else, too.
_SHORTEST = 8


class Confidential(dict[str, Any]):
    """A mapping that does not show what is in it, such as in the tracebacks of ``pytest --showlocals``."""

    def __repr__(self) -> str:
        return f"<{len(self)} confidential values>"


def environment_of_children(env: Mapping[str, str], given: Collection[str] = ()) -> dict[str, str]:
    """Return ``env`` without the secrets of AWS, and without values that agents are ``given`` in another way."""
    hidden = {value for value in given if len(value) >= _SHORTEST}
    return {
        name: value
        for name, value in env.items()
        if name not in _SECRETS and (value not in hidden or name in _NEEDED)
    }
