from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_AGENTS = """\
name: mixed
multi_endpoint:
  endpoints: ["s3://127.0.0.1:9/bench/", "s3://127.0.0.2:9/bench/"]
distributed:
  agents:
    - {address: localhost, id: one}
    - {address: 127.0.0.1, id: two, target_override: "s3://127.0.0.3:9/bench/", concurrency_override: 4}
    - address: localhost
      id: three
      multi_endpoint: {strategy: least_connections}
duration: 1m
warmup: 5s
concurrency: 8
prepare:
  ensure_objects:
    - {base_uri: data/, count: 1000, size_spec: 1MiB}
  cleanup: true
workload:
  - {op: get, path: "data/*", weight: 70}
  - {op: put, path: new/, weight: 30, object_size: 1MiB}
"""
# Nothing listens at these addresses, and there are no keys: nothing may try.
_PLAN = """\

agents.sai3.yaml::mixed

agent one at localhost: 8 lanes, round_robin
  s3://127.0.0.1:9/bench/  agents.sai3.yaml:3 (multi_endpoint.endpoints[0])  about 167 objects of prepare
  s3://127.0.0.2:9/bench/  agents.sai3.yaml:3 (multi_endpoint.endpoints[1])  about 167 objects of prepare

agent two at 127.0.0.1: 4 lanes, round_robin
  s3://127.0.0.3:9/bench/  agents.sai3.yaml:7 (distributed.agents[1].target_override)  about 333 objects of prepare

agent three at localhost: 8 lanes, least_connections from agents.sai3.yaml:10 (distributed.agents[2].multi_endpoint.strategy)
  s3://127.0.0.1:9/bench/  agents.sai3.yaml:3 (multi_endpoint.endpoints[0])  about 166 objects of prepare
  s3://127.0.0.2:9/bench/  agents.sai3.yaml:3 (multi_endpoint.endpoints[1])  about 166 objects of prepare

prepare: 1,000 objects, 1000 MiB; those that are missing are written
  data/prepared-*.dat  1,000 x 1 MiB  1000 MiB  agents.sai3.yaml:16

workload: 1m after 5 s of warm-up
  get data/*  70.0%  agents.sai3.yaml:19
  put new/    30.0%  agents.sai3.yaml:20

cleanup: what the run made, at most 1,000 objects, 1000 MiB of prepare
  data/prepared-*.dat  1,000 x 1 MiB  1000 MiB  agents.sai3.yaml:16

takes 1m 5s without prepare and cleanup

"""


@pytest.mark.parametrize("arguments", [[], ["-n2"], ["-k", "errors"]])
def test_a_dry_run_shows_the_plan_and_touches_nothing(
    pytester: pytest.Pytester, arguments: list[str]
) -> None:
    pytester.path.joinpath("agents.sai3.yaml").write_text(_AGENTS)
    pytester.makepyfile("def test_that_must_not_run(): assert False")
    result = pytester.runpytest_inprocess("--sai3-dry-run", *arguments)
    assert result.ret == pytest.ExitCode.OK
    output = result.stdout.str()
    assert output[output.index("\nagents.sai3.yaml::mixed") :].startswith(_PLAN)
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_dry_run_creates_nothing_on_the_storage(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite()
    pytester.runpytest_inprocess("--sai3-dry-run").stdout.fnmatch_lines(
        [f"  {store.as_uri()}/  suite.sai3.yaml:2 (target)  about 20 objects of prepare"]
    )
    assert list(store.iterdir()) == []


def test_a_dry_run_says_what_comes_from_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "workload:\n  - {op: put, path: new/, weight: 1, object_size: 1}\n"
    pytester.path.joinpath("silent.sai3.yaml").write_text(text)
    monkeypatch.setenv("S3_ENDPOINT_URIS", "s3://127.0.0.[1-2]:9/bench/")
    lines = pytester.runpytest_inprocess("--sai3-dry-run").outlines
    begin = lines.index("silent.sai3.yaml::workload")
    assert lines[begin + 1 : begin + 10] == [
        "",
        "agent local at localhost: 16 lanes, round_robin",
        "  s3://127.0.0.1:9/bench/  S3_ENDPOINT_URIS",
        "  s3://127.0.0.2:9/bench/  S3_ENDPOINT_URIS",
        "",
        "workload: 1m",
        "  put new/  100.0%  silent.sai3.yaml:2",
        "",
        "takes 1m",
    ]


def test_a_dry_run_shows_each_selected_suite_once(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    for name in ("a", "b", "c"):
        write_suite("get.max < 1 s", name=f"{name}.sai3.yaml")
    result = pytester.runpytest_inprocess(
        "--sai3-dry-run", "--sai3-duration=7s", "a.sai3.yaml", "c.sai3.yaml"
    )
    assert [line for line in result.outlines if line.endswith("::mixed")] == [
        "a.sai3.yaml::mixed",
        "c.sai3.yaml::mixed",
    ]
    assert result.outlines.count("workload: 7 s") == 2


def test_the_setup_plan_of_pytest_sets_nothing_up(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], store: Path
) -> None:
    write_suite()
    result = pytester.runpytest_inprocess("--setup-plan")
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(
        ["        suite.sai3.yaml::mixed", "        suite.sai3.yaml::mixed/total.errors"]
    )
    assert list(store.iterdir()) == []
    assert not pytester.path.joinpath("sai3-results").exists()


def test_a_dry_run_without_terminal_is_silent(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite()
    result = pytester.runpytest_inprocess("--sai3-dry-run", "-pno:terminal")
    assert (result.ret, result.stdout.str()) == (pytest.ExitCode.OK, "")


def test_a_dry_run_of_a_broken_suite_stops(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite(name="good.sai3.yaml")
    write_suite(name="broken.sai3.yaml", duration="soon")
    result = pytester.runpytest_inprocess("--sai3-dry-run")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*! Interrupted: 1 error during collection !*"])


def test_a_dry_run_shows_shards(pytester: pytest.Pytester) -> None:
    text = _AGENTS.replace("prepare:\n", "prepare:\n  key_prefix_shards: 16\n")
    pytester.path.joinpath("agents.sai3.yaml").write_text(text)
    output = pytester.runpytest_inprocess("--sai3-dry-run").stdout.str()
    row = "  data/{00..0f}/prepared-*.dat  1,000 x 1 MiB  1000 MiB  agents.sai3.yaml:17\n"
    assert output.count(row) == 2
    assert "  put new/{00..0f}/  30.0%  agents.sai3.yaml:21\n" in output
