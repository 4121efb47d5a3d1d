"""Why no agent can run on a host, in words, from what ssh and Python said; each with what to do about it."""

from __future__ import annotations

import re

_REMEDIES = {
    "ssh-missing": "Install the OpenSSH client on this host.",
    "ssh-file": "Correct the path in distributed.ssh, or make the file.",
    "host-unresolved": "Correct the name, or add it to the DNS, /etc/hosts or the ssh configuration of this host.",
    "host-refused": "Start sshd there, or correct the port: distributed.ssh.port, or Port in the ssh configuration.",
    "host-unreachable": "Check address and network: there is no way from this host to it.",
    "host-timeout": "Check that it runs and that no firewall is between, or raise distributed.ssh.timeout.",
    "host-key-unknown": (
        "Make sure whose key it is, then add it to known_hosts: connect once by hand with ssh, or use ssh-keyscan."
    ),
    "host-key-changed": (
        "Another host answers there, or it was installed anew: make sure, then remove the old key with ssh-keygen -R."
    ),
    "ssh-denied": (
        "Check user and key: distributed.ssh.user and key_path, a key in ssh-agent, authorized_keys on the host. "
        "Nothing asks for passwords."
    ),
    "ssh-closed": "Check that sshd listens there, what its log says, and its MaxStartups.",
    "ssh-failed": "Try it by hand: ssh with the same user, key and host.",
    "no-python": "Install Python 3.9 or newer there, or name it in distributed.agents[].python.",
    "python-too-old": "Agents need Python 3.9 or newer: name another one in distributed.agents[].python.",
    "python-failed": "Try it by hand: the command has to start a Python that reads from its standard input.",
    "noisy-login": "Let login scripts such as .bashrc write nothing when the session is not interactive.",
    "agent-timeout": "Check the load of the host, and that its folder for temporary files can be written.",
    "agent-failed": "Check the folder for temporary files on the host, and its memory.",
}
_SSH_KINDS = (
    ("HOST IDENTIFICATION HAS CHANGED", "host-key-changed"),
    ("host key is known for", "host-key-unknown"),
    ("Host key verification failed", "host-key-unknown"),
    ("Could not resolve hostname", "host-unresolved"),
    ("Connection refused", "host-refused"),
    ("No route to host", "host-unreachable"),
    ("Network is unreachable", "host-unreachable"),
    ("timed out", "host-timeout"),
    ("Permission denied", "ssh-denied"),
    ("Too many authentication failures", "ssh-denied"),
    ("Connection closed by", "ssh-closed"),
    ("Connection reset by", "ssh-closed"),
    ("closed by remote host", "ssh-closed"),
)
_MISSING = re.compile(r"not found|No such file|cannot execute|can't open", re.IGNORECASE)
# Lines of ssh that repeat what the kind says, or frame it.
_NOISE = re.compile(
    r"@|IT IS POSSIBLE|Someone could|It is also|Please contact|Host key verification failed|\s"
)
OLDEST = (3, 9)


class HostUnusable(Exception):
    """No agent can run on a host; ``kind`` is one of those above, ``detail`` one line."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail

    def describe(self, agents: str, host: str, where: str) -> str:
        """Return the lines about a host that cannot be used by ``agents``; ``where`` is file:line."""
        return f"{where}: {agents} cannot run on {host}: {self.detail}\n  {_REMEDIES[self.kind]}"


def remedies() -> dict[str, str]:
    """Return every kind with what to do about it."""
    return dict(_REMEDIES)


def judge_ssh(said: str) -> HostUnusable:
    """Return why ssh did not get to the host, from what it wrote."""
    kind = next((kind for text, kind in _SSH_KINDS if text in said), "ssh-failed")
    lines = [line for line in said.splitlines() if line.strip() and not _NOISE.match(line)]
    if kind == "host-key-changed":
        place = next((line for line in lines if line.startswith("Offending")), "").partition(" in ")[2]
        return HostUnusable(
            kind, "its key is not the one that is known" + (f" from {place}" if place else "")
        )
    words = [line for line in lines if any(text in line for text, found in _SSH_KINDS if found == kind)]
    return HostUnusable(kind, (words or lines or ["ssh ended and said nothing"])[-1].strip())


def judge_python(command: str, code: int | None, said: str, printed: str) -> HostUnusable:
    """Return why the command gave no Python; ``said`` is its standard error, ``printed`` its standard output."""
    # What wraps Python says first what is wrong; Python itself says it last.
    text = last_line(said) if said.startswith("Traceback") else first_line(said) or first_line(printed)
    if code in (126, 127) or (_MISSING.search(text) and code):
        return HostUnusable("no-python", text or f"there is no {command}")
    ended = f"{command} ended with status {code}" if code is not None else f"{command} closed its output"
    return HostUnusable("python-failed", f"{ended}: {text}" if text else ended)


def first_line(text: str) -> str:
    """Return the first line of a text that is not empty, or nothing."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """Return the last line of a text that is not empty, or nothing."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
