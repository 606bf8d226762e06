"""No webhook reaches a machine nearby: not by notation, not by name, not by an answer that changes later."""

from collections.abc import Iterator
from ipaddress import ip_network
from uuid import UUID

import pytest

from app.domain.ids import EPOCH
from app.domain.webhook_addresses import AddressError, check, read_url
from app.domain.webhooks import DeliveryError
from app.flows.send_webhook import Job, Sender
from app.flows.webhook_addresses import Router
from app.settings import settings
from tests.api.client import Caller, error_of
from tests.webhooks.receiver import receiver

LITERALS = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "[::]", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]", "[64:ff9b:1::1]", "[100::1]", "[2001::1]", "[2001:db8::1]", "[2002:7f00:1::]",
    "[3fff::1]", "[5f00::1]", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]", "[fe80::1%25eth0]", "[fec0::1]",
    "[ff02::1]",
]
NOTATIONS = [
    "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.1.",
    "0127.0.0.1", "127.0.0.0x1", "1.2.3.4.5", "256.1.1.1", "１２７.0.0.1", "①②⑦.0.0.1", "127。0。0。1", "",
    ".", "a..b", "-a.com", "a-.com", "a b.com", "exa%6dple.com", "user@example.com", "user:pw@example.com",
    "example.com\\@127.0.0.1", "example.com:0", "example.com:65536", "example.com:", "example.com:80:80",
    "[::1", "::1", "[1.2.3.4]", "пример.рф", "a" * 64 + ".com", "x." * 127 + "com",
]
NAMES = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local", "db.internal",
    "metadata.google.internal", "localhost.localdomain", "router.home.arpa", "nowhere.invalid",
]
URLS = [
    "http://example.com/", "ftp://example.com/", "//example.com", "example.com", "https:example.com",
    "https:///x", "https://example.com/#x", "https://example.com/a b", "https://example.com/\r\nX: y",
    "https://example.com/é", " https://example.com", "https://example.com/\x00", "javascript:alert(1)",
    "file:///etc/passwd", "https://example.com\n",
]


@pytest.fixture
def nothing_allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "")
    settings.cache_clear()
    yield
    settings.cache_clear()


def refused(url: str) -> bool:
    """Say whether a URL is refused wherever its name may lead."""
    try:
        target = read_url(url)
        check(target, [str(target.literal)] if target.literal else ["8.8.8.8"], [])
    except AddressError:
        return True
    return False


@pytest.mark.parametrize("host", LITERALS + NOTATIONS + NAMES)
def test_a_host_that_is_not_plainly_public_is_refused(host: str) -> None:
    assert refused(f"https://{host}/hook")


@pytest.mark.parametrize("url", URLS)
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    assert refused(url)


@pytest.mark.parametrize("url", [
    "https://example.com", "HTTPS://EXAMPLE.com./x?y=%20&z=[1]", "https://8.8.8.8:8443/",
    "https://x_y.example.com", "https://[2606:4700::1111]/", "https://xn--e1afmkfd.xn--p1ai/",
    "https://a.b.c.example.com:443/a/b;c=d,e~f",
])
def test_a_public_url_is_taken(url: str) -> None:
    assert not refused(url)


def test_every_address_of_a_name_must_be_public() -> None:
    target = read_url("https://example.com/")
    check(target, ["8.8.8.8", "2606:4700::1111"], [])
    for bad in ("10.0.0.1", "::ffff:10.0.0.1", "fe80::1%eth0"):
        with pytest.raises(AddressError):
            check(target, ["8.8.8.8", bad], [])


def test_allowed_networks_may_be_private_and_plain_and_nothing_else_may() -> None:
    allowed = [ip_network("10.1.0.0/16"), ip_network("::1/128")]
    check(read_url("http://db.internal/"), ["10.1.2.3"], allowed)
    check(read_url("http://[::1]:8000/"), ["::1"], allowed)
    check(read_url("https://example.com/"), ["10.1.2.3", "8.8.8.8"], allowed)
    for url, address in (
        ("https://db.internal/", "10.2.0.1"), ("http://example.com/", "8.8.8.8"),
        ("https://db.internal/", "8.8.8.8"), ("http://[::ffff:10.1.2.3]/", "::ffff:10.1.2.3"),
    ):
        with pytest.raises(AddressError):
            check(read_url(url), [address], allowed)
    with pytest.raises(AddressError):
        check(read_url("http://example.com/"), ["10.1.2.3", "8.8.8.8"], allowed)


def test_the_api_refuses_such_urls_by_name_of_the_field(api: Caller, nothing_allowed: None) -> None:
    for host in (*LITERALS[:6], "[::1]", "[::ffff:127.0.0.1]", *NOTATIONS[:6], *NAMES):
        body = {"url": f"https://{host}/hook", "enabled_events": ["*"]}
        assert set(error_of(api.post("/v1/webhook-endpoints", body), 400, "validation_error")) == {"url"}
    made = api.post("/v1/webhook-endpoints", {"url": "https://8.8.8.8/", "enabled_events": ["*"]}).json
    answer = api.patch(f"/v1/webhook-endpoints/{made['id']}", {"url": "https://127.0.0.1/"})
    assert set(error_of(answer, 400, "validation_error")) == {"url"}


def job(url: str) -> Job:
    some = UUID(int=1)
    return Job(some, some, some, some, 1, 8, EPOCH, url, (b"k",), b"{}")


def test_an_answer_that_changes_between_saving_and_sending_is_refused() -> None:
    with receiver() as there:
        sender = Sender(Router([], lambda host, port: ["127.0.0.1"]))
        attempt = sender.send(job(f"https://example.com:{there.port}/"))
        assert attempt.error_code is DeliveryError.ADDRESS_REFUSED
        assert there.connections == []


def test_an_answer_that_changes_between_check_and_connect_has_no_effect() -> None:
    # The name resolves to the receiver once; whoever asked again would get an address without a listener.
    answers = iter([["127.0.0.1"]])
    with receiver() as there:
        sender = Sender(Router([ip_network("127.0.0.0/8")], lambda host, port: next(answers)))
        assert sender.send(job(f"http://example.com:{there.port}/")).delivered
        sender.close()


def test_a_name_without_an_address_is_said_to_be_one() -> None:
    attempt = Sender(Router([], lambda host, port: [])).send(job("https://example.com/"))
    assert attempt.error_code is DeliveryError.NAME_NOT_RESOLVED
