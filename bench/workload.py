"""What is measured with: a program of 20 rules, an endpoint that subscribes, 100,000 people, purchases.

Ten rules are about the event's type; three of them match: a CREDIT, a COUNTER, a TAG. The rest compile into
the index and are never looked at. Everything is made through the flows that the API calls, but for the
people, whom one statement makes.
"""

import random
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from app import db
from app.domain.events import Submission
from app.domain.ids import new_id
from app.flows import manage_assets, manage_programs
from app.flows import rules as rule_flow
from app.flows.rules import RuleDraft

PEOPLE = 100_000
CHANNELS = ("web", "app", "store")
START = datetime(2026, 1, 1, tzinfo=UTC)

_PEOPLE = """
WITH made AS MATERIALIZED (
    SELECT gen_random_uuid() AS id, %(prefix)s || n AS name FROM generate_series(1, %(people)s) AS n
), o AS (
    INSERT INTO owners (organization_id, id, kind) SELECT %(o)s, id, 'PARTICIPANT' FROM made
), p AS (
    INSERT INTO participants (organization_id, id, external_id, created_at, updated_at)
    SELECT %(o)s, id, name, %(at)s, %(at)s FROM made
)
SELECT count(*) FROM made
"""
# In a statement of its own: the foreign keys look for what the first one has written.
_ENROLLED = """
INSERT INTO enrollments (organization_id, program_id, participant_id, enrolled_at, updated_at)
SELECT organization_id, %(p)s, id, %(at)s, %(at)s FROM participants
WHERE organization_id = %(o)s AND external_id LIKE %(prefix)s || '%%' ON CONFLICT DO NOTHING
"""
# Everybody has bought before: a first purchase makes an account, and that happens once.
_ACCOUNTS = """
WITH first AS (SELECT nextval('account_id') AS id)
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, updated_at)
SELECT %(o)s, first.id + row_number() OVER (), 'PARTICIPANT', e.participant_id, %(a)s, %(at)s
FROM enrollments e, first WHERE e.organization_id = %(o)s AND e.program_id = %(p)s
"""
_ENDPOINT = """
INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at, updated_at)
VALUES (%s, %s, 'https://127.0.0.1:9/', %s, '\\x00', %s, %s)
"""

# Conditions that hold for no event of the workload, each of the kind that people write.
SILENT = (
    'event.amount > 100000',
    'event.amount >= 500 && "vip" in participant.tags && event.channel == "telex"',
    'get(participant.counters, "purchases", 0) >= 1000000',
    'event.sku.startsWith("Z-")',
    'event.channel in ["telex", "fax"] && event.amount > 10',
    'get(participant.attributes, "city", "") == "Atlantis"',
    'event.amount * 3 > 1000000 || event.quantity > 500',
)


@dataclass(frozen=True)
class Workload:
    """Ids of what the events are about."""

    organization_id: UUID
    program_id: UUID
    asset_id: UUID
    people: int
    prefix: str

    def submissions(self, count: int, seed: int, people: int | None = None) -> Iterator[Submission]:
        """Purchases of people drawn at random, each with a key of its own."""
        draw = random.Random(seed)
        run = secrets.token_hex(4)
        for number in range(count):
            yield Submission(
                self.program_id, f"purchase-{run}-{number:08d}", START + timedelta(seconds=number),
                purchase(draw), external_id=f"{self.prefix}{draw.randint(1, people or self.people)}",
            )

    def bodies(self, count: int, seed: int, people: int | None = None) -> Iterator[dict[str, Any]]:
        """The same as the API takes it."""
        for one in self.submissions(count, seed, people):
            data = {**one.event_data, "amount": float(one.event_data["amount"])}
            yield {
                "program_id": str(one.program_id), "external_id": one.external_id,
                "idempotency_key": one.idempotency_key, "event_data": data,
                "event_timestamp": one.event_timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }


def purchase(draw: random.Random) -> dict[str, Any]:
    """The data of one purchase."""
    return {
        "type": "purchase", "amount": Decimal(draw.randint(100, 29_999)) / 100, "currency": "EUR",
        "sku": f"A-{draw.randint(1000, 9999)}", "channel": draw.choice(CHANNELS),
        "quantity": draw.randint(1, 9),
    }


def rules(asset_id: UUID) -> list[tuple[str, str, list[dict[str, Any]]]]:
    """Name, condition and actions of the 20 rules, in order."""
    credit = {"type": "CREDIT", "asset_id": str(asset_id), "amount": "round(event.amount * 0.03, 2)"}
    found: list[tuple[str, str, list[dict[str, Any]]]] = [
        ("3 % back", 'event.type == "purchase" && event.amount > 0', [credit]),
        ("Count purchases", 'event.type == "purchase"',
         [{"type": "COUNTER", "key": "purchases", "value": "1"}]),
        ("Tag by channel", 'event.type == "purchase" && event.quantity > 0',
         [{"type": "TAG", "tag": "buys-{{ event.channel }}"}]),
    ]
    found += [
        (f"Silent {number}", f'event.type == "purchase" && {condition}', [credit])
        for number, condition in enumerate(SILENT, start=1)
    ]
    found += [
        (f"Other type {number}", f'event.type == "type_{number}" && event.amount > {number}', [credit])
        for number in range(1, 11)
    ]
    return found


def prepare(
    owner: "psycopg.Connection[Any]", people: int = PEOPLE, webhook: bool = True,
    rules: Callable[[UUID], list[tuple[str, str, list[dict[str, Any]]]]] = rules,
) -> Workload:
    """Make program, asset, rules, endpoint and people in the first organization."""
    with db.connection() as c:
        first = c.execute("SELECT id FROM organizations ORDER BY id").fetchone()
        assert first is not None, "the system has made its first organization"
        organization_id: UUID = first["id"]
        now = db.read_clock(c)
    tag = secrets.token_hex(3)
    program = manage_programs.create(
        organization_id, name=f"Benchmark {tag}", description=None, on_unknown_participant="CREATE",
        reversal_grace="720h",
    )
    asset = manage_assets.create(
        organization_id, program["id"], name="Cashback", symbol=f"CASH{tag}", inventory_mode="SIMPLE",
        issuance_policy="UNLIMITED", scale=2, max_transaction_amount=None,
    )
    for name, condition, actions in rules(asset["id"]):
        rule_flow.create(organization_id, None, RuleDraft(program["id"], name, condition, actions))
    if webhook:
        owner.execute(_ENDPOINT, (organization_id, new_id(), ["balance.credited"], now, now))
    made = Workload(organization_id, program["id"], asset["id"], people, f"u{tag}-")
    values = {"o": organization_id, "p": program["id"], "people": people, "prefix": made.prefix, "at": now}
    owner.execute(_PEOPLE, values)
    owner.execute(_ENROLLED, values)
    owner.execute(_ACCOUNTS, {**values, "a": asset["id"]})
    # The next block of account numbers begins behind the ones just used.
    owner.execute("SELECT setval('account_id', nextval('account_id') + %s / 1000 * 1000 + 1000)", (people,))
    for table in ("owners", "participants", "enrollments", "accounts"):
        owner.execute(f"VACUUM ANALYZE {table}")
    return made
