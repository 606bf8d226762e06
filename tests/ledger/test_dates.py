"""Dates of lots to the microsecond, for every way in which value leaves, and for lots that return late."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.names import Bucket, EntryType, InventoryMode
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.due import expire, mature
from app.ledger.entries import Cause
from app.ledger.holds import forfeit, hold, release
from app.ledger.redemptions import redeem, reverse
from app.ledger.transfers import transfer
from tests.ledger.books import Books, asset, named

GRACE = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)


def how(books: Books) -> dict[str, Any]:
    return {"cause": Cause(named("p")), "now": books.now, "ids": books.ids}


def give(books: Books, amount: int, **dates: Any) -> Any:
    return books.apply(credit(
        books.account("ann"), -1, books.asset, Decimal(amount), **dates, **how(books)
    ))


SPENDS: dict[EntryType, Callable[[Books, Decimal], Any]] = {
    EntryType.DEBIT: lambda b, a: debit(b.account("ann"), -1, b.asset, a, **how(b)),
    EntryType.HOLD: lambda b, a: hold(b.account("ann"), b.asset, a, **how(b)),
    EntryType.FORFEIT: lambda b, a: forfeit(b.account("ann"), b.asset, a, Bucket.AVAILABLE, **how(b)),
    EntryType.REDEMPTION: lambda b, a: redeem(b.account("ann"), -3, b.asset, a, **how(b)),
    EntryType.TRANSFER: lambda b, a: transfer(b.account("ann"), [(b.account("bob"), a)], b.asset, **how(b)),
}


@pytest.mark.parametrize("kind", list(SPENDS))
@pytest.mark.parametrize(("late", "usable"), [(-1, True), (0, False), (1, False)])
def test_the_microsecond_of_its_expiry_is_too_late_for_every_spend(
    kind: EntryType, late: int, usable: bool
) -> None:
    books = Books(asset(InventoryMode.LOT))
    give(books, 10, expires_at=books.now + timedelta(seconds=1))
    give(books, 5)
    books.now += timedelta(seconds=1) + late * MICROSECOND
    if usable:
        plan = books.apply(SPENDS[kind](books, Decimal(15)))
        assert [entry.action_type for entry in plan.entries] == [kind]
    else:
        with pytest.raises(errors.InsufficientFunds):
            SPENDS[kind](books, Decimal(6))
        plan = books.apply(SPENDS[kind](books, Decimal(5)))
        assert [entry.action_type for entry in plan.entries] == [EntryType.EXPIRATION, kind]
    books.check()


@pytest.mark.parametrize(("late", "ripe"), [(-1, False), (0, True), (1, True)])
def test_value_matures_in_the_microsecond_of_its_maturity(late: int, ripe: bool) -> None:
    books = Books(asset(InventoryMode.LOT))
    give(books, 10, matures_at=books.now + timedelta(seconds=1))
    books.now += timedelta(seconds=1) + late * MICROSECOND
    plan = books.apply(mature(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    assert (plan is not None) is ripe
    assert books.account("ann").available == (10 if ripe else 0)
    books.check()


@pytest.mark.parametrize(("late", "back"), [(-1, 10), (0, 0), (1, 0)])
def test_a_held_lot_that_is_released_past_its_date_expires_at_once(late: int, back: int) -> None:
    books = Books(asset(InventoryMode.LOT))
    give(books, 10, expires_at=books.now + timedelta(seconds=1))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    books.now += timedelta(seconds=1) + late * MICROSECOND
    assert expire(books.account("ann"), books.asset, now=books.now, ids=books.ids) is None, "held"
    plan = books.apply(release(books.account("ann"), books.asset, None, **how(books)))
    account = books.account("ann")
    assert (account.available, account.held, plan.amount) == (back, 0, 10)
    kinds = [entry.action_type for entry in plan.entries]
    assert kinds == ([EntryType.RELEASE] if back else [EntryType.RELEASE, EntryType.EXPIRATION])
    assert plan.entry.action_type is EntryType.RELEASE
    books.check()


@pytest.mark.parametrize("taken", [4, 10])
@pytest.mark.parametrize("posted", [False, True])
@pytest.mark.parametrize(("late", "expired"), [(-1, False), (0, True), (5, True)])
def test_a_reversal_into_a_lot_past_its_date_gives_grace_and_no_more(
    late: int, expired: bool, posted: bool, taken: int
) -> None:
    """Whether its rest was posted as expired or still stood in it; the rest does not come back."""
    books = Books(asset(InventoryMode.LOT))
    date = books.now + timedelta(seconds=1)
    give(books, 10, expires_at=date)
    spent = books.apply(redeem(books.account("ann"), -3, books.asset, Decimal(taken), **how(books)))
    books.now = date + late * MICROSECOND
    if posted:
        books.apply(expire(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    lot = books.lots[spent.lots_processed[0].lot_id]
    books.apply(reverse(
        books.account("ann"), -3, books.asset, Decimal(taken), consumed=[(lot, Decimal(taken))], grace=GRACE,
        **how(books),
    ))
    back = books.lots[lot.id]
    assert (back.remaining, back.expires_at) == ((taken, books.now + GRACE) if expired else (10, date))
    assert books.account("ann").available == back.remaining
    books.check()
    books.now += GRACE
    books.apply(expire(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    assert books.account("ann").available == 0
    books.check()


def test_a_release_splits_and_expires_only_what_it_gives_back() -> None:
    books = Books(asset(InventoryMode.LOT))
    give(books, 10, expires_at=books.now + timedelta(seconds=1))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    books.advance(2)
    books.apply(release(books.account("ann"), books.asset, Decimal(3), **how(books)))
    account = books.account("ann")
    assert (account.available, account.held) == (0, 7)
    parents = {lot.parent_lot_id for lot in books.lots.values()}
    assert parents == {None, next(lot.id for lot in books.lots.values() if lot.parent_lot_id is None)}
    books.check()
