"""Posting what the date brought to lots: expiry and maturity, in batches, each batch one transaction.

The effect and the SYSTEM event that announces it are one commit (decision C14). It may be started at any
time, twice, or after a crash: a batch looks again under the locks and finds only what is still due.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog

from app.book import assets, due, post, read
from app.book.due import DueKind
from app.db import Connection, read_clock, transaction
from app.domain.events import SystemEvent
from app.domain.ids import TimeOrdered
from app.domain.names import ProgramStatus
from app.engine.state import Owner
from app.flows import ingest
from app.flows.announce import due_events
from app.flows.balance_messages import balance_messages
from app.flows.locks import lock_owners
from app.flows.move_value import later_than, numbered
from app.ledger.accounts import Account, AccountKey
from app.ledger.due import expire, mature
from app.ledger.entries import Plan
from app.queue import ringer
from app.store import outbox, owner_states, snapshot
from app.store.outbox import Message

LOTS_PER_BATCH = 1000  # Of all accounts: many may have many that are due at the same minute.
LOTS_PER_ACCOUNT = 1000  # An announcement names its lots, and an event's data has a bound.
BATCHES_PER_RUN = 50  # Then the worker is free for others; the next ring goes on.

# One batch of a kind at a time: two would only wait for each other's locks.
_TURN = "SELECT pg_try_advisory_xact_lock(718281828, %s) AS mine"
_TURNS = {DueKind.EXPIRY: 1, DueKind.MATURITY: 2}

log = structlog.get_logger("due_lots")
Row = Mapping[str, Any]


def run(kind: DueKind) -> bool:
    """Post batches until nothing is due or the run is long enough; returns whether more may be left."""
    return all(post_batch(kind) for _ in range(BATCHES_PER_RUN))


def is_due(kind: DueKind) -> bool:
    """Say whether any lot waits to be posted."""
    with transaction() as c:
        return bool(due.accounts(c, kind, read_clock(c), 1))


def post_batch(kind: DueKind) -> int:
    """Post one batch of one organization; returns how many lots it took, 0 where none are due."""
    rows: list[dict[str, Any]] = []
    try:
        with transaction() as c:
            turn = c.execute(_TURN, (_TURNS[kind],)).fetchone()
            if turn is None or not turn["mine"]:
                return 0
            rows = due.accounts(c, kind, read_clock(c), LOTS_PER_BATCH)
            rows = [row for row in rows if row["organization_id"] == rows[0]["organization_id"]]
            posted = _post(c, kind, rows)
    except psycopg.OperationalError:
        raise
    except Exception as error:
        log.warning("due_batch_failed", error=str(error), kind=type(error).__name__)
        return _post_one_by_one(kind, rows)
    ringer.ring(posted.partitions)
    return posted.lots


def _post_one_by_one(kind: DueKind, rows: Sequence[Row]) -> int:
    """Keep one account that cannot be posted from holding up all others."""
    done = 0
    for row in rows:
        try:
            with transaction() as c:
                posted = _post(c, kind, [row])
        except psycopg.OperationalError:
            raise
        except Exception as error:
            log.error("due_account_failed", account=row["account_id"], error=str(error))
        else:
            ringer.ring(posted.partitions)
            done += posted.lots
    return done


@dataclass(frozen=True, slots=True)
class Posted:
    """What a batch did: how many lots, and which partitions have an event to ring for after the commit."""

    lots: int = 0
    partitions: frozenset[int] = frozenset()


def _post(c: Connection, kind: DueKind, rows: Sequence[Row]) -> Posted:
    if not rows:
        return Posted()
    organization_id: UUID = rows[0]["organization_id"]
    owner_ids = sorted({row["owner_id"] for row in rows})
    lock_owners(c, organization_id, owner_ids)
    known, marks = snapshot.read_owners(
        snapshot.start_owners(c, organization_id, owner_ids), organization_id
    )
    now = later_than(read_clock(c), marks)
    ids = TimeOrdered(now)
    plans = _plans(c, kind, organization_id, rows, now, ids)
    post.write_plans(c, [plan for _, plan in plans], now)
    messages = _messages(c, organization_id, plans, known, ids)
    told = numbered(marks, messages)
    owner_states.update(c, [
        owner_states.update_row(
            known[owner], known[owner], posted_at=now, active_at=None, messages=told[owner]
        )
        for owner in sorted({plan.accounts[0].owner_id for _, plan in plans})
    ])
    outbox.insert(c, messages)
    partitions = ingest.insert_system_events(c, _announcements(c, organization_id, plans, known), now)
    lots = sum(len(announced.lots) for _, plan in plans for announced in plan.due)
    return Posted(lots, frozenset(partitions))


def _plans(
    c: Connection, kind: DueKind, organization_id: UUID, rows: Sequence[Row], now: datetime, ids: TimeOrdered
) -> list[tuple[UUID, Plan]]:
    """Plan each account from what is due of it now that it is locked."""
    keys = [AccountKey(organization_id, row["owner_id"], row["asset_id"]) for row in rows]
    found: dict[AccountKey, Account] = read.accounts(c, keys)
    lots = due.lots(
        c, kind, organization_id, [account.id for account in found.values()], now,
        of_each=LOTS_PER_ACCOUNT, limit=LOTS_PER_BATCH,
    )
    known = assets.many(c, organization_id, list({key.asset_id for key in keys}))
    act = expire if kind is DueKind.EXPIRY else mature
    plans = []
    for account in found.values():
        if account.id in lots:
            loaded = replace(account, lots=tuple(lots[account.id]))
            plan = act(loaded, known[account.asset_id], now=now, ids=ids)
            if plan is not None:
                plans.append((account.asset_id, plan))
    return plans


def _messages(
    c: Connection, organization_id: UUID, plans: list[tuple[UUID, Plan]], owners: Mapping[UUID, Owner],
    ids: TimeOrdered,
) -> list[Message]:
    subscribed = outbox.subscribed(c, [organization_id]).get(organization_id, frozenset())
    if not subscribed:
        return []
    known = assets.many(c, organization_id, list({asset_id for asset_id, _ in plans}))
    names = {owner.id: owner.external_id for owner in owners.values()}
    return [
        message for asset_id, plan in plans
        for message in balance_messages(known[asset_id], plan, subscribed, ids, external_ids=names)
    ]


def _announcements(
    c: Connection, organization_id: UUID, plans: list[tuple[UUID, Plan]], owners: Mapping[UUID, Owner]
) -> list[SystemEvent]:
    """Return the SYSTEM events; a program that is not ACTIVE has no rules that could react."""
    events = [
        event for _, plan in plans for one in plan.due
        for event in due_events(owners[one.account.owner_id].kind, [one])
    ]
    count = Counter(event.program_id for event in events)
    facts = snapshot.read_programs(snapshot.start_programs(c, organization_id, sorted(count)))
    return [event for event in events if facts[event.program_id].status == ProgramStatus.ACTIVE]
