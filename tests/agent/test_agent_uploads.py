from __future__ import annotations

import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_sai3bench.agent.large import LARGE, Large, Multipart
from pytest_sai3bench.agent.messages import PUT
from pytest_sai3bench.agent.payload import PLAIN, Payload, Pool, Shape, object_number
from pytest_sai3bench.plan import model

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20
RETRIES = model.ErrorPolicy(
    retry_on_error=True,
    max_retries=2,
    initial_retry_delay_s=0.001,
    max_retry_delay_s=0.001,
    error_rate_threshold=1e9,
)
PAYLOAD = Payload(Pool(1))


def content_of(key: str, size: int, shape: Shape = PLAIN) -> bytes:
    PAYLOAD.begin(object_number(key), size, shape)
    return read_all()


def read_all() -> bytes:
    content = b""
    while chunk := PAYLOAD.chunk():
        content += chunk
    return content


def put(key: str, size: int, multipart: Multipart, shape: Shape = PLAIN) -> tuple[Any, ...]:
    return (PUT | LARGE, key, size, Large(multipart, shape))


def answer(body: bytes = b"", status: int = 200, *fields: str) -> bytes:
    head = "".join(
        f"{field}\r\n" for field in (f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *fields)
    )
    return head.encode() + b"\r\n" + body


class Store:
    """A server that knows multipart uploads; ``hook`` may answer in its place."""

    def __init__(
        self, hook: Callable[[str, Any, Any], bytes | None] = lambda step, request, peer: None
    ) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.steps: list[tuple[str, int]] = []
        self.most = 0
        self._inside = 0
        self._hook = hook
        self._lock = threading.Lock()
        self._begun = 0

    def __call__(self, request: Any, peer: Any) -> bytes | None:
        # As it was sent: the server of the tests decodes what may not be decoded before it is taken apart.
        target = urlsplit(request.head.split(" ")[1])
        path, query = target.path, parse_qs(target.query, keep_blank_values=True)
        with self._lock:
            step = self._step(request.method, query)
            self.steps.append((step, request.endpoint))
            self._inside += 1
            self.most = max(self.most, self._inside)
        try:
            return self._hook(step, request, peer) or self._answer(step, path, query, request.body)
        finally:
            with self._lock:
                self._inside -= 1

    def _step(self, method: str, query: dict[str, list[str]]) -> str:
        if method == "POST":
            return "create" if "uploads" in query else "complete"
        if method == "DELETE":
            return "abort"
        return "part" if "partNumber" in query else "put"

    def _answer(self, step: str, path: str, query: dict[str, list[str]], body: bytes) -> bytes:
        with self._lock:
            if step == "create":
                self._begun += 1
                upload = f"id/{self._begun}+&"
                self.uploads[upload] = {}
                name = upload.replace("&", "&amp;")
                return answer(f"<R xmlns='x'><Key>k</Key><UploadId>{name}</UploadId></R>".encode())
            upload = query.get("uploadId", [""])[0]
            if step == "put":
                self.objects[path] = body
                return answer()
            if upload not in self.uploads:
                return answer(b"<Error><Code>NoSuchUpload</Code></Error>", 404)
            if step == "part":
                number = int(query["partNumber"][0])
                self.uploads[upload][number] = body
                return answer(b"", 200, f'ETag: "tag<{number}>"')
            parts = self.uploads.pop(upload)
            if step == "abort":
                return b"HTTP/1.1 204 X\r\n\r\n"
            named = re.findall(rb"<Part><PartNumber>(\d+)</PartNumber><ETag>([^<]*)</ETag></Part>", body)
            tag = b"&quot;tag&lt;%b&gt;&quot;"
            assert named == [(b"%d" % n, tag % b"%d" % n) for n in range(1, len(parts) + 1)]
            self.objects[path] = b"".join(parts[number] for number in sorted(parts))
            return answer(b"<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>")


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 300_000),
    st.integers(1, 200_000),
    st.builds(Shape, st.booleans(), st.integers(1, 4), st.integers(1, 4)),
)
def test_parts_are_pieces_of_the_object(size: int, part_size: int, shape: Shape) -> None:
    whole = content_of("k", size, shape)
    part_size = max(part_size, size // 20 + 1)
    for start in range(0, size, part_size):
        end = min(start + part_size, size)
        PAYLOAD.begin_part(object_number("k"), size, shape, start, end)
        assert read_all() == whole[start:end]


@pytest.mark.parametrize(
    ("size", "multipart", "lanes"),
    [
        (1, Multipart(100, 1, 1), 1),
        (100, Multipart(100, 4, 1), 4),
        (101, Multipart(100, 4, 1), 1),
        (700_000, Multipart(70_001, 3, 1), 8),
        (3 * MIB, Multipart(MIB, 2, 1), 2),
    ],
)
def test_an_upload_is_one_operation_of_the_object_s_size(
    size: int,
    multipart: Multipart,
    lanes: int,
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
) -> None:
    store = Store()
    server = start_server(store, endpoints=2)

    run = run_loop(server.addresses, [put("k", size, multipart)], lanes=lanes)

    assert run.reins.errors() == []
    assert store.objects == {"/bench/k": content_of("k", size)}
    assert store.uploads == {}
    parts = -(-size // multipart.part_size)
    steps = [step for step, _ in store.steps]
    assert steps == ["create", *["part"] * parts, "complete"]
    assert store.most <= min(multipart.parallel, lanes)
    assert run.reins.counts_of("") == {}
    assert run.reins.counts_of("whole") == {("put", 0): (1, size)}
    requests = Counter(endpoint for _, endpoint in store.steps)
    sent = run.reins.counts_of("part")
    assert {endpoint: count for (_, endpoint), (count, _) in sent.items()} == dict(requests)
    assert sum(moved for _, moved in sent.values()) == size
    assert run.left_behind == []


def test_parts_of_one_object_are_sent_at_the_same_time(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    barrier = threading.Barrier(3)

    def together(step: str, request: Any, peer: Any) -> None:
        if step == "part":
            barrier.wait(20)

    store = Store(together)
    server = start_server(store)

    run = run_loop(server.addresses, [put("k", 600, Multipart(100, 3, 1))], lanes=5)

    assert store.most == 3
    assert run.reins.counts_of("whole") == {("put", 0): (1, 600)}


@pytest.mark.parametrize(
    ("failing", "said", "error"),
    [
        ("create", (b"", 500), ("http-500", "500")),
        ("create", (b"<Hello/>", 200), ("bad-response", "no UploadId in the answer: b'<Hello/>'")),
        ("part", (b"<Error><Code>SlowDown</Code></Error>", 503), ("http-503", "503 SlowDown")),
        ("part", (b"", 200), ("bad-response", "no ETag in the answer to a part")),
        (
            "complete",
            (b"  <Error><Code>InternalError</Code><Message>Try again.</Message></Error>", 200),
            ("not-completed", "200 InternalError: Try again."),
        ),
        (
            "complete",
            (b"", 200),
            ("bad-response", "the answer does not say that the upload is complete: b''"),
        ),
        ("complete", (b"", 500), ("http-500", "500")),
    ],
)
def test_an_upload_that_fails_is_aborted(
    failing: str,
    said: tuple[bytes, int],
    error: tuple[str, str],
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
) -> None:
    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        if step == failing and "/bad" in request.path:
            return answer(*said)
        return None

    store = Store(fail)
    server = start_server(store)
    multipart = Multipart(100, 1, 1)

    run = run_loop(server.addresses, [put("bad", 300, multipart), put("good", 300, multipart)])

    assert run.reins.errors() == [("put", 0, error[0], 1, error[1])]
    assert store.objects == {"/bench/good": content_of("good", 300)}
    assert store.uploads == {}
    assert run.reins.counts_of("whole") == {("put", 0): (1, 300)}
    aborts = [step for step, _ in store.steps].count("abort")
    assert aborts == (failing != "create")
    left = ["bad: the request that begins it had no answer"] if said[0] == b"<Hello/>" else []
    assert run.left_behind == left


@pytest.mark.parametrize("failing", ["create", "part", "complete"])
def test_each_request_is_tried_again_by_the_policy(
    failing: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    failures = iter(range(2))

    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        return answer(b"", 503) if step == failing and next(failures, None) is not None else None

    store = Store(fail)
    server = start_server(store)

    run = run_loop(server.addresses, [put("k", 300, Multipart(100, 1, 1))], errors=RETRIES)

    assert run.reins.errors() == [("put", 0, "http-503", 2, "503")]
    assert run.policy.retries == 2
    assert store.objects == {"/bench/k": content_of("k", 300)}
    assert run.reins.counts_of("whole") == {("put", 0): (1, 300)}
    assert [step for step, _ in store.steps].count("abort") == 0


def test_other_parts_are_waited_for_before_an_upload_is_aborted(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    barrier = threading.Barrier(2)
    aborted = threading.Event()

    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        if step == "part":
            barrier.wait(20)
            if "partNumber=1&" in request.path:
                return answer(b"", 500)
            # Long enough for an abort that comes too early.
            assert not aborted.wait(0.2)
        elif step == "abort":
            aborted.set()
        return None

    store = Store(fail)
    server = start_server(store)

    run = run_loop(server.addresses, [put("k", 1000, Multipart(100, 2, 1))], lanes=2)

    assert [step for step, _ in store.steps] == ["create", "part", "part", "abort"]
    assert run.reins.counts_of("part") == {("put", 0): (2, 100)}
    assert store.uploads == {}


def test_what_cannot_be_aborted_is_told_and_is_no_error_of_an_operation(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        return answer(b"", 500) if step in ("part", "abort") else None

    store = Store(fail)
    server = start_server(store)

    run = run_loop(server.addresses, [put("k", 300, Multipart(100, 1, 1))])

    assert run.reins.errors() == [("put", 0, "http-500", 1, "500")]
    assert [step for step, _ in store.steps] == ["create", "part", "abort", "abort", "abort"]
    assert run.left_behind == ["k (id/1+&): 500"]


def test_an_upload_that_is_not_there_any_more_needs_no_abort(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    store = Store()

    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        if step == "part":
            store.uploads.clear()
        return None

    store._hook = fail
    server = start_server(store)

    run = run_loop(server.addresses, [put("k", 300, Multipart(100, 1, 1))])

    assert [step for step, _ in store.steps] == ["create", "part", "abort"]
    assert run.left_behind == []


@pytest.mark.parametrize("stalled", ["create", "part", "complete"])
def test_a_stop_cuts_an_upload_off_and_aborts_it(
    stalled: str, start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    reached = threading.Event()

    def stall(step: str, request: Any, peer: Any) -> None:
        if step == stalled:
            reached.set()
            peer.stall()

    store = Store(stall)
    server = start_server(store)

    run = run_loop(
        server.addresses, [put("k", 1000, Multipart(100, 2, 1))] * 3, lanes=2, stop_when=reached.is_set
    )

    assert run.cut_off == 2
    assert run.reins.errors() == []
    assert run.reins.counts_of("whole") == {}
    assert store.uploads == {}
    left = ["k: the request that begins it had no answer"] * 2 if stalled == "create" else []
    assert run.left_behind == left


def test_a_stop_lets_an_upload_complete_whose_parts_are_all_on_their_way(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    stopped = threading.Event()

    def wait(step: str, request: Any, peer: Any) -> None:
        if "partNumber=10&" in request.path:
            assert stopped.wait(20)

    store = Store(wait)
    server = start_server(store)

    def stop_when() -> bool:
        # The last part of the first is sent, and the second has parts that are not.
        if store.steps.count(("part", 0)) >= 12:
            stopped.set()
        return stopped.is_set()

    tasks = [put("first", 1000, Multipart(100, 1, 1)), put("second", 1_000_000, Multipart(100, 1, 1))]
    run = run_loop(server.addresses, tasks, lanes=2, stop_when=stop_when)

    assert run.cut_off == 1
    assert store.objects == {"/bench/first": content_of("first", 1000)}
    assert store.uploads == {}
    assert run.left_behind == []


def test_an_abort_that_hangs_holds_a_stop_up_for_a_second(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    reached = threading.Event()

    def stall(step: str, request: Any, peer: Any) -> None:
        if step in ("part", "abort"):
            reached.set()
            peer.stall()

    store = Store(stall)
    server = start_server(store)

    run = run_loop(
        server.addresses, [put("k", 1000, Multipart(100, 2, 1))], lanes=2, stop_when=reached.is_set
    )

    assert run.cut_off == 1
    assert run.left_behind == ["k (id/1+&): cut off by a stop"]


def test_the_end_of_the_window_lets_an_upload_complete(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    store = Store()
    server = start_server(store)

    run = run_loop(
        server.addresses,
        [put(f"k{n}", 50 * MIB, Multipart(MIB, 4, 1)) for n in range(100)],
        lanes=4,
        duration_ns=50_000_000,
    )

    assert run.reins.errors() == []
    assert store.uploads == {}
    whole = run.reins.counts_of("whole")["put", 0]
    assert whole == (len(store.objects), sum(map(len, store.objects.values())))
    assert [step for step, _ in store.steps].count("abort") == 0


def test_giving_up_leaves_no_upload_behind(
    start_server: Callable[..., Any], run_loop: Callable[..., Any]
) -> None:
    def fail(step: str, request: Any, peer: Any) -> bytes | None:
        return answer(b"", 500) if step == "part" and "/bad" in request.path else None

    store = Store(fail)
    server = start_server(store)
    # The other one would need ten thousand parts.
    tasks = [put(key, 1_000_000, Multipart(100, 1, 1)) for key in ("bad", "good")]

    run = run_loop(
        server.addresses,
        tasks,
        lanes=2,
        errors=model.ErrorPolicy(max_total_errors=1, error_rate_threshold=1e9),
    )

    assert run.health.gave_up == "1 errors (error_handling.max_total_errors); the last: 500"
    assert store.uploads == {}
    assert store.objects == {}
