from __future__ import annotations

from pathlib import Path

import pytest

from pytest_sai3bench.suite.discovery import looks_like_suite, matches


@pytest.mark.parametrize(
    "text",
    [
        "workload: []\n",
        "# words\nname: x\n\n'workload':\n  - op: get\n",
        '{"workload": []}\n',
        "distributed:\n  agents: []\n  stages:\n    - name: a\n",
        "distributed: {stages: []}\n",
        "---\nworkload:\n",
        "list: [1, {a: b}]\n? [complex, key]\n: value\nworkload: x\n",
        "a: &x {b: c}\n*x : d\nworkload: x\n",
        "\ufeffworkload: []\n",
        "workload: [\n",
    ],
)
def test_a_file_with_the_keys_of_a_suite_looks_like_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text, encoding="utf-8")
    assert looks_like_suite(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "workload\n",
        "- workload: []\n",
        "spec:\n  workload: []\n",
        "stages: []\n",
        "distributed: [stages]\n",
        "distributed:\n  agents:\n    - stages: []\n",
        "distributed:\nother: {stages: []}\n",
        "a: workload\n",
        "a: {b: [1, workload]}\n",
        "kind: Pod\n---\nworkload: []\n",
        "a: [\nworkload: []\n",
        "a: \x01\nworkload: []\n",
        "workloads: []\n",
    ],
)
def test_other_files_do_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.yml"
    path.write_text(text, encoding="utf-8")
    assert not looks_like_suite(path)


def test_what_is_not_yaml_or_not_readable_does_not(tmp_path: Path) -> None:
    text = tmp_path / "file.txt"
    text.write_text("workload: []\n")
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00workload: []")
    assert not any(map(looks_like_suite, [text, folder, binary, tmp_path / "missing.yaml"]))


@pytest.mark.parametrize(
    ("path", "patterns", "matched"),
    [
        ("/a/four.sai3.yaml", ["*.sai3.yaml", "*.sai3.yml"], True),
        ("/a/four.sai3.yml", ["*.sai3.yaml", "*.sai3.yml"], True),
        ("/a/four.yaml", ["*.sai3.yaml", "*.sai3.yml"], False),
        ("/a/sai3.yaml/x.yaml", ["sai3.yaml"], False),
        ("/a/perf/x.yaml", ["perf/*.yaml"], True),
        ("/a/perf/x.yaml", ["/perf/*.yaml"], True),
        ("/a/notperf/x.yaml", ["perf/*.yaml"], False),
        ("/a/x.YAML", ["*.yaml"], False),
        ("/a/x.yaml", [], False),
    ],
)
def test_patterns_match_names_and_ends_of_paths(path: str, patterns: list[str], *, matched: bool) -> None:
    assert matches(Path(path), patterns) is matched
