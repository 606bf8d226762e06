"""Delivering: signed, retried on schedule, sent again on request, never to whoever must not get it."""

from datetime import datetime, timedelta
from itertools import pairwise

import psycopg
import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from app.domain.webhooks import RETRY_SECONDS
from app.flows import deliver_webhooks
from app.flows.deliver_webhooks import Pump
from tests.api.client import Caller, error_of
from tests.waiting import wait_until
from tests.webhooks.receiver import accept, receiver, status
from tests.webhooks.stage import deliveries, detail, endpoint, later, tell, verified, work


def at(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_a_message_arrives_signed_once_and_is_marked_delivered(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url, "event.completed")
        (message,) = tell(api, text="žluťoučký 🐎")
        work(pump)
        (one,) = there.received
    body = verified(made["secret"], one)
    assert body["id"] == one.headers["webhook-id"] == message
    assert set(body) == {"id", "type", "api_version", "created_at", "organization_id", "data"}
    assert (body["type"], body["api_version"]) == ("event.completed", "2026-03-01")
    assert body["organization_id"] == str(api.organization_id)
    assert body["data"] == {"n": 0, "text": "žluťoučký 🐎"}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(one.body, one.headers)
    (row,) = deliveries(api, made["id"])
    assert (row["status"], row["attempt_count"], row["max_attempts"]) == ("DELIVERED", 1, 8)
    assert (row["webhook_event_id"], row["last_response_status"]) == (message, 200)
    assert "next_attempt_at" not in row
    assert detail(api, row)["last_response_body"] == "thanks"


@pytest.mark.parametrize("error", [psycopg.OperationalError("away"), RuntimeError("a fault of ours")])
def test_after_a_turn_that_broke_comes_another(
    api: Caller, pump: Pump, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    errors, fan_out = [error], deliver_webhooks.fan_out

    def broken_once() -> bool:
        if errors:
            raise errors.pop()
        return fan_out()

    monkeypatch.setattr(deliver_webhooks, "fan_out", broken_once)
    with receiver() as there:
        endpoint(api, there.url)
        (message,) = tell(api)
        pump.wake()
        wait_until(lambda: not errors, "the turn that breaks", 5)
        work(pump)
        assert [one.headers["webhook-id"] for one in there.received] == [message]


def test_only_endpoints_that_subscribe_get_a_type(api: Caller, pump: Pump) -> None:
    with receiver() as one, receiver() as other, receiver() as every:
        endpoint(api, one.url, "event.completed")
        endpoint(api, other.url, "event.failed")
        endpoint(api, every.url)
        tell(api, 3)
        work(pump)
        assert [len(there.received) for there in (one, other, every)] == [3, 0, 3]
        assert {body["webhook-id"] for body in (r.headers for r in one.received)} == {
            r.headers["webhook-id"] for r in every.received
        }


def test_a_failure_is_tried_eight_times_on_schedule_with_the_same_bytes(api: Caller, pump: Pump) -> None:
    with receiver(status(500, b"broken")) as there:
        made = endpoint(api, there.url)
        tell(api)
        for attempt, seconds in enumerate(RETRY_SECONDS, 1):
            work(pump)
            (row,) = deliveries(api, made["id"])
            assert (row["status"], row["attempt_count"]) == ("PENDING", attempt)
            waited = (at(row["next_attempt_at"]) - at(row["updated_at"])).total_seconds()
            assert 0.8 * seconds <= waited <= 1.2 * seconds
            later(seconds=1.2 * seconds + 1)
        work(pump)
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["attempt_count"]) == ("FAILED", 8)
        assert row["error_code"] == "consumer_server_error"
        assert len(there.received) == 8
        assert len(set(there.bodies())) == 1
        assert len({one.headers["webhook-id"] for one in there.received}) == 1
        # Retry: eight fresh attempts, at once; only for what has failed.
        there.answer = accept
        answer = api.post(f"/v1/webhook-deliveries/{row['id']}/retry")
        assert (answer.json["status"], answer.json["attempt_count"]) == ("PENDING", 0)
        work(pump)
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["attempt_count"]) == ("DELIVERED", 1)
        error_of(api.post(f"/v1/webhook-deliveries/{row['id']}/retry"), 404, "not_found")


def test_a_resend_is_a_delivery_of_its_own(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        (first,) = deliveries(api, made["id"])
        answer = api.post(f"/v1/webhook-deliveries/{first['id']}/resend")
        assert answer.status_code == 201
        second = answer.json
        assert second["id"] != first["id"]
        assert (second["resend_seq"], second["status"]) == (1, "PENDING")
        assert second["webhook_event_id"] == first["webhook_event_id"]
        error_of(api.post(f"/v1/webhook-deliveries/{second['id']}/resend"), 409, "not_resendable")
        work(pump)
        assert [row["status"] for row in deliveries(api, made["id"])] == ["DELIVERED", "DELIVERED"]
        assert there.bodies()[0] == there.bodies()[1]
        api.patch(f"/v1/webhook-endpoints/{made['id']}", {"status": "DISABLED"})
        error_of(api.post(f"/v1/webhook-deliveries/{first['id']}/resend"), 409, "endpoint_not_active")


def test_rotation_ends_the_old_secret_at_once_or_after_the_overlap(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url)
        path = f"/v1/webhook-endpoints/{made['id']}/rotate-secret"
        second = api.post(path, {"overlap_seconds": 3600}).json["secret"]
        tell(api)
        work(pump)
        for secret in (made["secret"], second):
            verified(secret, there.received[-1])
        later(seconds=3601)
        tell(api)
        work(pump)
        verified(second, there.received[-1])
        with pytest.raises(WebhookVerificationError):
            verified(made["secret"], there.received[-1])
        third = api.send("POST", path).json["secret"]
        tell(api)
        work(pump)
        verified(third, there.received[-1])
        with pytest.raises(WebhookVerificationError):
            verified(second, there.received[-1])


def test_a_replay_sends_everything_since_an_instant_under_the_old_ids(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url)
        tell(api, 3)
        later(minutes=10)
        sent = tell(api, 450)
        work(pump)
        since = min(row["created_at"] for row in deliveries(api, made["id"], limit=100)[:450])
        first = len(there.received)
        answer = api.post(f"/v1/webhook-endpoints/{made['id']}/replay", {"since": "2999-01-01T00:00:00Z"})
        assert error_of(answer, 400, "validation_error") == {"since": "must not be in the future"}
        answer = api.post(f"/v1/webhook-endpoints/{made['id']}/replay", {"since": earlier(since)})
        assert answer.status_code == 202
        work(pump)
        again = [one.headers["webhook-id"] for one in there.received[first:]]
        assert sorted(again) == sorted(sent)
        rows = deliveries(api, made["id"], limit=100)
        assert [row["resend_seq"] for row in rows[:450]] == [1] * 450
        assert all(newer["id"] > older["id"] for newer, older in pairwise(rows))


def earlier(text: str) -> str:
    """An instant five minutes before."""
    return (at(text) - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")


def test_a_disabled_endpoint_keeps_what_waits_and_gets_nothing_new(api: Caller, pump: Pump) -> None:
    with receiver(status(503)) as there, receiver() as other:
        made = endpoint(api, there.url)
        endpoint(api, other.url)
        tell(api)
        work(pump)
        api.patch(f"/v1/webhook-endpoints/{made['id']}", {"status": "DISABLED"})
        later(seconds=10)
        tell(api)
        work(pump)
        assert (len(there.received), len(other.received)) == (1, 2)
        there.answer = accept
        api.patch(f"/v1/webhook-endpoints/{made['id']}", {"status": "ACTIVE"})
        work(pump)
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["attempt_count"]) == ("DELIVERED", 2)


def test_an_archived_endpoint_ends_what_waits(api: Caller, pump: Pump) -> None:
    with receiver(status(503)) as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        assert api.delete(f"/v1/webhook-endpoints/{made['id']}").status_code == 204
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["error_code"]) == ("FAILED", "endpoint_archived")
        error_of(api.post(f"/v1/webhook-deliveries/{row['id']}/retry"), 409, "endpoint_not_active")
        later(seconds=10)
        tell(api)
        work(pump)
        assert len(there.received) == 1
