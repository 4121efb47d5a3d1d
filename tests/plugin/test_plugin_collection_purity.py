from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

# Run as it is loaded by pytest itself, before a single file is collected.
_LIST_MODULES = """
import sys, pytest
before = set(sys.modules)
import pytest_sai3bench.plugin.hooks
print(*sorted(name for name in set(sys.modules) - before if name.partition(".")[0] not in sys.stdlib_module_names))
"""


def test_loading_the_plugin_imports_nothing_but_its_hooks() -> None:
    listed = subprocess.run([sys.executable, "-c", _LIST_MODULES], check=True, capture_output=True, text=True)
    assert listed.stdout.split() == [
        "pytest_sai3bench",
        "pytest_sai3bench.plugin",
        "pytest_sai3bench.plugin.hooks",
        "pytest_sai3bench.plugin.state",
    ]


def test_a_session_without_suites_imports_nothing_else(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            assert [name for name in sys.modules if name.startswith("pytest_sai3bench.")] == [
                "pytest_sai3bench.plugin", "pytest_sai3bench.plugin.state", "pytest_sai3bench.plugin.hooks"
            ]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_tests_beside_a_suite_do_not_pay_for_it(
    pytester: pytest.Pytester, write_suite: Callable[..., Path]
) -> None:
    write_suite()
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            # Of the libraries, only the parser, which is needed for a look at YAML files.
            assert [name for name in ("boto3", "hdrh", "pydantic", "yaml") if name in sys.modules] == ["yaml"]
        """
    )
    pytester.runpytest_subprocess("test_tests_beside_a_suite_do_not_pay_for_it.py").assert_outcomes(passed=1)


def test_collecting_needs_no_storage_no_server_and_no_credentials(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="a.sai3.yaml", target="file:///no/such/folder/")
    # Nothing listens on the discard port.
    write_suite(name="b.sai3.yaml", target="s3://127.0.0.1:9/bucket/")
    write_suite(
        name="c.sai3.yaml", target="s3://embedded-1/bucket/", more="embedded_server: {endpoints: 1}\n"
    )
    assert collected("-k", "not errors") == ["a.sai3.yaml::mixed", "b.sai3.yaml::mixed", "c.sai3.yaml::mixed"]
    assert not pytester.path.joinpath("sai3-results").exists()
