"""A refused operation leaves no trace: a hash over all tables but the logs is the same before and after."""

from functools import cache
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from app.domain import errors
from app.domain.names import OwnerType
from app.flows import transfer
from app.settings import settings
from tests.api.client import ABSENT
from tests.api_balances.conftest import open_shop
from tests.api_balances.test_due_lots import advance, credit_with_dates
from tests.api_balances.test_value_flows import enrolled, give_away, give_back, person, spend
from tests.book.conftest import Shop

LOGS = ("request_logs", "usage_days", "api_keys", "alembic_version")


def fingerprint() -> str:
    """Return a hash over every row of every table that is not a log."""
    with psycopg.connect(settings().migration_database_url, row_factory=dict_row) as c:
        rows = c.execute(_all_tables()).fetchall()
    return "\n".join(sorted(f"{row['name']}:{row['hash']}" for row in rows))


@cache
def _all_tables() -> Any:
    """One statement for all tables; the names come from the catalogue."""
    with psycopg.connect(settings().migration_database_url, row_factory=dict_row) as c:
        tables = [row["name"] for row in c.execute(
            "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        ).fetchall()]
    return " UNION ALL ".join(
        f"SELECT '{table}' AS name, md5(string_agg(t::text, '|' ORDER BY t::text)) AS hash FROM {table} t"
        for table in tables if table not in LOGS
    )


@pytest.fixture
def rich(lot_shop: Shop) -> Shop:
    """A participant with value of every kind, one lot of it past its date and not yet posted."""
    lot_shop.give("50")
    lot_shop.act("hold", amount="10", reference_id="trip-1")
    credit_with_dates(lot_shop, "7", expires=60)
    credit_with_dates(lot_shop, "5", matures=9999)
    advance(61)
    return lot_shop


@pytest.mark.parametrize(("operation", "fields"), [
    ("adjust", {"type": "DEBIT", "amount": "41"}),
    ("adjust", {"type": "DEBIT", "amount": "11", "bucket": "HELD"}),
    ("adjust", {"type": "CREDIT", "amount": "0.001"}),
    ("adjust", {"type": "CREDIT", "amount": "1", "program_id": ABSENT}),
    ("hold", {"amount": "41"}), ("hold", {"lot_ids": [ABSENT]}),
    ("release", {"reference_id": "trip-2"}), ("release", {"reference_id": "trip-2", "amount": "1"}),
    ("forfeit", {"bucket": "AVAILABLE", "amount": "41"}), ("forfeit", {"bucket": "HELD", "amount": "11"}),
    ("void-hold", {"reference_id": "trip-1"}),
])
@pytest.mark.parametrize("key", [None, "k-1"])
def test_a_refused_request_leaves_no_trace(
    rich: Shop, operation: str, fields: dict[str, Any], key: str | None
) -> None:
    before = fingerprint()
    extra = {} if key is None else {"idempotency_key": key}
    assert rich.act(operation, **fields, **extra).status_code >= 400
    assert fingerprint() == before


def test_refused_flows_leave_no_trace(rich: Shop) -> None:
    bob = enrolled(rich, "bob")
    made = spend(rich, "5")
    before = fingerprint()
    with pytest.raises(errors.InsufficientFunds):
        give_away(rich, (person(bob), "36"))
    with pytest.raises(errors.RecipientNotFound):
        give_away(rich, (person(bob), "1"), (transfer.Party(OwnerType.GROUP, UUID(ABSENT)), "1"))
    with pytest.raises(errors.AmountExceedsRemaining):
        give_back(rich, made, "5.01")
    assert fingerprint() == before


def test_an_empty_wallet_leaves_no_trace(api: Any) -> None:
    place = open_shop(api, "CASH", issuance_policy="PREFUNDED")
    path = f"/v1/programs/{place.program}/assets/{place.asset}"
    before = fingerprint()
    assert place.act("adjust", type="CREDIT", amount="1").status_code == 422
    assert place.api.post(f"{path}/burn", {"amount": "1"}).status_code == 422
    assert fingerprint() == before
