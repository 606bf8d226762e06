"""Ten thousand lots behind one balance: reading it passes them by, a spend takes them all."""

from typing import Any
from uuid import UUID

import pytest

from app import db
from app.book import owner_balances
from tests.book.conftest import Shop, Tamper, seal_everything, violations

LOTS = 10_000
RATIO_MAX = 3

# As so many credits would have left them: the account is the sum of its lots, a lot that of its movements.
MANY = f"""
INSERT INTO lots (organization_id, id, account_id, entry_id, program_id, bucket, amount, remaining,
    created_at, expires_at)
SELECT organization_id, gen_random_uuid(), account_id, entry_id, program_id, bucket, amount, amount,
    created_at + make_interval(secs => n), created_at + interval '1 year'
FROM lots CROSS JOIN generate_series(2, {LOTS}) n WHERE account_id = ACCOUNT;
INSERT INTO lot_movements (organization_id, entry_id, line, lot_id, kind, amount)
SELECT organization_id, entry_id, row_number() OVER (ORDER BY id) + 1, id, 'CREATED', amount
FROM lots WHERE account_id = ACCOUNT AND expires_at IS NOT NULL;
UPDATE postings SET amount = amount * {LOTS} WHERE entry_id = (SELECT entry_id FROM lots
    WHERE account_id = ACCOUNT LIMIT 1);
UPDATE accounts SET available = available * {LOTS} WHERE id = ACCOUNT;
ANALYZE lots;
"""


class Watched:
    """A connection that tells how many pages a statement looks at."""

    def __init__(self, c: db.Connection) -> None:
        self.c = c
        self.pages = 0

    def execute(self, sql: str, values: Any) -> Any:
        row = self.c.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values).fetchone()
        assert row is not None
        plan = row["QUERY PLAN"][0]["Plan"]
        self.pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
        return self.c.execute(sql, values)


@pytest.fixture
def crowded(lot_shop: Shop, tamper: Tamper) -> Shop:
    """One participant with 10,000 lots of 1.00 each, and another with one."""
    lot_shop.give("1")
    with db.connection() as c:
        (row,) = c.execute("SELECT account_id FROM lots").fetchall()
    tamper(MANY.replace("ACCOUNT", str(row["account_id"])))
    return lot_shop


def test_a_balance_is_read_without_its_lots(crowded: Shop) -> None:
    poor = crowded.api.participant("poor", program_id=crowded.program)
    assert crowded.act("adjust", poor, type="CREDIT", amount="1").status_code == 200
    pages = []
    with db.connection() as c:
        watched: Any = Watched(c)
        now = db.read_clock(c)
        for person, expected in ((crowded.person, LOTS), (poor, 1)):
            found = owner_balances.of_owner(watched, crowded.api.organization_id, UUID(person), now)
            assert [balance.available for balance in found] == [expected]
            pages.append(watched.pages)
    assert pages[0] <= RATIO_MAX * pages[1], pages


def test_a_spend_takes_them_all(crowded: Shop) -> None:
    answer = crowded.act("adjust", type="DEBIT", amount=str(LOTS))
    assert answer.status_code == 200, answer.json
    assert answer.json["balance"]["available"] == "0.00"
    with db.connection() as c:
        rows = c.execute("SELECT count(*) AS left FROM lots WHERE remaining > 0").fetchall()
    assert rows == [{"left": 0}]
    seal_everything()
    assert violations() == {}
