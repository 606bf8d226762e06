"""The design that one would write first, as the baseline: one message and one transaction an event.

Same schema, same rules, same rows as the product writes; loaded by `dramatiq bench.naive_worker`. Different
is what a message means, what a transaction holds, and who renders the SQL: here SQLAlchemy's unit of work.
"""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import Engine, create_engine, insert, select, text
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

from app import db
from app.domain.ids import TimeOrdered, new_id
from app.domain.json import dumps, loads
from app.engine.ruleset import Ruleset
from app.flows import rulesets
from app.settings import settings

QUEUE = "naive"
THREADS = 4
CENT = Decimal("0.01")

broker = RedisBroker(  # type: ignore[no-untyped-call]  # Dramatiq has not given it types.
    url=settings().redis_url, namespace="florin:naive"
)
dramatiq.set_broker(broker)


@lru_cache(maxsize=1)
def engine() -> Engine:
    """The process's pool; documents keep their exact numbers, as in the product."""
    return create_engine(
        settings().database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        json_serializer=dumps, json_deserializer=loads, pool_size=THREADS,
    )


@lru_cache(maxsize=1)
def tables() -> Any:
    """A class for each table, reflected."""
    mapped = automap_base()
    # Without relationships: the ORM would otherwise load what nobody asks for, and be slower still.
    mapped.prepare(autoload_with=engine(), generate_relationship=lambda *_, **__: None)
    return mapped.classes


@dramatiq.actor(queue_name=QUEUE, max_retries=3)
def process(seq: int, organization_id: str) -> None:
    """Decide one event."""
    t = tables()
    with Session(engine()) as session:
        event = session.scalars(select(t.events).where(
            t.events.organization_id == UUID(organization_id), t.events.seq == seq
        )).one()
        waiting = session.get(t.inbox, (event.partition, seq))
        if waiting is None:
            return
        owner = session.get(t.owners, (event.organization_id, event.participant_id), with_for_update=True)
        person = session.get(t.participants, (event.organization_id, event.participant_id))
        program = session.get(t.programs, (event.organization_id, event.program_id))
        assert program is not None
        with db.connection() as c:
            ruleset = rulesets.get(c, event.organization_id, event.program_id, program.ruleset_version)
        now = session.scalar(select(text("read_clock()")))
        assert owner is not None
        assert person is not None
        assert isinstance(now, datetime)
        evaluations = _decide(session, t, event, owner, ruleset, now)
        session.add(t.decisions(
            organization_id=event.organization_id, event_seq=seq, commit_order=seq, decided_at=now,
            status="COMPLETED", ruleset_version=ruleset.version, evaluations=evaluations,
            inputs={"participant": {"tags": list(owner.tags)}},
        ))
        owner.last_activity_at = owner.last_posted_at = now
        session.delete(waiting)
        session.commit()


def _decide(
    session: Session, t: Any, event: Any, owner: Any, ruleset: Ruleset, now: datetime
) -> list[list[Any]]:
    """Evaluate the conditions one by one and do what matches."""
    counters = {key: Decimal(value) for key, value in owner.counters.items()}
    variables = {
        "event": event.event_data, "now": event.event_timestamp, "recipient": None, "group": None,
        "program": None, "participant": {
            "tags": list(owner.tags), "counters": counters, "attributes": dict(owner.attributes),
        },
    }
    ids = TimeOrdered(now)
    evaluations: list[list[Any]] = []
    changes: list[list[Any]] = []
    for rule in ruleset.candidates(event.event_data).rules:
        if not rule.compiled.condition.evaluate(variables):
            continue
        action = rule.compiled.rule.actions[0]
        kind = type(action).__name__.upper()
        if kind == "CREDIT":
            done = _credit(session, t, event, rule.compiled.rule, ruleset, ids, now)
        elif kind == "COUNTER":
            value = counters.get("purchases", Decimal(0)) + 1
            owner.counters = {**owner.counters, "purchases": str(value)}
            done = {"key": "purchases", "value": "1", "new_value": str(value)}
            told = ["counter", "purchases", "set", str(value - 1), str(value), str(rule.compiled.rule.id)]
            changes.append(told)
        else:
            tag = f"buys-{event.event_data['channel']}"
            if tag not in owner.tags:
                owner.tags = [*owner.tags, tag]
                changes.append(["tag", tag, "added", None, tag, str(rule.compiled.rule.id)])
            done = {"tag": tag}
        evaluations.append([rule.number, "SUCCESS", None, None, None, [done]])
    session.add(t.state_history(
        organization_id=event.organization_id, owner_id=owner.id, id=ids.next(), changed_at=now,
        event_seq=event.seq, program_id=event.program_id, changes=changes,
    ))
    return evaluations


def _credit(
    session: Session, t: Any, event: Any, rule: Any, ruleset: Ruleset, ids: TimeOrdered, now: datetime
) -> dict[str, Any]:
    """Post a credit and tell the endpoint."""
    amount = (event.event_data["amount"] * Decimal("0.03")).quantize(CENT, ROUND_HALF_UP)
    asset = ruleset.assets[rule.actions[0].asset_id]
    account = session.scalars(select(t.accounts).where(
        t.accounts.organization_id == event.organization_id,
        t.accounts.owner_id == event.participant_id, t.accounts.asset_id == asset.id,
    ).with_for_update()).one()
    entry_id = ids.next()
    session.add(t.journal_entries(
        organization_id=event.organization_id, id=entry_id, program_id=event.program_id, asset_id=asset.id,
        action_type="CREDIT", event_seq=event.seq, rule_id=rule.id, created_at=now,
    ))
    session.flush()
    # In one statement, for the database refuses an entry whose lines come one by one.
    session.execute(insert(t.postings).values([
        {"organization_id": event.organization_id, "entry_id": entry_id, "line": line,
         "account_id": account_id, "bucket": "AVAILABLE", "amount": signed}
        for line, account_id, signed in ((1, asset.issuance_account, -amount), (2, account.id, amount))
    ]))
    account.available += amount
    account.updated_at = now
    message_id = new_id()
    session.add(t.outbox(
        organization_id=event.organization_id, id=message_id, type="balance.credited", created_at=now,
        participant_id=event.participant_id, data={
            "participant_id": str(event.participant_id), "program_id": str(event.program_id),
            "asset_id": str(asset.id), "amount": str(amount), "journal_entry_id": str(entry_id),
            "event_id": str(event.id), "available": str(account.available),
        },
    ))
    session.flush()
    session.add(t.outbox_pending(organization_id=event.organization_id, outbox_id=message_id))
    return {"amount": str(amount), "journal_entry_id": str(entry_id)}
