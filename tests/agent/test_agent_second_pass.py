from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pytest_sai3bench.agent import second_pass
from pytest_sai3bench.agent.second_pass import tries_for
from pytest_sai3bench.agent.sigv4 import Credentials
from pytest_sai3bench.plan.model import Endpoint, ErrorPolicy, Origin
from pytest_sai3bench.plan.work import MultipartPlan, ObjectSet, SizePlan, StagePlan

if TYPE_CHECKING:
    from collections.abc import Callable

OK = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
SIZE = SizePlan("fixed", 100, 100)
KEYS = Credentials("access", "secret", "us-east-1")
COUNT = 12


class Store:
    """Takes objects; answers attempts at the object of a number as told, one after the other, before it takes it."""

    def __init__(self, answers: dict[int, list[int]]) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self.asked: list[int] = []
        self.stored: Counter[int] = Counter()

    def answer(self, request: Any, _peer: Any) -> bytes:
        path, _, query = request.path.partition("?")
        if request.method == "GET":
            body = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        elif request.method == "POST" and "uploads" in query:
            body = b"<InitiateMultipartUploadResult><UploadId>7</UploadId></InitiateMultipartUploadResult>"
        elif request.method == "DELETE":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        else:
            number = int(path[-12:-4])
            if request.method == "POST":
                body = b"<CompleteMultipartUploadResult/>"
            else:
                with self._lock:
                    self.asked.append(number)
                    if self._answers.get(number):
                        status = self._answers[number].pop(0)
                        return b"HTTP/1.1 %d Failed\r\nContent-Length: 0\r\n\r\n" % status
                body = b""
            if request.method == "POST" or not query:
                self.stored[number] += 1
            if not body:
                return OK
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.fixture
def prepare(start_server: Callable[..., Any], make_run: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``prepare(store, engine)``, which makes the objects and returns the result of the stage."""

    def run(store: Store, engine: str = "default") -> Any:
        host, port = start_server(store.answer).addresses[0]
        endpoint = Endpoint("s3://x/bench/", "s3", Origin("", ""), host=host, port=port, bucket="bench")
        stage = StagePlan(
            "prepare",
            objects=(ObjectSet("", "prepared", COUNT, SIZE, ""),),
            look=False,
            multipart=MultipartPlan(40, 2, 50) if engine == "multipart" else None,
        )
        (result,) = make_run(
            [endpoint],
            [stage],
            KEYS,
            lanes=COUNT,
            engine="boto3" if engine == "boto3" else "default",
            # Without pauses, which tests would wait for.
            errors=ErrorPolicy(error_rate_threshold=1e9),
        ).all_stages()
        return result

    return run


@pytest.mark.parametrize("engine", ["default", "multipart", "boto3"])
def test_an_object_that_failed_is_written_after_the_others(
    engine: str, prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_pass, "_FIRST_DELAY_S", 0.01)
    store = Store({3: [503, 503, 500], 7: [503]})
    result = prepare(store, engine)
    assert result["outcome"] == "completed"
    assert store.stored == dict.fromkeys(range(COUNT), 1)
    # As many as there were failures, so that nothing counts as not written.
    assert sum(error["count"] for error in result["errors"]) == result["retries"] == 4
    assert [note for note in result["notes"] if "objects" in note] == [
        "2 objects failed at first and were tried again at the end, 0 of them in vain"
    ]
    if engine == "default":
        assert set(store.asked[COUNT:]) == {3, 7}


def test_there_is_an_end_to_it(prepare: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_pass, "_FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(second_pass, "_LONGEST_DELAY_S", 0.01)
    store = Store({3: [503] * 99})
    result = prepare(store)
    assert Counter(store.asked)[3] == 11
    assert (sum(error["count"] for error in result["errors"]), result["retries"]) == (11, 10)
    assert [note for note in result["notes"] if "objects" in note] == [
        "1 objects failed at first and were tried again at the end, 1 of them in vain"
    ]


@pytest.mark.parametrize(
    "answers",
    [
        # What another time does not mend, and what is more than bad luck.
        {3: [403]},
        {number: [503] for number in range(COUNT)},
    ],
)
def test_what_is_not_worth_it_is_not_tried_again(
    answers: dict[int, list[int]], prepare: Callable[..., Any]
) -> None:
    failures = len(answers)
    store = Store(answers)
    result = prepare(store)
    assert sorted(store.asked) == list(range(COUNT))
    assert (sum(error["count"] for error in result["errors"]), result["retries"]) == (failures, 0)
    assert not any("objects" in note for note in result["notes"])


@pytest.mark.parametrize(("lost", "tries"), [(1, 10), (20, 10), (21, 3), (80, 3), (81, 0), (100, 0)])
def test_the_share_of_failures_says_how_often(lost: int, tries: int) -> None:
    assert tries_for(lost, 100) == tries
