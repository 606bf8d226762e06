"""One attempt against receivers that misbehave in every way; over plain HTTP and TLS, on real sockets."""

import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import pytest

from app.domain.ids import EPOCH
from app.domain.webhooks import RESPONSE_BYTES_KEPT, Attempt, DeliveryError
from app.flows.send_webhook import Job, Sender, tls_context
from app.flows.webhook_addresses import Router
from tests.webhooks.certificates import Authority
from tests.webhooks.receiver import Handler, Receiver, accept, drop, hang, raw, receiver, status

LOOPBACK = [ip_network("127.0.0.0/8")]
SOME = UUID(int=1)


def job(url: str) -> Job:
    return Job(SOME, SOME, SOME, SOME, 1, 8, EPOCH, url, (b"k" * 32,), b'{"n":1}')


def sent(there: Receiver, seconds: float = 5.0) -> Attempt:
    sender = Sender(Router(LOOPBACK))
    try:
        return sender.send(job(there.url), seconds)
    finally:
        sender.close()


def drip_headers(handler: Handler) -> None:
    """Send a header a byte at a time, each soon enough for a time-out that begins anew."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.receiver.released.wait(0.05):
        handler.wfile.write(b"x")


def endless_body(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
    for _ in range(10_000):
        handler.wfile.write(b"y" * 65_536)
    handler.close_connection = True


def continue_forever(handler: Handler) -> None:
    while not handler.receiver.released.wait(0.01):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (status(200), None),
        (status(204), None),
        (status(299, b"fine"), None),
        (status(301, Location="http://127.0.0.1:1/"), DeliveryError.REDIRECT),
        (status(308, Location="https://example.com/"), DeliveryError.REDIRECT),
        (status(400), DeliveryError.CLIENT_ERROR),
        (status(410), DeliveryError.GONE),
        (status(429), DeliveryError.RATE_LIMITED),
        (status(500), DeliveryError.SERVER_ERROR),
        (status(600), DeliveryError.INVALID_RESPONSE),
        (drop, DeliveryError.CONNECTION_FAILED),
        (raw(b"\x00\xffgarbage\r\n\r\n"), DeliveryError.INVALID_RESPONSE),
        (raw(b"HTTP/1.1 two hundred\r\n\r\n"), DeliveryError.INVALID_RESPONSE),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), DeliveryError.INVALID_RESPONSE),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000), DeliveryError.INVALID_RESPONSE),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"), None),
        (raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), None),
        (endless_body, None),
    ],
)
def test_every_answer_has_its_meaning(
    answer: Callable[[Handler], None], code: DeliveryError | None
) -> None:
    with receiver(answer) as there:
        assert sent(there).error_code == code
        assert len(there.received) == 1


@pytest.mark.parametrize("answer", [hang, drip_headers, continue_forever])
def test_an_attempt_ends_when_its_time_is_over_however_busy_the_receiver_keeps_it(
    answer: Callable[[Handler], None],
) -> None:
    with receiver(answer) as there:
        started = time.monotonic()
        assert sent(there, seconds=0.5).error_code is DeliveryError.RESPONSE_TIMEOUT
        assert 0.4 < time.monotonic() - started < 2.0


def test_a_huge_answer_is_read_no_further_than_64_kib_and_kept_to_4(tmp_path: Path) -> None:
    with receiver(status(500, "é".encode() * 40_000)) as there:
        attempt = sent(there)
    assert attempt.error_code is DeliveryError.SERVER_ERROR
    assert attempt.response_body is not None
    assert attempt.response_body == "é" * (RESPONSE_BYTES_KEPT // 2)


def test_bytes_that_are_no_text_are_kept_as_text() -> None:
    with receiver(status(500, b"\x00\xff\x80ok")) as there:
        assert sent(there).response_body == "\ufffd\ufffd\ufffdok"


@pytest.mark.parametrize(
    ("code", "header", "seconds"),
    [(429, "7", 7), (503, "120", 120), (503, "99999999999999", 86_400), (429, "soon", None), (500, "7", None),
     (429, "Thu, 01 Jan 1970 00:00:00 GMT", 0), (429, "Fri, 31 Dec 9999 23:59:59 GMT", 86_400)],
)
def test_the_receivers_wish_to_wait_is_read_and_bounded(code: int, header: str, seconds: int | None) -> None:
    with receiver(status(code, Retry_After=header)) as there:
        wish = sent(there).retry_after
    assert (None if wish is None else wish.total_seconds()) == seconds


def test_a_connection_is_used_again_and_a_stale_one_is_replaced_without_a_failure() -> None:
    def answer_and_hang_up(handler: Handler) -> None:
        handler.reply(200, b"ok")
        handler.close_connection = True

    sender = Sender(Router(LOOPBACK))
    with receiver() as there:
        for _ in range(5):
            assert sender.send(job(there.url)).delivered
        assert len(there.connections) == 1
        there.answer = answer_and_hang_up
        for _ in range(5):
            assert sender.send(job(there.url)).delivered
        # A connection that is closed just when the next message comes: the message goes out anew.
        there.answer = accept
        for _ in range(2):  # The first may have met a closing connection; the second leaves an open one.
            assert sender.send(job(there.url)).delivered
        before = len(there.received)
        answers = iter([drop, accept])
        there.answer = lambda handler: next(answers)(handler)
        assert sender.send(job(there.url)).delivered
        assert len(there.received) == before + 2
    sender.close()


def test_nobody_listening_is_a_failed_connection() -> None:
    with receiver() as there:
        pass
    assert sent(there).error_code is DeliveryError.CONNECTION_FAILED


def test_the_name_in_the_url_is_verified_though_the_connection_goes_to_an_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    router = Router(LOOPBACK, lambda host, port: ["127.0.0.1"])
    sender = Sender(router, tls_context(str(authority.file)))
    with receiver(context=authority.server("hooks.example.com")) as there:
        right = f"https://hooks.example.com:{there.port}/hook?x=1"
        assert sender.send(job(right)).delivered
        (one,) = there.received
        assert (one.headers["host"], one.path) == (f"hooks.example.com:{there.port}", "/hook?x=1")
        wrong = sender.send(job(f"https://other.example.com:{there.port}/hook"))
        assert (wrong.error_code, wrong.error) == (
            DeliveryError.TLS_FAILED,
            "TLS failed: Hostname mismatch, certificate is not valid for 'other.example.com'.",
        )
        assert sender.send(job(f"https://127.0.0.1:{there.port}/")).error_code is DeliveryError.TLS_FAILED
        for _ in range(3):
            assert sender.send(job(right)).delivered
        # Refused handshakes never become connections; all that was sent went over one.
        assert len(there.connections) == 1
    with receiver(context=authority.server("127.0.0.1")) as there:
        assert sender.send(job(there.url)).delivered
    sender.close()


def test_unknown_authorities_and_expired_certificates_and_plain_answers_are_tls_failures(
    tmp_path: Path,
) -> None:
    authority = Authority(tmp_path)
    with receiver(context=authority.server("127.0.0.1")) as there:
        assert sent(there).error_code is DeliveryError.TLS_FAILED
    sender = Sender(Router(LOOPBACK), tls_context(str(authority.file)))
    with receiver(context=authority.server("127.0.0.1", expired=True)) as there:
        attempt = sender.send(job(there.url))
        assert (attempt.error_code, attempt.error) == (
            DeliveryError.TLS_FAILED, "TLS failed: certificate has expired",
        )
    with receiver() as there:
        attempt = sender.send(job(there.url.replace("http:", "https:")), 2.0)
        assert attempt.error_code is DeliveryError.TLS_FAILED
    sender.close()


def test_tls_ends_in_time_too(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    sender = Sender(Router(LOOPBACK), tls_context(str(authority.file)))
    with receiver(drip_headers, authority.server("127.0.0.1")) as there:
        started = time.monotonic()
        assert sender.send(job(there.url), 0.5).error_code is DeliveryError.RESPONSE_TIMEOUT
        assert time.monotonic() - started < 2.0
    sender.close()


def test_a_second_address_is_tried_where_the_first_does_not_answer() -> None:
    with receiver() as there:
        sender = Sender(Router(LOOPBACK, lambda host, port: ["127.0.0.9", "127.0.0.1"]))
        assert sender.send(job(f"http://hooks.example.com:{there.port}/")).delivered
        sender.close()


def test_without_a_readable_secret_nothing_is_sent() -> None:
    with receiver() as there:
        unsigned = Job(SOME, SOME, SOME, SOME, 1, 8, EPOCH, there.url, (), b"{}")
        attempt = Sender(Router(LOOPBACK)).send(unsigned)
        assert attempt.error_code is DeliveryError.SECRET_UNREADABLE
        assert there.received == []
