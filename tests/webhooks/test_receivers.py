"""Receivers in trouble: what a circuit, a wish to wait, a 410 and a hang mean for them and for others."""

import threading
import time
from dataclasses import replace

import pytest

from app import db
from app.domain.instants import format_instant
from app.domain.names import WebhookType
from app.flows import trim_deliveries
from app.flows.bootstrap import create_organization
from app.flows.deliver_webhooks import Pump, work_waits
from app.flows.send_webhook import Sender
from app.flows.trim_deliveries import Trim, trim_some
from app.flows.webhook_addresses import Router
from app.settings import settings
from tests.api.client import Caller
from tests.waiting import wait_until
from tests.webhooks.receiver import Handler, accept, hang, receiver, status
from tests.webhooks.stage import deliveries, endpoint, later, stats, tell, work


def test_an_open_circuit_uses_no_attempts_and_one_probe_closes_it(api: Caller, pump: Pump) -> None:
    with receiver(status(500)) as there:
        made = endpoint(api, there.url)
        tell(api, 30)
        work(pump)
        tried = len(there.received)
        assert 10 <= tried < 30
        rows = deliveries(api, made["id"], limit=100)
        assert sum(row["attempt_count"] for row in rows) == tried
        later(seconds=61)
        work(pump)
        assert len(there.received) == tried + 1
        assert stats(api, made)["blocked_reason"] == "circuit_broken"
        there.answer = accept
        later(seconds=121)
        work(pump)
        later(seconds=400)
        work(pump)
        assert {row["status"] for row in deliveries(api, made["id"], limit=100)} == {"DELIVERED"}
        assert stats(api, made)["circuit_broken_until"] is None


def test_a_receivers_wish_to_wait_holds_for_all_its_deliveries(api: Caller, pump: Pump) -> None:
    with receiver(status(429, Retry_After="3600")) as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        tell(api, 5)
        later(minutes=30)
        work(pump)
        assert len(there.received) == 1
        row = stats(api, made)
        assert row["blocked_reason"] == "rate_limited"
        assert row["blocked_until"] == row["rate_limited_until"]
        there.answer = accept
        later(minutes=31)
        work(pump)
        rows = deliveries(api, made["id"])
        assert [row["status"] for row in rows] == ["DELIVERED"] * 6
        assert sum(row["attempt_count"] for row in rows) == 7


def test_gone_disables_the_endpoint(api: Caller, pump: Pump) -> None:
    with receiver(status(410)) as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["error_code"]) == ("FAILED", "consumer_gone")
        assert api.get(f"/v1/webhook-endpoints/{made['id']}").json["status"] == "DISABLED"
        tell(api)
        work(pump)
        assert len(there.received) == 1


def test_a_receiver_that_hangs_delays_nobody_else(api: Caller, pump: Pump) -> None:
    with receiver(hang) as stuck, receiver() as healthy:
        endpoint(api, stuck.url)
        made = endpoint(api, healthy.url)
        tell(api, 100)
        pump.wake()
        wait_until(lambda: len(healthy.received) == 100, "the healthy receiver has all", 5)
        wait_until(lambda: stats(api, made)["success_24h"] == 100, "all outcomes are written", 5)
        # It got to know few of the hundred, and holds no more than that.
        assert 1 <= len(stuck.received) <= 4
        stuck.released.set()


def test_an_endpoint_never_gets_more_than_sixteen_at_once(api: Caller, pump: Pump) -> None:
    lock, now, most = threading.Lock(), [0], [0]

    def count(handler: Handler) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        handler.receiver.released.wait(0.01)
        with lock:
            now[0] -= 1
        handler.reply(200)

    second = Pump(Sender(Router(settings().webhook_allowed_networks)))
    with receiver(count) as there:
        endpoint(api, there.url)
        tell(api, 400)
        second.wake()
        work(pump)
        second.stop()
        assert len(there.received) == 400
        assert 4 < most[0] <= 16


def test_two_processes_send_each_message_once(api: Caller, pump: Pump) -> None:
    second = Pump(Sender(Router(settings().webhook_allowed_networks)))
    with receiver() as there:
        endpoint(api, there.url)
        endpoint(api, there.url)
        for _ in range(10):
            tell(api, 60)
            second.wake()
            pump.wake()
        work(pump)
        second.stop()
        ids = [one.headers["webhook-id"] for one in there.received]
        assert (len(ids), len(set(ids))) == (1200, 600)


def test_what_a_dead_worker_had_in_hand_is_sent_again_when_its_lease_is_over(api: Caller, pump: Pump) -> None:
    with receiver() as there:
        made = endpoint(api, there.url)
        tell(api)
        work(pump)
        with db.connection() as c:
            # As a worker leaves it that was killed while it sent.
            c.execute(
                "UPDATE webhook_deliveries SET status = 'SENDING', attempt_count = 8, delivered_at = NULL,"
                " next_attempt_at = read_clock() + interval '25 seconds'"
            )
        later(seconds=20)
        assert not work_waits()
        later(seconds=6)
        work(pump)
        (row,) = deliveries(api, made["id"])
        assert (row["status"], row["attempt_count"]) == ("DELIVERED", 8)
        assert there.received[0].body == there.received[1].body


def test_a_stop_waits_for_sends_under_way_and_writes_their_outcomes(api: Caller, pump: Pump) -> None:
    def slow(handler: Handler) -> None:
        handler.receiver.released.wait(0.3)
        handler.reply(200)

    with receiver(slow) as there:
        made = endpoint(api, there.url)
        tell(api, 20)
        pump.wake()
        wait_until(lambda: there.received, "the first is under way")
        started = time.monotonic()
        pump.stop()
        assert time.monotonic() - started < 5
        rows = deliveries(api, made["id"])
        assert {row["status"] for row in rows} == {"DELIVERED", "PENDING"}
        assert sum(row["status"] == "DELIVERED" for row in rows) == len(there.received)


def test_after_thirty_days_deliveries_and_messages_are_gone(api: Caller, pump: Pump) -> None:
    with receiver(status(500)) as there:
        made = endpoint(api, there.url)
        tell(api, 3)
        work(pump)
        later(days=20)
        kept = tell(api)
        pump.stop()
        later(days=11)
        while trim_some():
            pass
        with db.connection() as c:
            rows = c.execute("SELECT id FROM outbox").fetchall()
        assert [str(row["id"]) for row in rows] == kept
        assert deliveries(api, made["id"]) == []


def test_a_batch_of_the_trim_is_bounded_over_all_organizations(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim_deliveries, "BATCH_MAX", 4)
    with db.transaction() as c:
        other = create_organization(c, "another", 0, 0)
    tell(api, 3)
    tell(replace(api, organization_id=other), 3)
    later(days=31)
    assert [trim_some(), trim_some(), trim_some()] == [4, 2, 0]


def test_the_trim_walks_on_past_messages_that_a_replay_has_given_young_deliveries(
    api: Caller, pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left() -> set[str]:
        with db.connection() as c:
            return {str(row["id"]) for row in c.execute("SELECT id FROM outbox").fetchall()}

    monkeypatch.setattr(trim_deliveries, "BATCH_MAX", 4)
    with receiver() as there:
        made = endpoint(api, there.url, WebhookType.EVENT_COMPLETED)
        with db.connection() as c:
            since = format_instant(db.read_clock(c))
        replayed = set(tell(api, 6))
        unwanted = set(tell(api, 3, WebhookType.EVENT_FAILED))
        work(pump)
        later(days=29)
        assert api.post(f"/v1/webhook-endpoints/{made['id']}/replay", {"since": since}).status_code == 202
        work(pump)
        pump.stop()
        later(days=2)
        trim = Trim()
        # Four deliveries; two and, of four messages looked at, the two nobody wanted; the third of those.
        assert (trim.batch(), left()) == (4, replayed | unwanted)
        assert trim.batch() == 4
        assert len(left() & unwanted) == 1
        assert (trim.batch(), left()) == (1, replayed)
        # Once more from the beginning, where all stay: a batch that looked at four, and the end.
        assert [trim.batch(), trim.batch(), left()] == [1, 0, replayed]
        later(days=29)
        while trim.batch():
            pass
        assert left() == set()
