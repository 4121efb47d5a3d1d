from __future__ import annotations

import pytest

from pytest_sai3bench.agent.s3_requests import S3Requests, describe_error, error_field, next_token

NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def page(*keys: str, more: str = "", encoded: bool = True, namespace: str = NAMESPACE) -> bytes:
    items = "".join(f"<Contents><Key>{key}</Key><Size>1</Size></Contents>" for key in keys)
    encoding = "<EncodingType>url</EncodingType>" if encoded else ""
    token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
    truncated = f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
    text = f"<ListBucketResult{namespace}>{encoding}{truncated}{items}{token}</ListBucketResult>"
    return f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()


def requests_below(prefix: str) -> S3Requests:
    return S3Requests({"host": "h", "port": 80, "bucket": "bench", "prefix": prefix}, None)


@pytest.mark.parametrize("namespace", [NAMESPACE, ""])
def test_keys_are_relative_and_percent_encoded_whatever_form_they_come_in(namespace: str) -> None:
    requests = requests_below("p ä/")
    coded = page("p+%C3%A4/a%20b", "p%20%C3%A4/c%2Bd+e", "p+%C3%A4/f%25", namespace=namespace)
    plain = page("p ä/a b", "p ä/c+d e", "p ä/f%", encoded=False, namespace=namespace)
    for body in (coded, plain):
        assert requests.parse_page(body) == (["a%20b", "c%2Bd%20e", "f%25"], "")


def test_folders_and_what_lies_elsewhere_are_no_objects() -> None:
    assert requests_below("p/").parse_page(page("p/", "p/sub/", "p/sub/x", "q/x")) == (["sub/x"], "")


def test_a_page_names_the_next_one() -> None:
    body = page("a", more="1&amp;2&lt;&#34;&#xe4;")
    assert requests_below("").parse_page(body) == (["a"], '1&2<"ä')
    assert next_token(body) == '1&2<"ä'
    assert next_token(page("a")) == ""
    # A token without further pages does not count.
    assert (
        next_token(b"<IsTruncated>false</IsTruncated><NextContinuationToken>x</NextContinuationToken>") == ""
    )


def test_errors_are_described_by_status_code_and_message() -> None:
    body = (
        b"<Error><Code>NoSuchKey</Code><Message>The key &quot;a&amp;b&quot;\nis not there.</Message></Error>"
    )
    assert describe_error(404, body) == '404 NoSuchKey: The key "a&b"\nis not there.'
    assert error_field(body, "Code") == "NoSuchKey"
    assert describe_error(404, b"<html>") == "404"
    assert error_field(b"<html>", "Code") == ""
    assert describe_error(500, b"<Code>Bad\xff</Code>") == "500 Bad�"
    assert describe_error(400, b"<Message>" + b"x" * 300 + b"</Message>") == "400: " + "x" * 200
