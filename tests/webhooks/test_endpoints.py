"""The API of endpoints and deliveries: fields, limits, states and codes."""

from typing import Any

import pytest

from app import db
from app.domain.webhooks import ENDPOINTS_MAX
from app.flows.deliver_webhooks import Pump
from tests.api.client import ABSENT, Caller, error_of, new_caller, walk
from tests.webhooks.receiver import receiver, status
from tests.webhooks.stage import deliveries, endpoint, tell, work

URL = "https://8.8.8.8/hook"
PATH = "/v1/webhook-endpoints"


def test_an_endpoint_shows_its_secret_on_create_and_rotation_only(api: Caller) -> None:
    made = endpoint(api, URL, "balance.credited", description="Shop", metadata={"a": [1, 2.50, None]})
    assert made["secret"].startswith("whsec_")
    assert len(made["secret"]) == 50
    shown = api.get(f"{PATH}/{made['id']}").json
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert set(shown) == {
        "id", "url", "description", "enabled_events", "metadata", "status", "created_at", "updated_at",
    }
    assert (shown["status"], shown["metadata"]) == ("ACTIVE", {"a": [1, 2.5, None]})
    (listed,) = api.get(PATH).json["data"]
    assert listed == shown
    rotated = api.send("POST", f"{PATH}/{made['id']}/rotate-secret")
    assert rotated.status_code == 200
    assert rotated.json["secret"] != made["secret"]
    with db.connection() as c:
        row = c.execute("SELECT secret, previous_secret FROM webhook_endpoints").fetchone()
    assert row is not None
    assert row["previous_secret"] is None
    assert rotated.json["secret"].encode() not in bytes(row["secret"])


@pytest.mark.parametrize(("body", "field"), [
    ({"enabled_events": ["*"]}, "url"),
    ({"url": "", "enabled_events": ["*"]}, "url"),
    ({"url": URL}, "enabled_events"),
    ({"url": URL, "enabled_events": []}, "enabled_events"),
    ({"url": URL, "enabled_events": ["balance.changed"]}, "enabled_events"),
    ({"url": URL, "enabled_events": ["*"], "metadata": "x" * 17_000}, "metadata"),
    ({"url": URL, "enabled_events": ["*"], "description": "x" * 1_001}, "description"),
    ({"url": URL, "enabled_events": ["*"], "secret": "whsec_x"}, "secret"),
    ({"url": "https://8.8.8.8/" + "x" * 2_048, "enabled_events": ["*"]}, "url"),
])
def test_what_is_wrong_is_named(api: Caller, body: dict[str, Any], field: str) -> None:
    assert set(error_of(api.post(PATH, body), 400, "validation_error")) == {field}


def test_the_list_is_newest_first_filtered_and_paged_by_twenty(api: Caller) -> None:
    made = [endpoint(api, URL)["id"] for _ in range(22)]
    api.delete(f"{PATH}/{made[0]}")
    api.patch(f"{PATH}/{made[1]}", {"status": "DISABLED"})
    first = api.get(PATH).json
    assert [row["id"] for row in first["data"]] == made[:1:-1]
    assert [row["id"] for row in walk(api, PATH, limit=7)] == made[:0:-1]
    assert [row["id"] for row in walk(api, PATH, status="DISABLED")] == [made[1]]
    assert len(walk(api, PATH, status="ACTIVE", limit=100)) == 20
    for query in ({"limit": 101}, {"limit": 0}, {"status": "ARCHIVED"}):
        assert api.get(PATH, **query).status_code == 400


def test_a_patch_changes_what_it_names(api: Caller) -> None:
    made = endpoint(api, URL, "*", description="x", metadata=[1])
    path = f"{PATH}/{made['id']}"
    changes = {"description": None, "metadata": None, "enabled_events": ["event.failed"]}
    changed = api.patch(path, changes).json
    assert "description" not in changed
    assert "metadata" not in changed
    assert changed["enabled_events"] == ["event.failed"]
    assert changed["url"] == URL
    assert api.patch(path, {"url": "https://8.8.4.4/"}).json["url"] == "https://8.8.4.4/"
    for body in ({"status": "ARCHIVED"}, {"url": None}, {"enabled_events": None}, {"enabled_events": []}):
        error_of(api.patch(path, body), 400, "validation_error")


def test_an_archived_endpoint_is_read_only(api: Caller) -> None:
    made = endpoint(api, URL)
    path = f"{PATH}/{made['id']}"
    assert [api.delete(path).status_code for _ in range(2)] == [204, 204]
    assert api.get(path).json["status"] == "ARCHIVED"
    error_of(api.patch(path, {"status": "ACTIVE"}), 409, "endpoint_not_active")
    error_of(api.post(f"{path}/rotate-secret"), 409, "endpoint_not_active")
    error_of(api.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}), 409, "endpoint_not_active")


def test_another_organizations_endpoints_and_deliveries_are_absent(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        (row,) = deliveries(api, made["id"])
    other = new_caller(api.http)
    for endpoint_id, delivery_id in ((made["id"], row["id"]), (ABSENT, ABSENT)):
        path = f"{PATH}/{endpoint_id}"
        answers = [
            other.get(path), other.patch(path, {"status": "DISABLED"}), other.delete(path),
            other.post(f"{path}/rotate-secret"), other.get(f"{path}/deliveries"),
            other.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}),
            other.get(f"/v1/webhook-deliveries/{delivery_id}"),
            other.post(f"/v1/webhook-deliveries/{delivery_id}/retry"),
            other.post(f"/v1/webhook-deliveries/{delivery_id}/resend"),
        ]
        for answer in answers:
            error_of(answer, 404, "not_found")
    assert other.get(PATH).json["data"] == []
    assert other.get(f"{PATH}/delivery-stats").json == {"data": []}


def test_an_organization_has_a_hundred_endpoints_at_most(api: Caller) -> None:
    with db.transaction() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) SELECT %s, gen_random_uuid(), 'https://example.com', '{*}', '', read_clock(),"
            " read_clock() FROM generate_series(1, %s)", (api.organization_id, ENDPOINTS_MAX),
        )
    error_of(api.post(PATH, {"url": URL, "enabled_events": ["*"]}), 422, "limit_exceeded")
    endpoint(new_caller(api.http), URL)


def test_deliveries_are_listed_by_status_newest_first(api: Caller, pump: Pump) -> None:
    with receiver(status(500)) as there:
        made = endpoint(api, there.url)
        tell(api, 3)
        work(pump)
        there.answer = status(200)
        sent = tell(api, 22)
        work(pump)
    path = f"{PATH}/{made['id']}/deliveries"
    assert len(api.get(path).json["data"]) == 20
    done = walk(api, path, status="DELIVERED", limit=10)
    assert [row["webhook_event_id"] for row in done] == sent[::-1]
    assert len(walk(api, path, status="PENDING")) == 3
    assert api.get(path, status="FAILED").json["data"] == []
    assert api.get(path, status="LOST").status_code == 400
    assert "last_response_body" not in done[0]


def test_stats_tell_how_each_endpoint_does(api: Caller, pump: Pump) -> None:
    with receiver(status(500)) as bad, receiver() as good:
        one, other = endpoint(api, bad.url), endpoint(api, good.url)
        tell(api, 12)
        work(pump)
        rows = {row["endpoint_id"]: row for row in api.get(f"{PATH}/delivery-stats").json["data"]}
    assert list(rows) == [other["id"], one["id"]]
    healthy, broken = rows[other["id"]], rows[one["id"]]
    assert (healthy["success_24h"], healthy["fail_24h"], healthy["success_rate"]) == (12, 0, 1.0)
    assert (healthy["degraded"], healthy["pending_count"], healthy["blocked_reason"]) == (False, 0, None)
    assert healthy["last_attempt_at"] is not None
    assert broken["success_24h"] == 0
    assert broken["fail_24h"] >= 10
    assert (broken["pending_count"], broken["success_rate"], broken["blocked_reason"]) == (
        12, 0.0, "circuit_broken",
    )
    assert broken["blocked_until"] == broken["circuit_broken_until"] is not None
    assert broken["oldest_pending_at"] is not None
