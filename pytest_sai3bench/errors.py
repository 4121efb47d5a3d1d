"""Every error a user can meet, as one tree.

Each class has a stable ``code`` (it never changes, documentation links to it). A message says what happened
and where; ``remedy`` says what to do. Anything else that escapes is a bug of the plugin and keeps its traceback.

    Sai3benchError
    ├── SuiteError              suite     the file is wrong: one or more problems, each with file:line
    ├── CredentialsError        credentials   no usable S3 credentials, or a profile that does not exist
    ├── EmbeddedServerError     embedded  the throwaway server did not start
    │   └── EmbeddedServerMissing   embedded-missing  the extra that brings it is not installed
    ├── ResultsError            results   the results folder cannot be written
    └── RunError                run       a run that could not be carried out
        ├── AgentStartError     agent-start   an agent did not come up, or is too old
        ├── PreflightError      preflight     an agent cannot reach its endpoints
        ├── StageError          stage         a stage could not begin or gave up (no matches, too many errors)
        ├── ThresholdAbortError threshold-abort  a threshold with `abort after` ended the run
        └── AgentLostError      agent-lost    an agent stopped answering during a run
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Location:
    """A place in a suite file; ``line`` and ``column`` count from 1."""

    file: str
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong in a suite file.

    ``path`` is the dotted place inside the document (``workload[1].weight``), empty for the whole file.
    ``message`` says what is wrong and what was expected.
    """

    location: Location
    path: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return f"{self.location}: {path}{self.message}"


class Sai3benchError(Exception):
    """Base of all errors that are shown to users without a traceback."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class SuiteError(Sai3benchError):
    """A suite file that cannot be used; carries every problem found in it, in file order."""

    code = "suite"

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(
            sorted(problems, key=lambda p: (p.location.file, p.location.line, p.location.column))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class CredentialsError(Sai3benchError):
    """S3 credentials are missing or the named profile does not exist."""

    code = "credentials"


class EmbeddedServerError(Sai3benchError):
    """The embedded server did not come up; the message ends with the server's own log."""

    code = "embedded"


class EmbeddedServerMissing(EmbeddedServerError):
    """The package with the embedded server is not installed."""

    code = "embedded-missing"


class ResultsError(Sai3benchError):
    """The results folder cannot be created or written."""

    code = "results"


class RunError(Sai3benchError):
    """A run that could not be carried out."""

    code = "run"


class AgentStartError(RunError):
    """An agent did not start, or its host cannot run it."""

    code = "agent-start"


class PreflightError(RunError):
    """At least one agent cannot reach its endpoints; the message lists all of them with their causes."""

    code = "preflight"


class StageError(RunError):
    """A stage could not begin, or ended early because of errors."""

    code = "stage"


class ThresholdAbortError(RunError):
    """A threshold with ``abort after`` was not met: the run was ended before its time."""

    code = "threshold-abort"


class AgentLostError(RunError):
    """An agent stopped answering during a run."""

    code = "agent-lost"
