"""Requests on their way out: the bytes of an operation, and what the connection has to expect in return."""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING

from .large import COMPLETE, CREATE, LARGE, PART, RANGE
from .messages import GET, LIST, PUT, STAT
from .payload import PLAIN, Payload, object_number
from .uploads import Upload
from .verification import Check

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .connection import Connection
    from .large import Part
    from .payload import Pool
    from .s3_requests import S3Requests
    from .tasks import Task
    from .transfers import Transfers

# A request up to this size leaves in one piece with its head.
_INLINE_BYTES = 64 << 10


class Outgoing:
    """Makes the requests of all endpoints; ``payloads`` are the buffers for large bodies that are not in use."""

    def __init__(self, requests: Sequence[S3Requests], pool: Pool, transfers: Transfers) -> None:
        self.payloads = [Payload(pool)]
        self._requests = requests
        self._transfers = transfers
        self._pool = pool
        self._checker = Payload(pool)

    def request(self, connection: Connection) -> bytes:
        """Return the first bytes of the request for the connection's task; a large body follows from its payload."""
        task = connection.task
        assert task is not None
        op, key, size, shape, _ = task
        requests = self._requests[connection.endpoint]
        if op == GET:
            connection.expect(check=Check(self._checker, key, size, shape) if shape else None)
            return requests.object(GET, key)
        if op == PUT:
            connection.expect()
            data = requests.put(key, size)
            payload = self.payloads.pop() if self.payloads else Payload(self._pool)
            payload.begin(object_number(key), size, shape or PLAIN)
            if size > _INLINE_BYTES:
                connection.payload = payload
                return data
            data += payload.chunk()
            self.payloads.append(payload)
            return data
        if op == LIST:
            connection.expect(keep=True)
            return requests.list(key, connection.token)
        if op >= RANGE:
            return self._part(connection, task, requests)
        connection.expect(bodiless=op == STAT)
        return requests.object(op, key)

    def _part(self, connection: Connection, task: Task, requests: S3Requests) -> bytes:
        """Return the same for one request of an operation that takes several."""
        if task[0] >= LARGE:
            task = self._transfers.start(connection, monotonic_ns())
        kind, key, size, detail, _ = task
        part: Part = detail
        start, end, shape = part.offset, part.offset + part.length, part.transfer.shape
        if kind != RANGE:
            assert isinstance(part.transfer, Upload)
            connection.expect(keep=kind in (CREATE, COMPLETE), head=kind == PART)
            if kind == PART:
                payload = self.payloads.pop() if self.payloads else Payload(self._pool)
                payload.begin_part(object_number(key), size, shape or PLAIN, start, end)
                connection.payload = payload
            return _upload_request(kind, part.transfer, part, requests)
        check = Check(self._checker, key, size, shape, start=start, end=end) if shape else None
        connection.expect(check=check, head=True)
        return requests.range(key, start, end)


def _upload_request(kind: int, upload: Upload, part: Part, requests: S3Requests) -> bytes:
    """Return one request of an upload, of a part without its data."""
    key, upload_id = upload.key, upload.upload_id
    if kind == CREATE:
        return requests.create_upload(key)
    if kind == PART:
        return requests.upload_part(key, upload_id, part.number, part.length)
    if kind == COMPLETE:
        return requests.complete_upload(key, upload_id, upload.completion())
    return requests.abort_upload(key, upload_id)
