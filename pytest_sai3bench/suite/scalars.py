"""The single values of a suite: types that read what the dialect allows to be written.

Sizes are bytes, durations seconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, BeforeValidator, Field

from pytest_sai3bench import units
from pytest_sai3bench.suite.gateways import parse_command, parse_gateway
from pytest_sai3bench.suite.ranges import expand_ranges
from pytest_sai3bench.suite.uris import holds_credentials, parse_uri
from pytest_sai3bench.suite.wording import found, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_Value = TypeVar("_Value")
_NAME = re.compile(r"[A-Za-z0-9_.=-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MARKER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def _one_value(what: str, parse: Callable[[Any], _Value], *, written: Any = int | str) -> BeforeValidator:
    def read(value: object) -> _Value:
        if value is None or isinstance(value, (dict, tuple)):
            raise ValueError(f"{found(value)} is not {what}: expected one value")
        return parse(value)

    return BeforeValidator(read, json_schema_input_type=written)


def _processes(value: object) -> object:
    word = value.lower() if isinstance(value, str) else value
    if word in ("auto", "single"):
        return "auto" if word == "auto" else 1
    try:
        count = units.parse_count(cast("int", value))
    except ValueError:
        count = 0
    if count < 1:
        raise ValueError(f"{found(value)} is no number of processes: expected auto, single, or 1 or more")
    return count


def _iops(value: object) -> object:
    if isinstance(value, str) and value.lower() == "max":
        return "max"
    # sai3-bench takes anything that is not above 0 for no limit.
    if isinstance(value, str) and value.startswith("-"):
        value = -units.parse_count(value[1:])
    if type(value) is int and value <= 0:
        return "max"
    return units.parse_count(cast("int", value)) or "max"


def _choice(what: str, spellings: Mapping[str, str]) -> BeforeValidator:
    """Read one of some words, in any case; several spellings may stand for one word."""

    def read(value: object) -> str:
        word = spellings.get(value.lower()) if isinstance(value, str) else None
        if word is None:
            raise ValueError(unknown(what, value, tuple(dict.fromkeys(spellings.values()))))
        return word

    return BeforeValidator(read, json_schema_input_type=Literal[tuple(spellings)])


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"{found(text)} cannot be a name: expected letters, digits, '_', '.', '=' and '-'")
    return text


def _marker(text: str) -> str:
    if not _MARKER.fullmatch(text):
        raise ValueError(f"{found(text)} cannot be a marker: expected a letter, then letters, digits or '_'")
    return text


def _uri(text: str) -> str:
    expanded = (text,) if holds_credentials(text) else expand_ranges(text)
    if expanded != (text,):
        raise ValueError(f"{text!r} stands for {len(expanded)} endpoints: expected them in 'multi_endpoint'")
    return _plain_uri(text)


def _base(text: str) -> str:
    """Read a URI, or a folder below the endpoints; what begins with a slash or a variable is meant to be a URI."""
    if not text or "://" in text or text.startswith(("/", "${")):
        return _uri(text)
    if "*" in text or ".." in text.split("/"):
        raise ValueError(f"{text!r} is no folder below the endpoints: expected such as data/")
    return text


def check_endpoints(text: str) -> str:
    """Return the text of an endpoint, or of a range of them; raises ValueError that says how to write it."""
    if holds_credentials(text):
        # Complaints about the range would show them.
        parse_uri(text)
    for uri in expand_ranges(text):
        _plain_uri(uri)
    return text


def _plain_uri(text: str) -> str:
    parse_uri(text)
    if "*" in text:
        raise ValueError(f"{text!r} is a pattern: expected the address of one folder or bucket")
    return text


def _path(text: str) -> str:
    if "://" in text:
        parse_uri(text)
    return text


def _address(text: str) -> str:
    if not text or "://" in text or text[0] == "-" or any(character.isspace() for character in text):
        raise ValueError(f"{found(text)} is not the address of a host: expected host or host:port")
    return text


def _gateway(text: str) -> str:
    parse_gateway(text)
    return text


def _variables(value: object) -> object:
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping, found {found(value)}")  # noqa: TRY004 - pydantic takes no other
    for name, text in value.items():
        if not _VARIABLE.fullmatch(str(name)):
            raise ValueError(f"{found(name)} is no name of a variable: expected letters, digits and '_'")
        if not isinstance(text, (str, int, float)) or isinstance(text, bool):
            raise ValueError(f"{name} is {found(text)}: expected text")  # noqa: TRY004 - pydantic takes no other
    return {str(name): str(text) for name, text in value.items()}


def _fixture(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError(f"{found(text)} is no name of a fixture: expected letters, digits and '_'")
    return text


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("empty text: expected some words")
    return text


Size = Annotated[int, _one_value("a size", units.parse_size)]
PositiveSize = Annotated[Size, Field(ge=1)]
Count = Annotated[int, _one_value("a count", units.parse_count)]
PositiveCount = Annotated[Count, Field(ge=1)]
Processes = Annotated[Literal["auto"] | int, BeforeValidator(_processes, json_schema_input_type=int | str)]
Duration = Annotated[float, _one_value("a duration", units.parse_duration, written=float | str)]
Interval = Annotated[Duration, Field(ge=0.1)]
PositiveDuration = Annotated[Duration, Field(gt=0)]
Iops = Annotated[Literal["max"] | int, _one_value("a rate", _iops)]
Distribution = Annotated[
    Literal["exponential", "uniform", "deterministic"],
    _choice("distribution", {word: word for word in ("exponential", "uniform", "deterministic")}),
]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Name = Annotated[str, AfterValidator(_name)]
Marker = Annotated[str, AfterValidator(_marker)]
FixtureName = Annotated[str, AfterValidator(_fixture)]
Uri = Annotated[str, AfterValidator(_uri)]
Base = Annotated[str, AfterValidator(_base)]
Endpoints = Annotated[str, AfterValidator(check_endpoints)]
PathOrUri = Annotated[str, AfterValidator(_path)]
Address = Annotated[str, AfterValidator(_address)]
Text = Annotated[str, AfterValidator(_text)]
Port = Annotated[Count, Field(ge=1, le=65535)]
Gateway = Annotated[str, AfterValidator(_gateway)]
Command = Annotated[str, AfterValidator(parse_command)]
Variables = Annotated[
    dict[str, str], BeforeValidator(_variables, json_schema_input_type=dict[str, str | int | float])
]
Severity = Annotated[Literal["fail", "warn"], _choice("severity", {"fail": "fail", "warn": "warn"})]
Strategy = Annotated[
    Literal["round_robin", "least_connections", "random", "weighted", "sticky", "least_latency"],
    _choice(
        "strategy",
        {
            "round_robin": "round_robin",
            "roundrobin": "round_robin",
            "least_connections": "least_connections",
            "leastconnections": "least_connections",
            "random": "random",
            "weighted": "weighted",
            "sticky": "sticky",
            "least_latency": "least_latency",
            "leastlatency": "least_latency",
        },
    ),
]
Namespace = Annotated[
    Literal["shared", "independent", "replicated"],
    _choice("namespace", {word: word for word in ("shared", "independent", "replicated")}),
]
LostAgent = Annotated[
    Literal["fail", "continue"], _choice("answer to a lost agent", {"fail": "fail", "continue": "continue"})
]
Resolve = Annotated[Literal["first", "all"], _choice("resolve", {"first": "first", "all": "all"})]
Addressing = Annotated[
    Literal["auto", "path", "virtual"],
    _choice("addressing", {"auto": "auto", "path": "path", "virtual": "virtual"}),
]
EndpointFailure = Annotated[
    Literal["fail", "continue", "eject"],
    _choice("endpoint failure", {word: word for word in ("fail", "continue", "eject")}),
]
CleanupMode = Annotated[
    Literal["strict", "tolerant", "best_effort"],
    _choice(
        "cleanup mode",
        {
            "strict": "strict",
            "tolerant": "tolerant",
            "best_effort": "best_effort",
            "besteffort": "best_effort",
        },
    ),
]
PrepareStrategy = Annotated[
    Literal["sequential", "parallel"],
    _choice("prepare strategy", {word: word for word in ("sequential", "parallel")}),
]
FileDistribution = Annotated[
    Literal["bottom", "all"], _choice("distribution", {"bottom": "bottom", "all": "all"})
]
TreeCreationMode = Annotated[
    Literal["isolated", "coordinator", "concurrent"],
    _choice("tree creation mode", {word: word for word in ("isolated", "coordinator", "concurrent")}),
]
PathSelection = Annotated[
    Literal["random", "partitioned", "exclusive", "weighted"],
    _choice("path selection", {word: word for word in ("random", "partitioned", "exclusive", "weighted")}),
]
StageType = Annotated[
    Literal["validation", "prepare", "execute", "hybrid", "custom", "cleanup"],
    _choice(
        "type of a stage",
        {word: word for word in ("validation", "prepare", "execute", "hybrid", "custom", "cleanup")},
    ),
]
Completion = Annotated[
    Literal["duration", "tasks_done", "script_exit", "validation_passed", "duration_or_tasks"],
    _choice(
        "completion",
        {
            word: word
            for word in ("duration", "tasks_done", "script_exit", "validation_passed", "duration_or_tasks")
        },
    ),
]
BarrierType = Annotated[
    Literal["all_or_nothing", "majority", "best_effort"],
    _choice(
        "barrier",
        {
            "all_or_nothing": "all_or_nothing",
            "majority": "majority",
            "best_effort": "best_effort",
            "besteffort": "best_effort",
        },
    ),
]
PageCacheMode = Annotated[
    Literal["auto", "sequential", "random", "dontneed", "normal"],
    _choice(
        "page cache mode", {mode: mode for mode in ("auto", "sequential", "random", "dontneed", "normal")}
    ),
]
ProcessingMode = Annotated[
    Literal["multi_runtime", "multi_process"],
    _choice("processing mode", {mode: mode for mode in ("multi_runtime", "multi_process")}),
]
ReadSink = Annotated[
    Literal["auto", "copy", "discard"],
    _choice("read sink", {sink: sink for sink in ("auto", "copy", "discard")}),
]
EngineName = Annotated[
    Literal["default", "boto3"], _choice("engine", {name: name for name in ("default", "boto3")})
]
FillWord = Annotated[
    Literal["zero", "random"], _choice("fill", {"zero": "zero", "random": "random", "prand": "random"})
]
