from __future__ import annotations

import socket
import ssl
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from pytest_sai3bench.agent.connection import HEAD, Closed
from pytest_sai3bench.agent.messages import GET, PUT
from pytest_sai3bench.agent.poller import READ, WRITE
from pytest_sai3bench.agent.tls import TlsClient, TlsConnection, TlsSettings, make_context
from pytest_sai3bench.plan.model import Endpoint, Origin

if TYPE_CHECKING:
    from collections.abc import Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
# Larger than a record, than the loop's buffer, and than what a socket takes at once.
LARGE = 5_000_000


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> TlsSettings:
    return TlsSettings(ca=authority.cert_pem.bytes().decode())


def serving(authority: trustme.CA, *names: str, **more: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1",)), **more).configure_cert(context)
    return context


def endpoint(address: tuple[str, int], *, tls: bool = True) -> Endpoint:
    host, port = address
    return Endpoint("uri", "s3", Origin("", ""), host, port, "bench", tls=tls)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_bodies_of_any_size_come_and_go_whole_over_reused_sessions(
    *,
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
    version: ssl.TLSVersion,
) -> None:
    answers = {
        "/bench/small": OK,
        "/bench/large": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE + bytes(LARGE),
        "/bench/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"9c40\r\n%b\r\n" % bytes(40_000) * 20
        + b"0\r\n\r\n",
        "/bench/last": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 16384\r\n\r\n"
        + bytes(16384),
    }
    context = serving(authority)
    context.minimum_version = context.maximum_version = version
    server = start_server(lambda request, peer: answers.get(request.path, OK), context=context)
    loop = make_loop(server.addresses, tls=TlsClient(trusting, ["127.0.0.1"]))
    keys = ["small", "large", "chunked", "last"]
    tasks = [(GET, key, 0) for key in keys] + [(PUT, "new", LARGE), (PUT, "tiny", 10), (GET, "last", 0)]

    done = run_loop(server.addresses, [*tasks, *tasks], loop=loop)

    assert done.reins.errors() == []
    assert done.reins.counts() == {
        ("get", 0): (10, 2 * (5 + LARGE + 800_000 + 2 * 16384)),
        ("put", 0): (4, 2 * (LARGE + 10)),
    }
    assert [len(request.body) for request in server.requests if request.method == "PUT"] == [LARGE, 10] * 2
    # "last" closes; every connection but the first takes the session up again.
    assert server.connections == 4
    assert context.session_stats()["hits"] == 3


def test_many_lanes_share_their_endpoints(
    *,
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
) -> None:
    server = start_server(lambda request, peer: OK, endpoints=2, context=serving(authority))
    loop = make_loop(server.addresses, lanes=8, tls=TlsClient(trusting, ["127.0.0.1"] * 2))

    done = run_loop(server.addresses, [(GET, "key", 0)] * 200, lanes=8, loop=loop)

    assert done.reins.counts() == {("get", 0): (100, 500), ("get", 1): (100, 500)}


@pytest.mark.parametrize("notified", [True, False])
def test_a_body_without_a_length_counts_only_when_its_end_was_told(
    *,
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
    notified: bool,
) -> None:
    def script(request: Any, peer: Any) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if notified:
            peer._sock.unwrap()
        peer.close()

    server = start_server(script, context=serving(authority))
    loop = make_loop(server.addresses, tls=TlsClient(trusting, ["127.0.0.1"]))

    done = run_loop(server.addresses, [(GET, "key", 0)], loop=loop)

    text = "the server closed the connection in the middle of an answer"
    assert done.reins.counts() == ({("get", 0): (1, 5)} if notified else {})
    assert done.reins.errors() == ([] if notified else [("get", 0, "closed", 1, text)])


def _plain(server: Any) -> None:
    server._context = None


def _expired() -> dict[str, Any]:
    return {
        "not_after": datetime(2020, 1, 1, tzinfo=timezone.utc),
        "not_before": datetime(2019, 1, 1, tzinfo=timezone.utc),
    }


_REFUSED = "the server's certificate was refused: "


@pytest.mark.parametrize(
    ("problem", "kind", "detail"),
    [
        (
            "name",
            "wrong-host",
            _REFUSED + "IP address mismatch, certificate is not valid for '127.0.0.1'",
        ),
        ("authority", "unknown-ca", _REFUSED + "unable to get local issuer certificate"),
        ("date", "expired-certificate", _REFUSED + "certificate has expired"),
        ("client", "client-certificate", "the server refused the client: tlsv13 alert certificate required"),
        ("old client", "client-certificate", None),
        ("plain", "not-tls", "the server does not speak TLS"),
        ("stalled", "timeout", "no connection within 0.3 s"),
    ],
)
def test_what_keeps_a_server_from_being_used_has_its_own_kind(
    *,
    start_server: Callable[..., Any],
    make_run: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
    problem: str,
    kind: str,
    detail: str | None,
) -> None:
    context: ssl.SSLContext | None = serving(authority)
    if problem == "name":
        context = serving(authority, "store.example")
    elif problem == "date":
        context = serving(authority, **_expired())
    elif problem == "authority":
        context = serving(trustme.CA())
    elif "client" in problem:
        assert context is not None
        context.verify_mode = ssl.CERT_REQUIRED
        trustme.CA().configure_trust(context)
        if problem == "old client":
            # Whose certificate comes from an authority that the server does not know.
            issued = authority.issue_cert("client@example.org")
            chain = b"".join(part.bytes() for part in issued.cert_chain_pems).decode()
            trusting = trusting._replace(certificate=chain, key=issued.private_key_pem.bytes().decode())
            context.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        context = None
    server = start_server(lambda request, peer: OK, context=context)
    if problem == "plain":
        server._serve = lambda sock, *_: (sock.recv(9999), sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    elif problem == "stalled":
        server._serve = lambda sock, *_: server.over.wait(20)
    limit_s = 0.3 if problem == "stalled" else 20

    run = make_run([endpoint(server.addresses[0])], [], None, trusting, connect_timeout_s=limit_s)
    loop = make_loop(server.addresses, connect_timeout_s=limit_s, tls=TlsClient(trusting, ["127.0.0.1"]))
    ((found, text),) = run.check()
    done = run_loop(server.addresses, [(GET, "key", 0)], loop=loop)

    assert (found, text) == (kind, detail or text)
    # An operation that meets it fails for the same reason.
    assert done.reins.errors() == [("get", 0, kind, 1, text)]


def test_plain_requests_to_a_server_of_tls_are_told(
    start_server: Callable[..., Any], make_run: Callable[..., Any]
) -> None:
    # As Go's servers answer, as nginx does, and as those that send an alert of TLS.
    answers = (
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port",
        b"\x15\x03\x01\x00\x02\x02\x46",
    )

    def script(request: Any, peer: Any) -> None:
        peer.send(answers[request.endpoint])
        peer.close()

    server = start_server(script, endpoints=3)

    run = make_run([endpoint(address, tls=False) for address in server.addresses], [])

    assert run.check() == [("needs-tls", "the server speaks TLS")] * 3


@pytest.mark.parametrize("accepted", [True, False])
def test_any_server_will_do_when_nothing_is_verified(
    start_server: Callable[..., Any], make_run: Callable[..., Any], *, accepted: bool
) -> None:
    listing = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n<ListBucketResult>"
    server = start_server(lambda request, peer: listing, context=serving(trustme.CA(), "other"))
    run = make_run([endpoint(server.addresses[0])], [], None, TlsSettings(verify=not accepted))

    ((kind, _),) = run.check()

    assert kind == ("" if accepted else "unknown-ca")
    assert run.worker.engine.read_sink == "copy"


def test_a_client_with_its_certificate_is_let_in(
    start_server: Callable[..., Any],
    make_run: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
) -> None:
    context = serving(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    server = start_server(lambda request, peer: OK, context=context)
    issued = authority.issue_cert("client@example.org")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems).decode()
    settings = trusting._replace(certificate=chain, key=issued.private_key_pem.bytes().decode())

    assert make_run([endpoint(server.addresses[0])], [], None, settings).check() == [("", "")]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (TlsSettings(ca="none"), "no certificates in PEM form: "),
        (TlsSettings(certificate="none"), "no certificate and its key in PEM form: "),
    ],
)
def test_what_is_no_certificate_is_told(settings: TlsSettings, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        make_context(settings)


class CrossedSocket:
    """A socket of TLS that must read before it can write, and write before it can read."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fileno = sock.fileno
        self.hungry = True
        self.full = True
        self.session = None

    def send(self, data: bytes) -> int:
        if self.hungry:
            try:
                self.hungry = not self.sock.recv(1)
            except BlockingIOError:
                raise ssl.SSLWantReadError from None
        return self.sock.send(data)

    def read(self, size: int, buffer: memoryview) -> int:
        if self.full:
            self.full = False
            raise ssl.SSLWantWriteError
        try:
            return self.sock.recv_into(buffer, size)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None


def test_each_direction_may_wait_for_the_other(trusting: TlsSettings) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        connection = TlsConnection(ours, 0, TlsClient(trusting, ["127.0.0.1"]))
        connection._tls = CrossedSocket(ours)  # type: ignore[assignment]
        buffer = bytearray(1 << 18)
        connection.expect()
        connection.state = HEAD

        assert not connection.send(b"request")
        assert (connection.crossed, connection.waits) == (True, READ)
        theirs.send(b"!")
        assert not connection.receive(buffer, memoryview(buffer))
        assert theirs.recv(99) == b"request"
        assert (connection.pending, connection.waits) == (None, READ | WRITE)
        theirs.send(OK)
        assert connection.receive(buffer, memoryview(buffer))
        assert (connection.status, connection.size, connection.waits) == (200, 5, READ)
        theirs.close()
        connection.expect()
        with pytest.raises(Closed):
            connection.receive(buffer, memoryview(buffer))


def test_the_loop_waits_for_either_direction(
    *,
    start_server: Callable[..., Any],
    run_loop: Callable[..., Any],
    make_loop: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    trusting: TlsSettings,
) -> None:
    # The scripted server sends a byte that unlocks the request, and then answers as usual.
    server = start_server(lambda request, peer: OK)
    serve = server._serve
    server._serve = lambda sock, *more: (sock.sendall(b"!"), serve(sock, *more))
    client = TlsClient(trusting, ["127.0.0.1"])

    def wrap(sock: socket.socket, number: int) -> Any:
        crossed: Any = CrossedSocket(sock)
        crossed.do_handshake = lambda: None
        crossed.getsockopt = sock.getsockopt
        crossed.getpeername, crossed.getsockname = sock.getpeername, sock.getsockname
        crossed.close = sock.close
        return crossed

    monkeypatch.setattr(client, "wrap", wrap)

    done = run_loop(server.addresses, [(GET, "key", 0)] * 3, loop=make_loop(server.addresses, tls=client))

    assert done.reins.counts() == {("get", 0): (3, 15)}
    assert done.reins.errors() == []


def test_an_address_is_spoken_to_by_the_name_it_stands_for(
    start_server: Callable[..., Any],
    make_run: Callable[..., Any],
    authority: trustme.CA,
    trusting: TlsSettings,
) -> None:
    server = start_server(lambda request, peer: OK, context=serving(authority, "storage.test"))
    host, port = server.addresses[0]
    named = Endpoint("uri", "s3", Origin("", ""), "storage.test", port, "bench", tls=True, address=host)
    # The certificate is for the name, and nobody but us knows its address.
    assert make_run([named], [], None, trusting).check() == [("", "")]
    assert f"\r\nHost: storage.test:{port}" in server.requests[0].head
