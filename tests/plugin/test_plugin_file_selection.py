from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

_KUBERNETES = "kind: Deployment\nspec: {replicas: 1}\n"
_STAGES = "distributed: {stages: []}\n"


def test_files_with_the_default_names_are_suites(
    write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="a.sai3.yaml")
    write_suite(name="b.sai3.yml")
    write_suite(name="sai3.yaml")
    assert collected() == [
        "a.sai3.yaml::mixed",
        "a.sai3.yaml::mixed/total.errors",
        "b.sai3.yml::mixed",
        "b.sai3.yml::mixed/total.errors",
    ]


def test_other_files_are_suites_only_when_they_or_a_folder_above_are_named(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="load/nightly.yaml")
    pytester.path.joinpath("load", "deployment.yaml").write_text(_KUBERNETES)
    ids = ["load/nightly.yaml::mixed", "load/nightly.yaml::mixed/total.errors"]
    assert collected() == []
    assert collected("load") == ids
    assert collected(".") == ids
    assert collected("load/nightly.yaml") == ids
    assert collected(str(pytester.path / "load")) == ids
    pytester.makeini("[pytest]\ntestpaths = load\n")
    assert collected() == []


def test_the_folder_of_a_named_file_is_not_named_by_that(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="load/nightly.yaml")
    path = pytester.path / "load" / "test_it.py"
    path.write_text("def test_it(): pass")
    assert collected("load/test_it.py") == ["load/test_it.py::test_it"]


def test_a_named_file_that_does_not_look_like_a_suite_is_no_suite(pytester: pytest.Pytester) -> None:
    path = pytester.path / "deployment.yaml"
    path.write_text(_KUBERNETES)
    result = pytester.runpytest_inprocess("deployment.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"ERROR: not found: {path}"])


def test_a_named_file_with_nothing_but_stages_is_a_suite_and_says_what_it_lacks(
    pytester: pytest.Pytester, block: Callable[..., list[str]]
) -> None:
    pytester.path.joinpath("staged.yaml").write_text(_STAGES)
    result = pytester.runpytest_inprocess("staged.yaml")
    assert result.ret == 2
    assert block(result, "ERROR collecting staged.yaml") == [
        "staged.yaml:1: distributed: 'agents' is missing: expected a list of agents, each with an 'address'",
    ]


def test_the_ini_option_chooses_names(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="a.sai3.yaml")
    write_suite(name="load/nightly.yaml")
    write_suite(name="load/weekly.yml")
    pytester.makeini('[pytest]\nsai3bench_files = load/*.yaml "weekly.*"\n')
    assert collected() == [
        "load/nightly.yaml::mixed",
        "load/nightly.yaml::mixed/total.errors",
        "load/weekly.yml::mixed",
        "load/weekly.yml::mixed/total.errors",
    ]


def test_the_ini_option_is_a_list_in_toml(
    pytester: pytest.Pytester, write_suite: Callable[..., Path], collected: Callable[..., list[str]]
) -> None:
    write_suite(name="nightly.yaml")
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nsai3bench_files = ["nightly.yaml"]\n')
    assert collected() == ["nightly.yaml::mixed", "nightly.yaml::mixed/total.errors"]
