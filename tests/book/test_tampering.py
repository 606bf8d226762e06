"""What a superuser does to the journal behind the product's back is found by verify, and named."""

import pytest

from app import db
from app.flows import audit
from tests.book.conftest import Shop, Tamper, seal_everything, violations


@pytest.fixture
def entries(lot_shop: Shop) -> list[str]:
    """Ten sealed entries, oldest first."""
    for number in range(1, 11):
        lot_shop.give(str(number))
    seal_everything()
    assert violations() == {}
    rows = lot_shop.api.get("/v1/journal-entries").json["data"]
    assert all(row["entry_hash"] for row in rows)
    return [row["id"] for row in reversed(rows)]


def test_a_changed_amount_is_named(entries: list[str], tamper: Tamper) -> None:
    tamper(f"UPDATE postings SET amount = amount * 2 WHERE entry_id = '{entries[3]}'")
    found = violations()
    assert found["hash_chain"] == [f"place 4, entry {entries[3]}: the entry is not what was sealed here"]
    assert "balance 55" in found["balances"][0]
    assert "59" in found["balances"][0]


def test_a_change_of_one_side_is_named(entries: list[str], tamper: Tamper) -> None:
    tamper(f"UPDATE postings SET amount = 1000 WHERE entry_id = '{entries[3]}' AND line = 2")
    found = violations()
    assert found["postings_balanced"][0].startswith(f"entry {entries[3]}")
    assert "value_conservation" in found


def test_a_deleted_posting_is_named(entries: list[str], tamper: Tamper) -> None:
    tamper(f"DELETE FROM postings WHERE entry_id = '{entries[5]}' AND line = 1")
    found = violations()
    assert found["postings_balanced"][0].startswith(f"entry {entries[5]}")
    assert found["hash_chain"] == [f"place 6, entry {entries[5]}: the entry is not what was sealed here"]


def test_swapped_entries_are_named(entries: list[str], tamper: Tamper) -> None:
    tamper(
        "UPDATE journal_seals SET sequence_number = CASE sequence_number WHEN 2 THEN 1002 ELSE 1003 END"
        " WHERE sequence_number IN (2, 3)"
    )
    tamper("UPDATE journal_seals SET sequence_number = 1005 - sequence_number WHERE sequence_number > 1000")
    assert {line.split(":")[0] for line in violations()["hash_chain"]} >= {
        f"place 2, entry {entries[2]}", f"place 3, entry {entries[1]}"
    }


def test_a_deleted_entry_is_named(entries: list[str], tamper: Tamper) -> None:
    tamper(f"DELETE FROM journal_entries WHERE id = '{entries[1]}'")
    found = violations()
    assert found["hash_chain"] == [f"place 2, entry {entries[1]}: the sealed entry is missing"]
    assert "has no entry" in found["orphans"][0]


def test_an_entry_that_was_never_posted_is_named(entries: list[str], tamper: Tamper) -> None:
    # Another random part, whatever it was: a fixed one would be the entry's own once in 256 runs.
    forged = f"{entries[0][:-4]}{int(entries[0][-4:-2], 16) ^ 0xFF:02x}00"
    tamper(
        "INSERT INTO journal_entries (organization_id, id, asset_id, action_type, created_at)"
        f" SELECT organization_id, '{forged}', asset_id, 'CREDIT', created_at - interval '1 day'"
        f" FROM journal_entries WHERE id = '{entries[0]}'"
    )
    found = violations()
    assert found["postings_balanced"][0].startswith(f"entry {forged}")
    assert found["unsealed_entries"][0].startswith(f"entry {forged}")


def test_a_relabelled_account_is_named(entries: list[str], tamper: Tamper) -> None:
    tamper("UPDATE accounts SET owner_id = gen_random_uuid() WHERE owner_type = 'PARTICIPANT'")
    assert len(violations()["hash_chain"]) == 10


def test_a_truncated_tail_leaves_balances_that_nothing_explains(
    entries: list[str], tamper: Tamper
) -> None:
    cut_tail(tamper, entries)
    found = violations()
    assert "balances" in found
    assert "lot_lineage" in found


def test_a_tail_truncated_with_care_is_missed_by_the_auditor(entries: list[str], tamper: Tamper) -> None:
    """Balances and lots cut to match do not help: the auditor remembers the head it saw."""
    audit.run()
    cut_tail(tamper, entries)
    last = f"'{entries[9]}'"
    tamper(f"DELETE FROM lots WHERE entry_id = {last}")
    tamper("UPDATE accounts SET available = available - 10 WHERE owner_type = 'PARTICIPANT'")
    tamper("UPDATE system_balances SET balance = balance + 10")
    found = violations()
    assert list(found) == ["hash_chain"]
    assert "the tail was cut or replaced" in found["hash_chain"][0]
    assert audit.run() > 0
    assert audit.run() > 0, "the auditor must not take the shorter chain for whole the second time"


def cut_tail(tamper: Tamper, entries: list[str]) -> None:
    """Remove the last entry with everything that hangs on it."""
    last = f"'{entries[9]}'"
    for table, column in (
        ("journal_seals", "entry_id"), ("postings", "entry_id"), ("lot_movements", "entry_id"),
        ("journal_texts", "entry_id"), ("journal_entries", "id"),
    ):
        tamper(f"DELETE FROM {table} WHERE {column} = {last}")


def test_a_changed_text_is_named_and_an_erased_one_is_not(entries: list[str], tamper: Tamper) -> None:
    tamper(f"UPDATE journal_texts SET description = NULL WHERE entry_id = '{entries[0]}'")
    assert violations() == {}
    tamper(f"UPDATE journal_texts SET description = 'bribe' WHERE entry_id = '{entries[1]}'")
    assert violations() == {"texts": [f"entry {entries[1]}: its texts do not fit their hash"]}


FORGED_LOT = """
INSERT INTO lots (organization_id, id, account_id, entry_id, bucket, amount, remaining, created_at)
SELECT organization_id, gen_random_uuid(), account_id, entry_id, bucket, 1000, 1000, created_at
FROM lots WHERE amount = 3
"""


@pytest.mark.parametrize(("sql", "check"), [
    ("UPDATE accounts SET available = available + 1 WHERE owner_type = 'PARTICIPANT'", "balances"),
    ("UPDATE lots SET remaining = remaining - 1 WHERE remaining > 5", "lots"),
    ("UPDATE lot_movements SET amount = amount + 1 WHERE amount = 3", "lot_lineage"),
    ("DELETE FROM lots WHERE amount = 3", "lots"), ("DELETE FROM lots WHERE amount = 3", "lot_lineage"),
    (FORGED_LOT, "lots"), (FORGED_LOT, "lot_lineage"),
    ("UPDATE system_balances SET balance = 0", "system_balances"),
])
def test_a_changed_state_is_named(entries: list[str], tamper: Tamper, sql: str, check: str) -> None:
    tamper(sql)
    assert check in violations()
    assert audit.run() > 0 or check == "system_balances"


def test_a_forged_wallet_is_named(funded_shop: Shop, tamper: Tamper) -> None:
    path = f"/v1/programs/{funded_shop.program}/assets/{funded_shop.asset}/fund"
    assert funded_shop.api.post(path, {"amount": "100"}).status_code == 200
    seal_everything()
    assert violations() == {}
    tamper("UPDATE accounts SET available = available + 50 WHERE owner_type = 'PROGRAM'")
    (found,) = violations()["wallets"]
    assert f"PROGRAM {funded_shop.program}" in found
    assert "150" in found


def test_the_application_may_not_change_the_journal(shop: Shop) -> None:
    import psycopg

    shop.give("5")
    for sql in ("UPDATE postings SET amount = 1", "DELETE FROM journal_entries", "TRUNCATE journal_seals"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction() as c:
            c.execute(sql)


def test_even_the_owner_of_the_tables_is_refused(shop: Shop, owner_connection: db.Connection) -> None:
    import psycopg

    shop.give("5")
    for sql in ("UPDATE postings SET amount = 1", "DELETE FROM lot_movements"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), owner_connection.transaction():
            owner_connection.execute(sql)
