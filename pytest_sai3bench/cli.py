"""The command ``pytest-sai3bench``: what can be done with suites without pytest.

Exit codes: 0 when all is well, 1 when a suite is wrong, 2 when the command line is.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_sai3bench import __version__
from pytest_sai3bench.errors import SuiteError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_sai3bench.errors import Problem

_SUFFIXES = frozenset((".yaml", ".yml"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code."""
    options = _parser().parse_args(arguments)
    if options.command == "schema":
        return _print_schema()
    return _validate(options.paths, strict=options.strict)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-sai3bench",
        description="Work with suites of storage benchmarks. 'pytest SUITE' runs them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    validate = commands.add_parser(
        "validate",
        help="say all that is wrong in suites, without running them",
        description="Read suites, plan them and check their thresholds. No storage and no host is touched.",
    )
    validate.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="a suite, or a folder with suites at any depth"
    )
    validate.add_argument(
        "--strict", action="store_true", help="take oddities such as unknown keys for errors"
    )
    commands.add_parser(
        "schema",
        help="print the JSON Schema of suites, for editors",
        description="Print the JSON Schema of suites. Editors that know it complete keys and mark wrong ones.",
    )
    return parser


def _print_schema() -> int:
    from pytest_sai3bench.suite.schema import json_schema  # noqa: PLC0415 - pydantic takes its time

    print(json.dumps(json_schema(), indent=2))
    return 0


def _validate(paths: Sequence[Path], *, strict: bool) -> int:
    files = [file for path in paths for file in _suites_at(path)]
    counts = {"error": 0, "warning": 0}
    for file in files:
        for problem in _problems_of(file, strict=strict):
            counts[problem.severity] += 1
            place = f"{problem.path}: " if problem.path else ""
            print(f"{problem.location}: {problem.severity}: {place}{problem.message}")
    print(
        ", ".join(
            _plural(*each) for each in [(len(files), "suite"), *((n, kind) for kind, n in counts.items())]
        )
    )
    if not files:
        print("no suite there: expected files that have 'workload' or 'distributed.stages'", file=sys.stderr)
    return 1 if counts["error"] or not files else 0


def _suites_at(path: Path) -> Iterator[Path]:
    """Yield a file that was named, whatever is in it; of a folder those that look like suites."""
    from pytest_sai3bench.suite.discovery import looks_like_suite  # noqa: PLC0415

    if not path.is_dir():
        yield path
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            if file.suffix.lower() in _SUFFIXES and looks_like_suite(file):
                yield file


def _problems_of(file: Path, *, strict: bool) -> Sequence[Problem]:
    from pytest_sai3bench.thresholds.reading import read_suites  # noqa: PLC0415

    try:
        suites = read_suites(file, env=os.environ, strict=strict)
    except SuiteError as error:
        return error.problems
    # The combinations of a matrix have most of them in common.
    return list(dict.fromkeys(problem for planned in suites for problem in planned.loaded.warnings))


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
