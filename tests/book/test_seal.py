"""Sealing follows commits: nothing is sealed early, nothing is forgotten, and it works after a restore."""

import time
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from app import db
from app.book import chain, seal
from app.domain.amounts import EXACT
from app.settings import settings
from tests.api.client import Caller
from tests.api_balances.conftest import open_shop
from tests.book.conftest import Shop, Tamper, seal_everything, violations

_FORGE = """
INSERT INTO journal_entries (organization_id, id, asset_id, action_type, created_at)
SELECT organization_id, gen_random_uuid(), asset_id, 'CREDIT', created_at FROM journal_entries LIMIT 1
RETURNING id
"""


def sealed(shop: Shop) -> int:
    """Return how many entries are sealed."""
    with db.connection() as c:
        head = chain.head(c, shop.api.organization_id)
    return 0 if head is None else head.sequence_number


def test_nothing_is_sealed_while_an_older_transaction_runs(shop: Shop) -> None:
    shop.give("1")
    seal_everything()
    slow = psycopg.connect(settings().database_url, row_factory=dict_row)
    with slow:
        late = slow.execute(_FORGE).fetchone()["id"]
        shop.give("2")
        seal_everything()
        assert sealed(shop) == 1, "the later entry must wait for the older transaction"
        slow.commit()
    seal_everything()
    with db.connection() as c:
        links = list(chain.links(c, shop.api.organization_id, 0, 3))
    assert links[1].entry_id == late
    assert len(links) == 3


def test_a_rolled_back_transaction_leaves_no_gap(shop: Shop) -> None:
    shop.give("1")
    with db.connection() as c, c.transaction(force_rollback=True):
        c.execute(_FORGE)
    shop.give("2")
    seal_everything()
    assert sealed(shop) == 2
    assert violations() == {}


def test_a_restored_database_goes_on_sealing(shop: Shop, tamper: Tamper) -> None:
    """In another cluster the numbers of transactions begin anew, far below those that were sealed."""
    shop.give("1")
    seal_everything()
    tamper("UPDATE seal_horizon SET transaction_id = 9000000000000")
    shop.give("2")
    seal_everything()
    shop.give("3")
    seal_everything()
    assert sealed(shop) == 3
    assert violations() == {}


def test_the_system_may_have_issued_more_than_one_balance_can_hold(api: Caller) -> None:
    """Two people with as much as can be: the sum has a digit more, and sealing must not stop for anybody."""
    place = open_shop(api, "WIDE", scale=18)
    most = "9" * 20 + "." + "9" * 18
    for person in (place.person, api.participant("bob")):
        assert place.act("adjust", person, type="CREDIT", amount=most).status_code == 200
        assert place.act("forfeit", person, bucket="AVAILABLE").status_code == 200
        assert place.act("adjust", person, type="CREDIT", amount=most).status_code == 200
    seal_everything()
    assert sealed(place) == 6
    assert violations() == {}
    with db.connection() as c:
        rows = c.execute("SELECT balance FROM system_balances ORDER BY 1").fetchall()
    assert [row["balance"] for row in rows] == [EXACT.multiply(Decimal(most), times) for times in (-4, 2)]
    report = api.get("/v1/reports/integrity").json
    assert report["all_passed"] is True
    assert report["hash_chain"]["entries_verified"] == 6


def test_sums_of_system_accounts_follow_the_seals(shop: Shop) -> None:
    shop.give("5")
    shop.act("forfeit", amount="2", bucket="AVAILABLE")
    seal_everything()
    with db.connection() as c:
        rows = c.execute(
            "SELECT a.owner_type, b.balance FROM system_balances b JOIN accounts a"
            " ON a.organization_id = b.organization_id AND a.id = b.account_id ORDER BY 1"
        ).fetchall()
    assert [(row["owner_type"], int(row["balance"])) for row in rows] == [
        ("SYSTEM_BREAKAGE", 2), ("SYSTEM_ISSUANCE", -5)
    ]


# As so many postings in one transaction would have left them, behind the balances' back.
_MANY = """
WITH first AS (SELECT * FROM journal_entries ORDER BY id LIMIT 1), made AS (
    INSERT INTO journal_entries (organization_id, id, asset_id, action_type, created_at)
    SELECT organization_id, gen_random_uuid(), asset_id, action_type, created_at
    FROM first CROSS JOIN generate_series(1, {count}) RETURNING organization_id, id
)
INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
SELECT m.organization_id, m.id, p.line, p.account_id, p.bucket, p.amount
FROM made m CROSS JOIN postings p WHERE p.entry_id = (SELECT id FROM first)
"""


def in_order(shop: Shop) -> list[UUID]:
    """Return the entries as the chain should hold them: by transaction, and by id within one."""
    with db.connection() as c:
        rows = c.execute("SELECT id FROM journal_entries ORDER BY transaction_id, id").fetchall()
    return [row["id"] for row in rows]


def chained(shop: Shop) -> list[UUID]:
    """Return the entries as the chain holds them."""
    with db.connection() as c:
        rows = c.execute("SELECT entry_id FROM journal_seals ORDER BY sequence_number").fetchall()
    return [row["entry_id"] for row in rows]


def steps_to_the_end() -> list[int]:
    """Seal until nothing is left, from a large step on; returns how many entries each step sealed."""
    taken = []
    more = True
    while more:
        with db.transaction() as c:
            done = seal.seal_step(c, db.read_clock(c), 1_000)
        taken.append(done.entries)
        more = done.more
    return taken


def test_a_step_is_bounded_by_its_entries_too(
    shop: Shop, tamper: Tamper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seal, "ENTRIES_MAX", 7)
    shop.give("1")
    tamper(_MANY.format(count=30))  # More than a step may hold: in parts.
    for _ in range(5):
        tamper(_MANY.format(count=3))  # Two of them fit.
    taken = steps_to_the_end()
    assert sum(taken) == 46
    assert max(taken) == 7
    assert chained(shop) == in_order(shop)
    assert "hash_chain" not in violations()


@pytest.mark.nightly
def test_the_largest_transactions_are_sealed_in_time(shop: Shop, tamper: Tamper) -> None:
    """All within the first step by the number of transactions, which is what sealing begins with."""
    shop.give("1")
    for _ in range(40):
        tamper(_MANY.format(count=5_000))
    tamper(_MANY.format(count=200_000))
    began = time.monotonic()
    seal_everything()
    print(f"400,001 entries of 42 transactions are sealed in {time.monotonic() - began:.0f} s")
    assert chained(shop) == in_order(shop)
