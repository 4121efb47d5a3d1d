"""How hosts are reached."""

from __future__ import annotations

from pydantic import Field

from pytest_sai3bench.suite.scalars import Port, PositiveDuration, Text
from pytest_sai3bench.suite.section import Section


class Ssh(Section):
    """How ssh reaches the hosts; what is not given here is left to its own configuration (`~/.ssh/config`)."""

    user: Text | None = Field(default=None, description="a user on the hosts.")
    port: Port | None = Field(default=None, description="the port of sshd. sai3-bench has no such key.")
    key_path: Text | None = Field(
        default=None,
        description="a file with a private key. The only one that is tried; relative to the suite.",
    )
    known_hosts: Text | None = Field(
        default=None,
        description=(
            "a file with the keys of the hosts. Instead of `~/.ssh/known_hosts`; relative to the suite. "
            "A host whose key is in neither is refused. In sai3-bench it has no effect."
        ),
    )
    config: Text | None = Field(
        default=None,
        description=(
            "a file in the format of ssh_config. Instead of `~/.ssh/config`; relative to the suite. "
            "sai3-bench has no such key."
        ),
    )
    timeout: PositiveDuration = Field(
        default=10.0, description="a duration such as 10s. How long a host may take to let us in."
    )
