"""What the database refuses by itself, however wrong the code above it is: each sentence of the paper."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from app import db
from app.domain.ids import new_id
from tests.book.conftest import Shop, seal_everything

JOURNAL = ("journal_entries", "postings", "lot_movements", "journal_seals")
CHANGES = ("UPDATE {0} SET organization_id = organization_id", "DELETE FROM {0}", "TRUNCATE {0}")
ENTRY = """
INSERT INTO journal_entries (organization_id, id, asset_id, action_type, created_at)
SELECT organization_id, %(id)s, asset_id, 'CREDIT', created_at FROM journal_entries LIMIT 1
"""
POSTINGS = """
INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
SELECT e.organization_id, %(id)s, p.line, (SELECT id FROM accounts WHERE id > 0 LIMIT 1), 'AVAILABLE',
    p.amount
FROM (SELECT organization_id FROM journal_entries LIMIT 1) e,
    unnest(%(amounts)s::numeric[]) WITH ORDINALITY AS p(amount, line)
"""
ANOTHER = """
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, updated_at)
SELECT organization_id, nextval('account_id'), owner_type, owner_id, asset_id, updated_at FROM accounts
WHERE owner_type = 'PARTICIPANT'
"""
AGAIN = """
INSERT INTO journal_seals (organization_id, sequence_number, entry_id, entry_hash, sealed_at)
SELECT organization_id, sequence_number + {number}, {entry}, entry_hash, sealed_at FROM journal_seals
ORDER BY sequence_number DESC LIMIT 1
"""

COPY = """
SELECT (made).* FROM (
    SELECT jsonb_populate_record(t, jsonb_build_object('{id}', gen_random_uuid())) AS made
    FROM {table} t LIMIT 1
) one
"""


@pytest.fixture(params=["application", "owner"])
def role(
    lot_shop: Shop, request: pytest.FixtureRequest, owner_connection: db.Connection
) -> Iterator[db.Connection]:
    """A connection of each role, after a lot was credited, held in part and sealed."""
    lot_shop.give("10")
    lot_shop.act("hold", amount="4")
    seal_everything()
    if request.param == "owner":
        yield owner_connection
        return
    with db.connection() as c:
        yield c


def refused(c: db.Connection, error: type[psycopg.Error], *statements: tuple[str, dict[str, Any]]) -> None:
    """Run statements; the last one must be refused, the others not. Nothing of it stays."""
    *before, (sql, values) = statements
    with c.transaction(force_rollback=True):
        for each in before:
            c.execute(*each)
        with pytest.raises(error), c.transaction():
            c.execute(sql, values)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("table", JOURNAL)
def test_the_journal_is_never_changed(role: db.Connection, table: str, change: str) -> None:
    refused(role, psycopg.errors.InsufficientPrivilege, (change.format(table), {}))


@pytest.mark.parametrize("amounts", [[5], [5, -4], [5, -5, 1], [5, 5], [1e-18, -2e-18]])
def test_an_entry_balances_and_has_two_sides(role: db.Connection, amounts: list[float]) -> None:
    values = {"id": new_id(), "amounts": amounts}
    refused(role, psycopg.errors.CheckViolation, (ENTRY, values), (POSTINGS, values))


def test_an_entry_that_balances_is_taken_and_one_of_nothing_is_not(role: db.Connection) -> None:
    values = {"id": new_id(), "amounts": [5, -3, -2]}
    with role.transaction(force_rollback=True):
        role.execute(ENTRY, values)
        role.execute(POSTINGS, values)
    refused(role, psycopg.errors.CheckViolation, (ENTRY, values), (POSTINGS, {**values, "amounts": [0, 0]}))


@pytest.mark.parametrize("change", [
    "UPDATE accounts SET held = -0.01 WHERE id > 0", "UPDATE accounts SET deferred = -0.01 WHERE id > 0",
    "UPDATE accounts SET available = -0.01 WHERE id > 0",
    "UPDATE accounts SET available = 1 WHERE id < 0", "UPDATE accounts SET held = 1 WHERE id < 0",
    "UPDATE accounts SET deferred = 1 WHERE id < 0", "UPDATE accounts SET id = 0 WHERE id > 0",
    "UPDATE accounts SET available = -1, overdrawn = true WHERE id < 0",
    "UPDATE accounts SET owner_type = 'PARTICIPANT' WHERE id < 0",
    "UPDATE accounts SET owner_type = 'SYSTEM_ISSUANCE' WHERE id > 0",
    "UPDATE accounts SET owner_type = 'NOBODY' WHERE id > 0",
    "UPDATE lots SET remaining = -0.01", "UPDATE lots SET remaining = amount + 0.01",
    "UPDATE lots SET expired = true WHERE remaining > 0", "UPDATE lots SET amount = 0, remaining = 0",
    "UPDATE lots SET matures_at = created_at, expires_at = created_at", "UPDATE lots SET bucket = 'SPENT'",
])
def test_balances_and_lots_stay_within_what_can_be(role: db.Connection, change: str) -> None:
    refused(role, psycopg.errors.CheckViolation, (change, {}))


@pytest.mark.parametrize(("table", "column", "value"), [
    ("journal_entries", "action_type", "'GIFT'"), ("journal_entries", "text_hash", r"'\x00'"),
    ("postings", "bucket", "'SPENT'"), ("postings", "line", "0"), ("postings", "line", "256"),
    ("lot_movements", "kind", "'LOST'"), ("lot_movements", "line", "0"),
])
def test_a_row_of_the_journal_says_what_can_be(
    role: db.Connection, table: str, column: str, value: str
) -> None:
    """As another entry's row, all else of it as it was."""
    copied = COPY.format(table=table, id="id" if table == "journal_entries" else "entry_id")
    with role.transaction(force_rollback=True):
        role.execute("CREATE TEMPORARY TABLE copied AS " + copied)
        role.execute(f"UPDATE copied SET {column} = {value}")
        with pytest.raises(psycopg.errors.CheckViolation) as refusal, role.transaction():
            role.execute(f"INSERT INTO {table} SELECT * FROM copied")
    assert refusal.value.diag.constraint_name, "a constraint refused it, not the trigger"


def test_a_balance_below_zero_is_for_operations_that_may_overdraw(role: db.Connection) -> None:
    with role.transaction(force_rollback=True):
        done = role.execute("UPDATE accounts SET available = -0.01, overdrawn = true WHERE id > 0")
        assert done.rowcount == 1


@pytest.mark.parametrize("statement", [
    ANOTHER, AGAIN.format(number=0, entry="gen_random_uuid()"), AGAIN.format(number=1, entry="entry_id"),
])
def test_an_account_and_a_place_in_the_chain_exist_once(role: db.Connection, statement: str) -> None:
    refused(role, psycopg.errors.UniqueViolation, (statement, {}))
