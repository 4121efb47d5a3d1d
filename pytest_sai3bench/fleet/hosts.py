"""Hosts that agents run on other than as children of this process: reached, tried, and let go again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_sai3bench.fleet.probe import CODE, Probe
from pytest_sai3bench.fleet.ssh import client_config, master_command

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_sai3bench.plan.model import HostPlan

# From the login, or from the start of the command, to the answer of Python.
_PYTHON_S = 15.0


class Host:
    """One host; ``name`` is unique and names its files in ``folder``, ``env`` is for all that leads there."""

    def __init__(self, plan: HostPlan, name: str, folder: Path, env: Mapping[str, str]) -> None:
        self.plan = plan
        self.name = name
        self.env = env
        self._socket = folder / f"{name}.socket"
        self._config = folder / f"{name}.config"
        self._log = folder / f"{name}.log"
        self._probe: Probe | None = None
        self._given_up = False

    @property
    def spec(self) -> str:
        """The specification of the host's first gateway, for execnet."""
        if self.plan.ssh is None:
            return f"popen//python={self.plan.python}//id={self.name}"
        return f"ssh={self.name}//ssh_config={self._config}//python={self.plan.python}//id={self.name}"

    def connect(self) -> None:
        """Log in and look for Python; bounded. Raises `HostUnusable`."""
        ssh = self.plan.ssh
        if ssh is None:
            command = [*shlex.split(self.plan.python), "-c", CODE]
            limit_s = _PYTHON_S
        else:
            command = master_command(ssh, self.plan.python, self._socket)
            self._config.write_text(client_config(self._socket))
            limit_s = ssh.timeout_s + _PYTHON_S
        self._probe = Probe(command, self.plan.python, self._log, env=self.env, over_ssh=ssh is not None)
        if self._given_up:
            self._probe.close(at_once=True)
        self._probe.await_python(limit_s)
        if ssh is None:
            # There is no connection to keep.
            self._probe.close(at_once=False)

    @property
    def limit_s(self) -> float:
        """How long `connect` takes at most."""
        return _PYTHON_S + (self.plan.ssh.timeout_s if self.plan.ssh else 0.0)

    def beat(self) -> None:
        """Tell the host that this one is there."""
        if self._probe is not None:
            self._probe.beat()

    def farewell(self) -> str:
        """Return how the connection ended, empty as long as it stands."""
        if self.plan.ssh is None or self._probe is None or not self._probe.has_ended:
            return ""
        words = self._probe.last_words
        return f"the connection to {self.plan.title} is gone" + (f": {words}" if words else "")

    def close(self, *, at_once: bool) -> None:
        """End the connection, and whatever waits for it; may be called again."""
        self._given_up = True
        if self._probe is not None:
            self._probe.close(at_once=at_once)
