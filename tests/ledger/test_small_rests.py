"""Rests of one and of nothing: what a refusal says is there, and a lot whose last point is held."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.names import Bucket, InventoryMode, OwnerType
from app.ledger.accounts import Account
from app.ledger.checks import refuse_short
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.entries import Cause, MovementKind
from app.ledger.holds import hold, release
from app.ledger.redemptions import redeem, reverse
from tests.ledger.books import Books, asset, named


def how(books: Books) -> dict[str, Any]:
    return {"cause": Cause(named("p")), "now": books.now, "ids": books.ids}


@pytest.mark.parametrize(("there", "shown"), [
    ("-3", "0.00"), ("0", "0.00"), ("0.5", "0.50"), ("2", "2.00"),
])
def test_a_refusal_says_what_is_there_and_never_less_than_nothing(there: str, shown: str) -> None:
    refusal = refuse_short(asset(), "available", Decimal(there), Decimal(4))
    assert refusal.message == f"Insufficient funds: available {shown} POINTS, needed 4.00"


def test_an_empty_account_is_said_to_be_empty() -> None:
    books = Books(asset())
    with pytest.raises(errors.InsufficientFunds, match=r"available 0\.00 POINTS, needed 4\.00"):
        debit(books.account("ann"), -1, books.asset, Decimal(4), **how(books))


@pytest.mark.parametrize("rest", ["1", "0.01"])
def test_a_reversal_beside_the_smallest_held_rest_leaves_that_held(rest: str) -> None:
    books = Books(asset(InventoryMode.LOT))
    books.apply(credit(books.account("ann"), -1, books.asset, 4 + Decimal(rest), **how(books)))
    spent = books.apply(redeem(books.account("ann"), -3, books.asset, Decimal(4), **how(books)))
    assert spent is not None
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    lot_id = spent.lots_processed[0].lot_id
    books.apply(reverse(
        books.account("ann"), -3, books.asset, Decimal(4), consumed=[(books.lots[lot_id], Decimal(4))],
        grace=timedelta(hours=1), **how(books),
    ))
    account = books.account("ann")
    assert (account.available, account.held) == (4, Decimal(rest))
    assert [(lot.remaining, lot.bucket) for lot in account.lots or ()] == [
        (Decimal(rest), Bucket.HELD), (4, Bucket.AVAILABLE)
    ]
    books.check()


def test_an_account_of_which_nobody_said_so_does_not_know_all_its_lots() -> None:
    key = Books(asset(InventoryMode.LOT)).key("ann")
    account = Account(key.organization_id, 1, OwnerType.PARTICIPANT, key.owner_id, key.asset_id)
    assert (account.overdrawn, account.lots, account.lots_complete) == (False, None, False)
    with pytest.raises(AssertionError, match="nobody loaded"):
        account.due(Books(asset()).now)


def test_value_that_arrives_where_nothing_is_owed_repays_nothing() -> None:
    books = Books(asset(InventoryMode.LOT))
    books.apply(credit(books.account("ann"), -1, books.asset, Decimal(4), **how(books)))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    books.apply(release(books.account("ann"), books.asset, None, **how(books)))
    assert MovementKind.REPAID not in {each.kind for each in books.movements}
    assert all(each.amount for each in books.movements)


def test_a_redemption_with_too_many_decimals_has_an_amount_that_is_invalid() -> None:
    books = Books(asset())
    with pytest.raises(errors.InvalidAmount) as refusal:
        redeem(books.account("ann"), -3, books.asset, Decimal("0.001"), **how(books))
    assert type(refusal.value) is errors.InvalidAmount


@pytest.mark.parametrize("debt", ["0.01", "1"])
def test_the_smallest_debt_is_repaid(debt: str) -> None:
    books = Books(asset(InventoryMode.LOT))
    overdraft = debit(
        books.account("ann"), -1, books.asset, Decimal(debt), allow_negative=True, **how(books)
    )
    books.apply(overdraft)
    books.apply(credit(books.account("ann"), -1, books.asset, Decimal(4), **how(books)))
    account = books.account("ann")
    assert [lot.remaining for lot in account.lots or ()] == [account.available] == [4 - Decimal(debt)]
    books.check()
