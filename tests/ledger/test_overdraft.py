"""An overdraft and its repayment: by whatever arrives in AVAILABLE, from its lots, to the last cent."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.names import Bucket, EntryType, InventoryMode
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.due import mature
from app.ledger.entries import Cause, MovementKind
from app.ledger.holds import forfeit, hold, release
from app.ledger.redemptions import redeem, reverse
from app.ledger.transfers import transfer
from tests.ledger.books import Books, asset, named

TEN = Decimal(10)
LOT, SIMPLE = InventoryMode.LOT, InventoryMode.SIMPLE


def how(books: Books) -> dict[str, Any]:
    return {"cause": Cause(named("p")), "now": books.now, "ids": books.ids}


def give(books: Books, amount: Decimal = TEN, name: str = "ann", **fields: Any) -> Any:
    return books.apply(credit(books.account(name), -1, books.asset, amount, **fields, **how(books)))


def overdraw(books: Books, amount: Decimal) -> Any:
    return books.apply(debit(
        books.account("ann"), -1, books.asset, amount, allow_negative=True, **how(books)
    ))


def matured(books: Books) -> Any:
    books.advance(5)
    return books.apply(mature(books.account("ann"), books.asset, now=books.now, ids=books.ids))


def reversed_(books: Books, spent: Any) -> Any:
    consumed = [(books.lots[part.lot_id], part.amount) for part in spent.lots_processed]
    return books.apply(reverse(
        books.account("ann"), -3, books.asset, TEN, consumed=consumed, grace=timedelta(hours=1), **how(books)
    ))


def received(books: Books) -> Any:
    return books.apply(transfer(
        books.account("bob"), [(books.account("ann"), TEN)], books.asset, **how(books)
    ))


# What has to be there before the overdraft, and how ten then arrive.
ARRIVALS: dict[EntryType, tuple[Callable[[Books], Any], Callable[[Books, Any], Any]]] = {
    EntryType.CREDIT: (lambda b: None, lambda b, _: give(b)),
    EntryType.ADJUST_CREDIT: (lambda b: None, lambda b, _: give(b, adjust=True)),
    EntryType.SETTLE: (
        lambda b: give(b, bucket=Bucket.HELD, reference_id="r"), lambda b, _: give(b, reference_id="r"),
    ),
    EntryType.MATURITY: (
        lambda b: give(b, matures_at=b.now + timedelta(seconds=5)), lambda b, _: matured(b),
    ),
    EntryType.RELEASE: (
        lambda b: give(b) and b.apply(hold(b.account("ann"), b.asset, None, **how(b))),
        lambda b, _: b.apply(release(b.account("ann"), b.asset, None, **how(b))),
    ),
    EntryType.TRANSFER: (lambda b: give(b, name="bob"), lambda b, _: received(b)),
    EntryType.REDEMPTION_REVERSAL: (
        lambda b: give(b) and b.apply(redeem(b.account("ann"), -3, b.asset, TEN, **how(b))), reversed_,
    ),
}
OF_LOTS_ONLY = (EntryType.SETTLE, EntryType.MATURITY)
CASES = [
    (mode, kind) for mode in (LOT, SIMPLE) for kind in ARRIVALS if mode is LOT or kind not in OF_LOTS_ONLY
]


@pytest.mark.parametrize(("mode", "kind"), CASES)
@pytest.mark.parametrize("debt", ["0.01", "9.99", "10", "10.01", "25"])
def test_whatever_arrives_repays_first(mode: InventoryMode, kind: EntryType, debt: str) -> None:
    books = Books(asset(mode))
    before, arrive = ARRIVALS[kind]
    prepared = before(books)
    overdraw(books, Decimal(debt))
    assert (books.account("ann").available, books.account("ann").overdrawn) == (-Decimal(debt), True)
    plan = arrive(books, prepared)
    assert plan.entry.action_type is kind
    account = books.account("ann")
    left = TEN - Decimal(debt)
    assert (account.available, account.overdrawn) == (left, left < 0)
    books.check()
    if mode is LOT:
        repaid = [m for m in plan.movements if m.kind is MovementKind.REPAID]
        assert [movement.amount for movement in repaid] == [-min(TEN, Decimal(debt))]
        lot = books.lots[repaid[0].lot_id]
        assert (lot.amount, lot.remaining) == (TEN, max(left, Decimal(0)))


@pytest.mark.parametrize("mode", [LOT, SIMPLE])
def test_what_is_overdrawn_cannot_be_spent_and_may_be_overdrawn_more(mode: InventoryMode) -> None:
    books = Books(asset(mode))
    give(books)
    overdraw(books, Decimal("12.50"))
    one = Decimal("0.01")
    for refused in (
        lambda: debit(books.account("ann"), -1, books.asset, one, **how(books)),
        lambda: redeem(books.account("ann"), -3, books.asset, one, **how(books)),
        lambda: hold(books.account("ann"), books.asset, None, **how(books)),
        lambda: forfeit(books.account("ann"), books.asset, one, Bucket.AVAILABLE, **how(books)),
        lambda: transfer(books.account("ann"), [(books.account("bob"), one)], books.asset, **how(books)),
    ):
        with pytest.raises(errors.InsufficientFunds):
            refused()
    overdraw(books, one)
    assert books.account("ann").available == Decimal("-2.51")
    books.check()


def test_an_overdraft_takes_the_lots_first_and_leaves_held_value_alone() -> None:
    books = Books(asset(LOT))
    give(books, Decimal(4))
    give(books, Decimal(3))
    books.apply(hold(books.account("ann"), books.asset, Decimal(2), **how(books)))
    plan = overdraw(books, Decimal(9))
    assert [part.amount for part in plan.lots_processed] == [2, 3]
    account = books.account("ann")
    assert (account.available, account.held) == (-4, 2)
    assert [lot.bucket for lot in account.lots] == [Bucket.HELD]
    books.check()
    with pytest.raises(errors.InvalidRequest):
        debit(
            account, -1, books.asset, Decimal(1), bucket=Bucket.HELD, allow_negative=True, **how(books)
        )


def test_a_provisional_credit_repays_only_when_it_is_settled() -> None:
    books = Books(asset(LOT))
    overdraw(books, Decimal(5))
    give(books, bucket=Bucket.HELD, reference_id="r")
    assert (books.account("ann").available, books.account("ann").held) == (-5, 10)
    give(books, Decimal(7), reference_id="r")
    assert (books.account("ann").available, books.account("ann").held) == (2, 0)
    books.check()
