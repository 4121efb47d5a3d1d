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

    from pytest_sai3bench.errors import Location, Problem

_SUFFIXES = frozenset((".yaml", ".yml"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command line and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "schema":
        return _print_schema()
    if options.command == "convert":
        if len(options.paths) > 1 and not options.in_place:
            parser.error("several files can only be converted with --in-place")
        return _convert(options.paths, in_place=options.in_place, output=options.output)
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
    convert = commands.add_parser(
        "convert",
        help="give old files the stages that sai3-bench wants since 0.8.61",
        description=(
            "Give old files with agents the stages that sai3-bench wants since 0.8.61, and take out keys that do nothing. "
            "Comments and layout stay. The new text goes to standard output, what was changed to standard error."
        ),
    )
    convert.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE", help="a file in the dialect of sai3-bench"
    )
    where = convert.add_mutually_exclusive_group()
    where.add_argument("--in-place", action="store_true", help="change the files themselves")
    where.add_argument("--output", type=Path, metavar="FILE", help="write the new text to this file")
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
        problems, notes = _read(file, strict=strict)
        for problem in problems:
            counts[problem.severity] += 1
            place = f"{problem.path}: " if problem.path else ""
            print(f"{problem.location}: {problem.severity}: {place}{problem.message}")
        for where, waits in notes:
            print(f"{where}: note: {waits}: checked when pytest runs the suite")
    print(
        ", ".join(
            _plural(*each) for each in [(len(files), "suite"), *((n, kind) for kind, n in counts.items())]
        )
    )
    if not files:
        print("no suite there: expected files that have 'workload' or 'distributed.stages'", file=sys.stderr)
    return 1 if counts["error"] or not files else 0


def _convert(paths: Sequence[Path], *, in_place: bool, output: Path | None) -> int:
    from pytest_sai3bench.suite.conversion import convert  # noqa: PLC0415 - see above
    from pytest_sai3bench.suite.loader import read_text  # noqa: PLC0415
    from pytest_sai3bench.suite.yaml12 import MalformedError  # noqa: PLC0415

    failed = False
    for path in paths:
        try:
            text, changes = convert(read_text(path, str(path)))
            target = path if in_place else output
            if target is None:
                print(text, end="")
            elif target != path or changes:
                target.write_text(text, encoding="utf-8", newline="")
        except SuiteError as error:
            print(error, file=sys.stderr)
            failed = True
        except MalformedError as error:
            print(f"{path}:{error.line}: {error.message}", file=sys.stderr)
            failed = True
        except OSError as error:
            print(f"{error.filename}: cannot be written: {error.strerror}", file=sys.stderr)
            failed = True
        else:
            for change in changes:
                print(
                    f"{path}:{change.line}: {'' if change.done else 'to do: '}{change.text}", file=sys.stderr
                )
            if not any(change.done for change in changes):
                print(f"{path}: nothing to convert", file=sys.stderr)
    return 1 if failed else 0


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


def _read(file: Path, *, strict: bool) -> tuple[Sequence[Problem], list[tuple[Location, str]]]:
    """Return what is wrong in a file, and what cannot be known without pytest."""
    from pytest_sai3bench.suite.fixtures import describe_waiting  # noqa: PLC0415
    from pytest_sai3bench.thresholds.reading import collect_suites  # noqa: PLC0415

    try:
        suites = collect_suites(file, env=os.environ, strict=strict)
    except SuiteError as error:
        return error.problems, []
    # The combinations of a matrix have most of them in common.
    problems = dict.fromkeys(problem for suite in suites for problem in suite.loaded.warnings)
    return list(problems), list(
        dict.fromkeys(note for suite in suites for note in describe_waiting(suite.loaded))
    )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
