"""Writing one large object in parts: CreateMultipartUpload, UploadPart, CompleteMultipartUpload, or Abort… (S3, 2006-03-01)."""

from __future__ import annotations

import re
from html import escape, unescape
from typing import TYPE_CHECKING

from .large import ABORT, COMPLETE, CREATE, PART, Multipart, Part, Transfer
from .response import find_field
from .s3_requests import describe_error

if TYPE_CHECKING:
    from .connection import Connection
    from .large import Large
    from .tasks import Task

_UPLOAD_ID = re.compile(rb"<UploadId>\s*([^<]+?)\s*</UploadId>")
_RESULT = re.compile(rb"<CompleteMultipartUploadResult[\s/>]")
_ERROR = re.compile(rb"<Error[\s/>]")
_ABORTS = 3
# After these the server may have done what it was asked for.
_UNCERTAIN = frozenset({"timeout", "closed", "reset", "bad-response"})
CUT_OFF = ("closed", "cut off by a stop")


class Upload(Transfer):
    """A PUT in parts; ``upload_id`` is what the server calls it, empty before it does and when it is over.

    When a request of it has failed, and no other is in flight, it asks for its parts to be removed: up to three times.
    """

    __slots__ = ("_aborts", "_begun", "_completing", "_count", "_etags", "_how", "upload_id")

    def __init__(self, order: int, task: Task) -> None:
        super().__init__(order, task)
        large: Large = task[3]
        assert isinstance(large.how, Multipart)
        self._how = large.how
        self._count = -(-self.size // self._how.part_size)
        self._begun = -1
        self._completing = False
        self._etags: dict[int, str] = {}
        self._aborts = _ABORTS
        self.upload_id = ""

    @property
    def wants(self) -> bool:
        """See `Transfer.wants`."""
        if self._begun < 0:
            return not self.failed
        if not self.upload_id:
            return False
        if self.failed:
            return not self.in_flight and self._aborts > 0
        if self._begun < self._count:
            return self.in_flight < self.parallel
        return not self.in_flight and not self._completing

    @property
    def begun(self) -> bool:
        """See `Transfer.begun`."""
        return self._begun == self._count

    def next(self) -> Task:
        """See `Transfer.next`."""
        kind, part = self._next()
        self.in_flight += 1
        self.requests += 1
        return (kind, self.key, self.size, part, self.place)

    def _next(self) -> tuple[int, Part]:
        if self.failed:
            self._aborts -= 1
            return ABORT, Part(self)
        if self._begun == self._count:
            self._completing = True
            return COMPLETE, Part(self)
        self._begun += 1
        if not self._begun:
            return CREATE, Part(self)
        offset = (self._begun - 1) * self._how.part_size
        return PART, Part(self, offset, min(self._how.part_size, self.size - offset), self._begun)

    def take(self, task: Task, connection: Connection) -> tuple[str, str] | None:
        """See `Transfer.take`."""
        kind, part = task[0], task[3]
        if kind == CREATE:
            found = _UPLOAD_ID.search(connection.body)
            if found is None:
                return "bad-response", f"no UploadId in the answer: {connection.body[:80]!r}"
            self.upload_id = unescape(found[1].decode(errors="replace"))
        elif kind == PART:
            etag = find_field(connection.head, "etag")
            if not etag:
                return "bad-response", "no ETag in the answer to a part"
            self._etags[part.number] = etag
            part.moved = part.length
            self.bytes += part.length
        else:
            # The head of the answer to COMPLETE comes before the work is done: it says 200, whatever becomes of it.
            if kind == COMPLETE and (problem := _read_completion(connection.body)):
                return problem
            self.upload_id = ""
        return None

    def note_failure(self, task: Task, kind: str, text: str) -> None:
        """Note that an attempt at a request has failed, and what may be left behind by that."""
        if task[0] == CREATE and kind in _UNCERTAIN:
            self.left_behind = f"{self.key}: the request that begins it had no answer"
        elif task[0] == ABORT and not self._aborts:
            self.left_behind = f"{self.key} ({self.upload_id}): {text}"

    def abandon(self) -> None:
        """Remove nothing any more."""
        if self.upload_id and self._aborts:
            self._aborts = 0
            self.left_behind = f"{self.key} ({self.upload_id}): no time was left"

    def completion(self) -> bytes:
        """Return the body of COMPLETE: all parts in their order."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(self._etags[number])}</ETag></Part>"
            for number in range(1, self._count + 1)
        )
        space = "http://s3.amazonaws.com/doc/2006-03-01/"
        return f'<CompleteMultipartUpload xmlns="{space}">{parts}</CompleteMultipartUpload>'.encode()


def is_gone(task: Task, connection: Connection) -> bool:
    """Tell whether an answer with an error says no more than that an upload to be aborted is not there."""
    return task[0] == ABORT and connection.status == 404


def _read_completion(body: bytes) -> tuple[str, str] | None:
    if _ERROR.search(body):
        return "not-completed", describe_error(200, body)
    if not _RESULT.search(body):
        return "bad-response", f"the answer does not say that the upload is complete: {body[:80]!r}"
    return None
