"""The scene: eight addresses of a storage system, four hosts over ssh, two addresses for each, one pytest command."""

from __future__ import annotations

import getpass
import json
import re
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from pytest_sai3bench.plugin.runs import runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

_SUITE = Path(__file__).parents[2] / "example_suites" / "multi_endpoint" / "per_agent.yaml"
_HOSTS = [f"127.0.0.{number}" for number in (21, 22, 23, 24)]
# By the server's names: those of its counts, and of operations.
_TYPES = {"GET": "get", "PUT": "put", "DELETE": "delete"}
_PATIENCE_S = 30.0

_Counts = tuple[Counter[str], ...]
_Done = dict[tuple[str, str], Counter[str]]


class _Server:
    """Reads what the server itself counted at each of its addresses, after each phase of the run."""

    def __init__(self) -> None:
        self.counts: dict[str, _Counts] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None]:
        yield
        self._read(item, "prepare")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        yield
        self._read(item, "workload")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
        yield
        if nextitem is None:
            self._read(item, "cleanup")

    def _read(self, item: pytest.Item, phase: str) -> None:
        if phase in self.counts:
            return
        server = runs_of(item.config)._targets.server
        assert server is not None
        # A large answer is counted an instant after it has arrived.
        deadline = time.monotonic() + _PATIENCE_S
        before: _Counts | None = None
        while (counts := server.access_counts("bench")) != before and time.monotonic() < deadline:
            before = counts
            time.sleep(0.2)
        self.counts[phase] = counts

    def of(self, phase: str) -> _Counts:
        """Return what was asked of each address in a phase."""
        phases = list(self.counts)
        place = phases.index(phase)
        if place == 0:
            return self.counts[phase]
        before = self.counts[phases[place - 1]]
        return tuple(now - then for now, then in zip(self.counts[phase], before, strict=True))


def _reached_over_ssh(text: str, ssh: str, python: str) -> str:
    """Return the suite with its agents on other hosts; nothing else changes but what a busy machine needs."""
    text = text.replace("distributed:\n", f"distributed:\n  ssh: {ssh}\n")
    for host in _HOSTS:
        address = f"address: {getpass.getuser()}@{host}\n      python: {python}\n"
        text = text.replace("address: 127.0.0.1\n", address, 1)
    # An endpoint is left out after 5 s without an answer: such a pause is the machine's.
    return re.sub(r"( +)endpoints: \[", r"\1suspect_after: 60s\n\g<0>", text)


def _done(phase: Mapping[str, Any]) -> _Done:
    """Return what each agent says it asked of each endpoint in a phase, the warm-up included."""
    done: _Done = {}
    for series in [*phase["series"], *phase["warmup"]]:
        counted = done.setdefault((series["endpoint"], series["agent"]), Counter())
        counted[series["op"]] += series["ops"] + series["tail_ops"] + series["errors"]
    return done


def test_every_address_is_driven_by_its_own_host_and_by_no_other(
    pytester: pytest.Pytester, sshd: Callable[..., Any]
) -> None:
    first = sshd(_HOSTS[0])
    hosts = [first, *(sshd(address, first) for address in _HOSTS[1:])]
    text = _reached_over_ssh(_SUITE.read_text(), first.block, first.python)
    pytester.path.joinpath("four.sai3.yaml").write_text(text)
    server = _Server()
    result = pytester.runpytest_inprocess("--junitxml=junit.xml", plugins=[server])

    # The run, three rules, and one for each endpoint and agent.
    result.assert_outcomes(passed=1 + 3 + 8 + 4)
    suite = ET.parse(pytester.path / "junit.xml").getroot().find("./testsuite")
    assert suite is not None
    assert {key: suite.attrib[key] for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "16",
        "failures": "0",
        "errors": "0",
        "skipped": "0",
    }
    # One login on each host.
    assert [host.log().count("Accepted publickey") for host in hosts] == [1, 1, 1, 1]
    folder = pytester.path / "sai3-results" / "latest" / "four.sai3" / "per_agent"
    document = json.loads((folder / "result.json").read_text())
    assert document["run"]["status"] == "completed"
    assert sorted(path.name for path in (folder / "agents").iterdir()) == [
        "host-1",
        "host-2",
        "host-3",
        "host-4",
    ]
    assert [
        check["name"]
        for check in document["checks"]
        if check["name"].startswith("reconcile") and not check["passed"]
    ] == []

    # What the agents say: each endpoint was used by its own agent, and by no other.
    uris = [f"s3://embedded-{number}/bench/" for number in range(1, 9)]
    owners = {uri: f"host-{place // 2 + 1}" for place, uri in enumerate(uris)}
    phases = {phase["phase"]: _done(phase) for phase in document["phases"]}
    assert list(phases) == ["prepare", "workload", "cleanup"]
    for done in phases.values():
        assert sorted(done) == sorted(owners.items())
    # What the server says: at each address it was asked just that. So nobody else was there.
    for phase, done in phases.items():
        said = [done[uri, owners[uri]] for uri in uris]
        if phase == "prepare":
            # The bucket was made through the first address.
            said[0] = said[0] + Counter(put=1)
        seen = [Counter({_TYPES.get(kind, ""): n for kind, n in each.items()}) for each in server.of(phase)]
        for each in seen:
            # Looks and listings before the start.
            del each[""]
        assert seen == said
    # Each address has its share: of the objects exactly, of the load to 2%.
    assert [done["put"] for done in phases["prepare"].values()] == [10] * 8
    served = [sum(counts[kind] for kind in _TYPES) for counts in server.of("workload")]
    for one, other in zip(served[::2], served[1::2], strict=True):
        share = (one + other) / 2
        assert abs(one - share) <= max(1, 0.02 * share)
    # Nothing was left behind.
    assert sum(counts["DELETE"] for counts in server.of("cleanup")) == 80 + sum(
        done["put"] for done in phases["workload"].values()
    )
