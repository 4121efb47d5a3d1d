"""The scene: eight addresses of a storage system, four hosts over ssh, two addresses for each, one pytest command."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from pytest_sai3bench.fleet import members

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

_ESTABLISHED = "01"
_SUITE = """
name: four_hosts
embedded_server: {{endpoints: 8}}
distributed:
  ssh: {ssh}
  agents:{agents}
duration: 1s
concurrency: 8
prepare:
  ensure_objects:
    - {{base_uri: data/, count: 800, size_spec: 4KiB}}
  cleanup: true
workload:
  - {{op: get, path: "data/*", weight: 3}}
  - {{op: put, path: new/, weight: 1, object_size: 4KiB}}
thresholds:
  - total.errors == 0
  - endpoints.idle == 0
  - each(endpoint).total.count >= 10
  - agents.start_skew < 10 s
"""
_AGENT = """
    - address: 127.0.0.{number}
      id: node{number}
      gateway: ssh
      python: {python}
      multi_endpoint:
        # The machine may be busy for longer than a second.
        suspect_after: 60s
        endpoints: [s3://embedded-{first}/bench/, s3://embedded-{second}/bench/]"""


class _Witness:
    """Sees which processes hold connections to which addresses, as the system knows it; asked after every message."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contacts: dict[tuple[str, int], set[str]] = defaultdict(set)
        self.hosts: dict[str, str] = {}
        take = members.Members._take

        def take_and_look(every: members.Members, member: members.Member, text: str | None) -> None:
            take(every, member, text)
            kind = json.loads(text or "{}").get("type")
            if kind in {"tick", "result"}:
                self._look(every)

        monkeypatch.setattr(members.Members, "_take", take_and_look)

    def _look(self, every: members.Members) -> None:
        connections = _connections()
        for member in every:
            pid = member.hello["pid"]
            self.hosts[member.plan.agent] = Path(f"/proc/{pid}/cmdline").read_text()
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    inode = descriptor.readlink().name
                except OSError:
                    continue  # closed meanwhile
                if remote := connections.get(inode):
                    self.contacts[remote].add(member.plan.agent)


def _connections() -> dict[str, tuple[str, int]]:
    """Return the remote address of every connection, by the name of its socket."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        (
            _,
            _,
            remote,
            state,
            *_,
        ) = line.split()
        inode = line.split()[9]
        if state == _ESTABLISHED:
            host, port = remote.split(":")
            address = ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))
            found[f"socket:[{inode}]"] = (address, int(port, 16))
    return found


def _count(phase: dict[str, Any]) -> dict[tuple[str, str], int]:
    """Return how many operations each agent did at each endpoint."""
    counted: dict[tuple[str, str], int] = defaultdict(int)
    for series in phase["series"]:
        counted[series["endpoint"], series["agent"]] += series["ops"] + series["tail_ops"]
    return counted


def test_every_address_is_driven_by_its_own_host_and_by_no_other(
    pytester: pytest.Pytester, sshd: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sshd("127.0.0.21")
    servers = [first, *(sshd(f"127.0.0.{number}", first) for number in (22, 23, 24))]
    agents = "".join(
        _AGENT.format(number=21 + i, python=first.python, first=2 * i + 1, second=2 * i + 2) for i in range(4)
    )
    path = pytester.path / "four.sai3.yaml"
    path.write_text(_SUITE.format(ssh=first.block, agents=agents))
    witness = _Witness(monkeypatch)
    result = pytester.runpytest_inprocess("--junitxml=junit.xml")

    # The run, three rules and one for each endpoint.
    result.assert_outcomes(passed=1 + 3 + 8)
    suite = ET.parse(pytester.path / "junit.xml").getroot().find("./testsuite")
    assert suite is not None
    assert {key: suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "12",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }
    # One login on each host.
    assert [server.log().count("Accepted publickey") for server in servers] == [1, 1, 1, 1]
    folder = pytester.path / "sai3-results" / "latest" / "four.sai3" / "four_hosts"
    document = json.loads((folder / "result.json").read_text())
    plan = json.loads((folder / "plan.json").read_text())
    # What the agents count: every endpoint by its own agent alone. Each agent has the same share of the objects; in the
    # workload it does what it can, evenly over its addresses.
    phases = {phase["phase"]: _count(phase) for phase in document["phases"]}
    wanted = {f"s3://embedded-{number}/bench/": f"node{20 + (number + 1) // 2}" for number in range(1, 9)}
    assert list(phases) == ["prepare", "workload", "cleanup"]
    for counted in phases.values():
        assert sorted(counted) == sorted(wanted.items())
    assert set(phases["prepare"].values()) == {100}
    for agent in set(wanted.values()):
        shares = [count for (_, who), count in phases["workload"].items() if who == agent]
        assert max(shares) - min(shares) <= max(2, 0.02 * sum(shares) / 2)
    assert [
        check["name"]
        for check in document["checks"]
        if check["name"].startswith("reconcile") and not check["passed"]
    ] == []
    # What the system saw: nobody else's process was connected to an address.
    places = {
        (endpoint["host"], endpoint["port"]): endpoint["uri"]
        for worker in plan["workers"]
        for endpoint in worker["endpoints"]
    }
    seen = {places[address]: agents for address, agents in witness.contacts.items() if address in places}
    assert seen == {uri: {agent} for uri, agent in wanted.items()}
    assert len(places) == 8
