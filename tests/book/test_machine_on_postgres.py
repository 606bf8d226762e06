"""The state machine of the ledger once more, every plan written to PostgreSQL and read back."""

from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from app import db
from app.book import check, post, read
from app.book.accounts import SYSTEM_TYPES, create_system_accounts
from app.domain.assets import Asset
from app.ledger.entries import Plan
from tests.ledger.books import Books
from tests.ledger.test_machine import LedgerMachine


class StoredBooks(Books):
    """Books whose changes go to the database, which must give back the very same accounts and lots."""

    def __init__(self, of: Asset) -> None:
        organization_id, asset_id = uuid4(), uuid4()
        with db.transaction() as c:
            made = create_system_accounts(c, organization_id, asset_id, db.read_clock(c))
        super().__init__(Asset(
            organization_id, asset_id, of.symbol, of.scale, of.mode, of.policy, of.archived,
            of.transaction_limit, *(made[each] for each in SYSTEM_TYPES),
        ))

    def apply(self, plan: Plan | None) -> Plan | None:
        """Write the plan, and compare."""
        super().apply(plan)
        if plan is not None:
            with db.transaction() as c:
                with c.pipeline():
                    post.write_plans(c, [plan], self.now)
                keys = [account.key for account in plan.accounts]
                stored = read.accounts_with_lots(c, keys)
            for account in plan.accounts:
                found = stored[account.key]
                assert (found.available, found.held, found.deferred, found.overdrawn) == (
                    account.available, account.held, account.deferred, account.overdrawn
                )
                if self.asset.has_lots and account.keeps_lots:
                    assert found.lots == account.lots
        return plan


class StoredMachine(LedgerMachine):
    """The machine on stored books."""

    def make_books(self, of: Asset) -> Books:
        return StoredBooks(of)


def run(examples: int) -> None:
    """Run the machine."""
    run_state_machine_as_test(StoredMachine, settings=settings(
        max_examples=examples, stateful_step_count=40, deadline=None,
        suppress_health_check=list(HealthCheck),
    ))
    with db.transaction() as c:
        for name in ("postings_balanced", "value_conservation", "balances", "wallets", "lot_lineage"):
            assert check.run(c, name).violations == 0, name


def test_what_is_planned_is_what_is_stored(database: str) -> None:
    run(15)


@pytest.mark.nightly
def test_what_is_planned_is_what_is_stored_at_length(database: str) -> None:
    run(300)
