"""Handing messages to endpoints: one delivery for each ACTIVE endpoint that subscribes to the type.

Whoever takes a message deletes its pending row in the transaction that writes its deliveries, so it is handed
over exactly once. Replays go the same way, but only while their endpoint has little else to do.
"""

from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.ids import TimeOrdered
from app.store import outbox, webhook_deliveries, webhook_replays

BATCH_MESSAGES_MAX = 500
REPLAY_BATCH_MAX = 200
REPLAY_PENDING_MAX = 400  # A replay waits while its endpoint has more than this to get, so new messages pass.


def fan_out() -> bool:
    """Hand over one batch of messages; True where more wait."""
    with transaction() as c:
        taken = outbox.take(c, BATCH_MESSAGES_MAX)
        if not taken:
            return False
        _deliver(c, [row for row in taken if row["endpoint_id"] is not None])
    return len({row["message_id"] for row in taken}) == BATCH_MESSAGES_MAX


def _deliver(c: Connection, rows: list[dict[str, Any]]) -> None:
    now = read_clock(c)
    ids = TimeOrdered(now)
    webhook_deliveries.insert(c, [
        webhook_deliveries.new_row(
            row["organization_id"], ids.next(), row["endpoint_id"], row["message_id"], row["type"], 0
        )
        for row in rows
    ], now)


def replay_some() -> bool:
    """Take the next step of a replay; True where another one can follow at once."""
    with transaction() as c:
        replay = webhook_replays.take(c, REPLAY_PENDING_MAX)
        if replay is None:
            return False
        organization_id: UUID = replay["organization_id"]
        endpoint_id: UUID = replay["webhook_endpoint_id"]
        rows = outbox.since(
            c, organization_id, replay["next_outbox_id"], replay["last_outbox_id"],
            replay["enabled_events"], REPLAY_BATCH_MAX,
        )
        before = webhook_deliveries.resends(
            c, organization_id, endpoint_id, [row["message_id"] for row in rows]
        )
        now = read_clock(c)
        ids = TimeOrdered(now)
        webhook_deliveries.insert(c, [
            webhook_deliveries.new_row(
                organization_id, ids.next(), endpoint_id, row["message_id"], row["type"],
                before.get(row["message_id"], -1) + 1,
            )
            for row in rows
        ], now)
        if len(rows) < REPLAY_BATCH_MAX:
            webhook_replays.end(c, organization_id, replay["id"])
        else:
            following = UUID(int=rows[-1]["message_id"].int + 1)
            webhook_replays.go_on(c, organization_id, replay["id"], following)
    return True


def is_due(c: Connection) -> bool:
    """Say whether messages wait to be handed over or a replay can go on."""
    return outbox.any_pending(c) or webhook_replays.any_ready(c, REPLAY_PENDING_MAX)
