"""Sealing follows commits: nothing is sealed early, nothing is forgotten, and it works after a restore."""

import psycopg
from psycopg.rows import dict_row

from app import db
from app.book import chain
from app.settings import settings
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
