"""A reversal restores lots last consumed first, in whatever order and number of parts, to the last digit."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain.names import InventoryMode
from app.ledger.credits import credit
from app.ledger.entries import Cause, MovementKind
from app.ledger.redemptions import redeem, reverse
from tests.ledger.books import Books, asset, named

LOTS = (Decimal("0.000000000000000001"), Decimal("2.5"), Decimal("1.000000000000000003"))
WHOLE = sum(LOTS)
PARTS = (Decimal("0.000000000000000002"), Decimal("1.25"), Decimal("0.5"))
GRACE = timedelta(hours=5)


def how(books: Books) -> dict[str, Any]:
    return {"cause": Cause(named("p")), "now": books.now, "ids": books.ids}


def sold(life: timedelta | None = None) -> tuple[Books, Any]:
    """Books in which three lots were given and redeemed at once."""
    books = Books(replace(asset(InventoryMode.LOT), scale=18))
    for amount in LOTS:
        expires_at = None if life is None else books.now + life
        books.apply(credit(
            books.account("ann"), -1, books.asset, amount, expires_at=expires_at, **how(books)
        ))
        books.advance(1)
    plan = books.apply(redeem(
        books.account("ann"), books.asset.redemption_account, books.asset, WHOLE, **how(books)
    ))
    return books, plan


def give_back(books: Books, plan: Any, amount: Decimal, before: Decimal) -> None:
    consumed = [
        (books.lots[move.lot_id], -move.amount) for move in books.movements
        if move.entry_id == plan.entry.id and move.kind is MovementKind.CONSUMED
    ]
    books.apply(reverse(
        books.account("ann"), books.asset.redemption_account, books.asset, amount, consumed=consumed,
        reversed_before=before, grace=GRACE, **how(books),
    ))
    books.check()


def expected(returned: Decimal) -> list[Decimal]:
    """What stands in the three lots when so much is returned: the newest is filled first."""
    filled = []
    for amount in reversed(LOTS):
        part = min(amount, returned)
        returned -= part
        filled.append(part)
    return [part for part in reversed(filled) if part]


@pytest.mark.parametrize("parts", [
    parts for count in range(len(PARTS) + 1) for parts in itertools.permutations(PARTS, count)
])
def test_parts_in_every_order_and_number_fill_the_newest_first(parts: tuple[Decimal, ...]) -> None:
    books, plan = sold()
    before = Decimal(0)
    for part in (*parts, WHOLE - sum(parts)):
        give_back(books, plan, part, before)
        before += part
        assert [lot.remaining for lot in books.account("ann").lots or ()] == expected(before)
    assert books.account("ann").available == WHOLE
    assert [lot.amount for lot in books.account("ann").lots or ()] == list(LOTS)


def test_an_expired_lot_comes_back_with_grace_and_the_others_with_their_own_date() -> None:
    books, plan = sold(timedelta(seconds=5))
    dates = {lot.id: lot.expires_at for lot in books.lots.values()}
    books.advance(2)  # The first lot's date is this very second, the second's one later.
    give_back(books, plan, WHOLE, Decimal(0))
    first, *others = books.account("ann").lots or ()
    assert first.expires_at == books.now + GRACE
    assert [lot.expires_at for lot in others] == [dates[lot.id] for lot in others]
