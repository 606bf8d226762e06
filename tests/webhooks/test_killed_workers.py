"""Workers that are killed while they deliver: each message arrives, under its id, however often one dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from uuid import UUID

import psycopg
import pytest

from app import db
from app.cli.datafolder import ROOT
from app.domain.ids import TimeOrdered, new_id
from app.domain.names import WebhookType
from app.flows.webhook_secrets import as_text, new_secret, seal
from app.store import organizations, outbox, webhook_endpoints
from app.store.outbox import Message
from tests.waiting import wait_until
from tests.webhooks.receiver import Receiver, receiver
from tests.webhooks.stage import verified

MESSAGES = 5_000
KILLS = 3


@contextmanager
def process(values: dict[str, str], *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the product; killed at the end, with its children."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **values}, start_new_session=True
    )
    try:
        yield started
    finally:
        kill(started)


def kill(started: "subprocess.Popen[bytes]") -> None:
    """Kill -9 a process and all that it has forked."""
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def have_arrived(there: Receiver, count: int) -> bool:
    """Whether so many requests have come."""
    return len(there.received) >= count


def prepare(c: db.Connection, url: str, secret: bytes) -> None:
    """Make an organization with an endpoint, and messages for it."""
    now = db.read_clock(c)
    organization_id, endpoint_id = new_id(), new_id()
    organizations.insert(
        c, organization_id=organization_id, name="Test", rate_limit_per_second=0, rate_limit_burst=0, now=now
    )
    webhook_endpoints.insert(
        c, organization_id, endpoint_id, now, url=url, description=None, enabled_events=["*"], metadata=None,
        secret=seal(secret, endpoint_id),
    )
    ids = TimeOrdered(now)
    outbox.insert(c, [
        Message(organization_id, ids.next(), WebhookType.EVENT_COMPLETED, now, None, {"n": number})
        for number in range(MESSAGES)
    ])


@pytest.mark.nightly
def test_each_of_5000_messages_arrives_though_workers_are_killed_in_the_middle(
    own_database: dict[str, str], redis_client: object
) -> None:
    values = {**own_database, "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8"}
    worker = ("dramatiq", "workers", "--processes", "1", "--threads", "2")
    secret = new_secret()
    opened = psycopg.connect(own_database["DATABASE_URL"], autocommit=True, **db.connect_arguments())

    def counted(status: str) -> int:
        row = opened.execute(
            "SELECT count(*) AS n FROM webhook_deliveries WHERE status = %s", (status,)
        ).fetchone()
        assert row is not None
        return int(row["n"])

    with receiver() as there, opened, process(values, "scheduler"):
        prepare(opened, there.url, secret)
        for round_ in range(1, KILLS + 1):
            with process(values, *worker):
                target = MESSAGES * round_ // (KILLS + 2)
                wait_until(partial(have_arrived, there, target), "some arrive", 60)
        left_behind = counted("SENDING")
        assert left_behind > 0
        # Nobody waits for the leases of the dead: the system's clock goes past them.
        opened.execute("UPDATE clock SET ahead = ahead + %s", (timedelta(minutes=1),))
        with process(values, *worker):
            wait_until(lambda: counted("DELIVERED") == MESSAGES, "all are delivered", 120)
    arrived = [verified(as_text(secret), one) for one in there.received]
    numbers = {UUID(message["id"]): message["data"]["n"] for message in arrived}
    assert len(numbers) == MESSAGES
    assert sorted(numbers.values()) == list(range(MESSAGES))
    assert all(numbers[UUID(message["id"])] == message["data"]["n"] for message in arrived)
    assert len(there.received) >= MESSAGES
