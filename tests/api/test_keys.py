"""Who may ask: keys, their revocation, and the rate limit."""

import time

import pytest
from redis import Redis
from werkzeug.test import Client as WsgiClient

from app.api.addresses import client_address
from app.api.application import Florin
from app.api.limits import FAILURES_BURST, UNLIMITED, RateLimiter
from app.domain.ids import new_id
from app.settings import settings
from app.store.identities import Identity
from tests.api.client import ABSENT, Caller, error_of, new_caller, walk

DEAD_REDIS = "redis://127.0.0.1:1/0"


def test_a_key_is_taken_from_either_header(api: Caller, http: WsgiClient) -> None:
    key = api.key
    for headers in (
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"bearer {key}"},
        {"X-API-Key": key},
        {"Authorization": f"Bearer {key}", "X-API-Key": key},
    ):
        assert http.get("/v1/programs", headers=headers).status_code == 200


def test_anything_else_is_unauthorized_with_the_same_words(
    api: Caller, http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    key = api.key
    words = set()
    for headers in (
        {},
        {"Authorization": key},
        {"Authorization": f"Basic {key}"},
        {"X-API-Key": ""},
        {"X-API-Key": key[:-1]},
        {"X-API-Key": "sk_" + "x" * 500},
        {"X-API-Key": "sk_ü"},
        {"Authorization": f"Bearer {key}", "X-API-Key": "sk_other"},
    ):
        answer = http.get("/v1/programs", headers=headers)
        error_of(answer, 401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        words.add(answer.json["message"])
    assert len(words) == 1


def test_keys_are_created_once_shown_listed_and_revoked(api: Caller, http: WsgiClient) -> None:
    answer = api.post("/v1/api-keys", {"name": "Shop"})
    assert answer.status_code == 201
    created = answer.json
    assert set(created) == {"id", "name", "prefix", "created_at", "key"}
    assert created["key"].startswith(created["prefix"])
    other = Caller(http, api.organization_id, created["key"])
    assert other.get("/v1/programs").status_code == 200
    rows = walk(api, "/v1/api-keys", limit=1)
    assert [row["name"] for row in rows] == ["Shop", "test"]
    assert all("key" not in row for row in rows)
    assert api.delete(f"/v1/api-keys/{created['id']}").status_code == 204
    until = time.monotonic() + 1.0
    while other.get("/v1/programs").status_code == 200:
        assert time.monotonic() < until, "a revoked key still works after a second"
    assert "revoked_at" in walk(api, "/v1/api-keys")[0]
    error_of(api.delete(f"/v1/api-keys/{created['id']}"), 404, "not_found")
    error_of(api.delete(f"/v1/api-keys/{ABSENT}"), 404, "not_found")
    error_of(api.post("/v1/api-keys", {"name": ""}), 400, "validation_error")


def test_the_limit_of_an_organization_is_shared_exact_and_told(
    http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    api = new_caller(http, per_second=1, burst=3)
    answers = [api.get("/v1/programs") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "0"]
    assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
    error_of(answers[3], 429, "too_many_requests")
    assert answers[3].headers["Retry-After"] == "1"
    assert 1 <= int(answers[3].headers["X-RateLimit-Reset"]) - time.time() <= 4
    stranger = new_caller(http, per_second=1, burst=3)
    assert stranger.get("/v1/programs").status_code == 200


def test_the_limit_comes_before_the_body_and_after_the_key(
    http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    api = new_caller(http, per_second=1, burst=1)
    error_of(api.post("/v1/programs", {"name": 5}), 400, "validation_error")
    error_of(api.post("/v1/programs", {"name": 5}), 429, "too_many_requests")
    error_of(http.post("/v1/programs", json={"name": 5}), 401, "unauthorized")


def test_a_large_limit_is_leased_and_never_exceeded(redis_client: "Redis[bytes]") -> None:
    identity = Identity(new_id(), new_id(), 1000, 2000)
    limiters = [RateLimiter(settings().redis_url) for _ in range(2)]
    started = time.monotonic()
    passed = sum(limiters[number % 2].take(identity).allowed for number in range(6000))
    assert 2000 - 2 * 10 <= passed <= 2000 + 1000 * (time.monotonic() - started) + 1


def test_no_limit_and_no_redis_let_requests_pass(redis_client: "Redis[bytes]") -> None:
    limited = Identity(new_id(), new_id(), 1, 1)
    away = RateLimiter(DEAD_REDIS)
    for limit in (
        RateLimiter(settings().redis_url).take(Identity(new_id(), new_id(), 0, 0)),
        away.take(limited),
        away.take(limited),
    ):
        assert limit.allowed
        assert (limit.limit, limit.remaining) == (UNLIMITED, UNLIMITED)


def test_failed_log_ins_of_one_address_are_limited_and_good_keys_are_not(
    api: Caller, http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    wrong = {"X-API-Key": "sk_wrong"}
    statuses = [http.get("/v1/programs", headers=wrong).status_code for _ in range(FAILURES_BURST + 40)]
    assert set(statuses) == {401, 429}
    assert statuses[:FAILURES_BURST] == [401] * FAILURES_BURST
    assert api.get("/v1/programs").status_code == 200


def test_who_sends_no_key_is_unauthorized_however_often(
    http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic sk_x"}):
        statuses = {
            http.get("/v1/programs", headers=headers).status_code for _ in range(FAILURES_BURST + 10)
        }
        assert statuses == {401}


def test_a_path_that_does_not_exist_counts_against_the_limit(
    http: WsgiClient, redis_client: "Redis[bytes]"
) -> None:
    api = new_caller(http, per_second=1, burst=2)
    answers = [api.get("/v1/nothing") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0"]
    assert "Retry-After" in answers[2].headers


PROXY, OTHER_PROXY, CLIENT, LIAR = "10.0.0.9", "10.0.0.8", "203.0.113.7", "198.51.100.1"


@pytest.mark.parametrize(("peer", "forwarded", "found"), [
    (PROXY, CLIENT, CLIENT),
    (PROXY, f"{LIAR}, {CLIENT}", CLIENT),
    (PROXY, f"{LIAR}, {CLIENT}, {OTHER_PROXY}", CLIENT),
    (PROXY, "[2001:db8::1]:443", "2001:db8::1"),
    (PROXY, f"{CLIENT}:5000", CLIENT),
    (PROXY, f"::ffff:{CLIENT}", CLIENT),
    (PROXY, None, PROXY),
    (PROXY, "unknown", PROXY),
    (PROXY, f"{CLIENT}, unknown, {OTHER_PROXY}", OTHER_PROXY),
    ("", CLIENT, CLIENT),
    (LIAR, CLIENT, LIAR),
])
def test_the_clients_address_is_what_trusted_proxies_tell(
    monkeypatch: pytest.MonkeyPatch, peer: str, forwarded: str | None, found: str
) -> None:
    environ = {"REMOTE_ADDR": peer} | ({} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded})
    assert client_address(environ) == (peer or None)
    monkeypatch.setenv("TRUSTED_PROXIES", "10.0.0.0/24,::1/128")
    settings.cache_clear()
    try:
        assert client_address(environ) == found
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_behind_a_proxy_logs_and_limits_see_the_client(
    api: Caller, http: WsgiClient, application: Florin, redis_client: "Redis[bytes]",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1/32")
    settings.cache_clear()
    try:
        api.send("GET", "/v1/programs", headers={"X-Forwarded-For": CLIENT})
        application.server.recorder.flush()
        row = api.get("/v1/logs").json["data"][0]
        assert api.get(f"/v1/logs/{row['id']}").json["ip_address"] == CLIENT
        for address, status in ((LIAR, 429), (CLIENT, 401)):
            sent = {"X-API-Key": "sk_wrong", "X-Forwarded-For": address}
            times = FAILURES_BURST + 40 if status == 429 else 1
            assert [http.get("/v1/programs", headers=sent).status_code for _ in range(times)][-1] == status
    finally:
        monkeypatch.undo()
        settings.cache_clear()
