"""A settle below, at, above and without a hold: what becomes of each lot, and from where value comes."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.names import Bucket, EntryType, InventoryMode, IssuancePolicy, OwnerType
from app.ledger.accounts import Account
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.entries import Cause
from app.ledger.holds import hold, release, void_hold
from tests.ledger.books import Books, asset, named

ISSUANCE = -1
HELD, AVAILABLE, DEFERRED = Bucket.HELD, Bucket.AVAILABLE, Bucket.DEFERRED


def how(books: Books, program: str = "p") -> dict[str, Any]:
    return {"cause": Cause(named(program)), "now": books.now, "ids": books.ids}


def give(
    books: Books, amount: int, bucket: Bucket = HELD, *, reference: str | None = "auth", program: str = "p",
    source: int | Account = ISSUANCE, **dates: Any,
) -> Any:
    """A credit under a reference: into HELD provisionally, into AVAILABLE as a settle."""
    return books.apply(credit(
        books.account("ann"), source, books.asset, Decimal(amount), bucket=bucket, reference_id=reference,
        **dates, **how(books, program),
    ))


def parcels(books: Books) -> list[tuple[Bucket, int, int, int]]:
    """Every live lot: bucket, remainder, seconds since its vintage, seconds to its expiry (0: none)."""
    return [
        (lot.bucket, int(lot.remaining), int((books.now - lot.created_at).total_seconds()),
         0 if lot.expires_at is None else int((lot.expires_at - books.now).total_seconds()))
        for lot in books.account("ann").lots or ()
    ]


@pytest.fixture
def books() -> Books:
    """Held provisionally: 4 that expire in 100 seconds, and a second later 6 that never do."""
    made = Books(asset(InventoryMode.LOT))
    give(made, 4, expires_at=made.now + timedelta(seconds=100))
    made.advance(1)
    give(made, 6)
    made.advance(9)
    return made


@pytest.mark.parametrize(("amount", "left", "to_issuance"), [
    (3, [(AVAILABLE, 3, 10, 90)], 7),
    (4, [(AVAILABLE, 4, 10, 90)], 6),
    (7, [(AVAILABLE, 4, 10, 90), (AVAILABLE, 3, 9, 0)], 3),
    (10, [(AVAILABLE, 4, 10, 90), (AVAILABLE, 6, 9, 0)], 0),
    (15, [(AVAILABLE, 4, 10, 90), (AVAILABLE, 6, 9, 0), (AVAILABLE, 5, 0, 0)], -5),
])
def test_a_settle_keeps_the_oldest_and_settles_the_rest_with_the_source(
    books: Books, amount: int, left: list[Any], to_issuance: int
) -> None:
    plan = give(books, amount, AVAILABLE)
    assert parcels(books) == left
    assert [entry.action_type for entry in plan.entries] == [EntryType.SETTLE]
    postings = {(p.account_id, p.bucket): int(p.amount) for p in plan.entry.postings}
    account = books.account("ann")
    expected = {(account.id, HELD): -10, (account.id, AVAILABLE): amount, (ISSUANCE, AVAILABLE): to_issuance}
    assert postings == {place: value for place, value in expected.items() if value}
    assert (plan.settle.held_amount, plan.settle.delta) == (10, amount - 10)
    assert all(lot.reference_id is None and not lot.provisional for lot in account.lots)
    books.check()
    with pytest.raises(errors.InsufficientFunds):
        void_hold(account, ISSUANCE, books.asset, reference_id="auth", **how(books))


def test_a_settle_without_a_hold_is_a_credit_that_says_so(books: Books) -> None:
    plan = give(books, 8, AVAILABLE, reference="other")
    assert plan.entry.action_type is EntryType.CREDIT
    assert (plan.settle.held_amount, plan.settle.delta) == (0, 8)
    assert parcels(books) == [(HELD, 4, 10, 90), (HELD, 6, 9, 0), (AVAILABLE, 8, 0, 0)]


def test_a_second_settle_finds_nothing_held(books: Books) -> None:
    give(books, 10, AVAILABLE)
    assert give(books, 2, AVAILABLE).entry.action_type is EntryType.CREDIT
    assert books.account("ann").available == 12


def test_what_a_hold_reserved_or_another_program_accrued_under_the_reference_stays(books: Books) -> None:
    give(books, 5, AVAILABLE, reference=None)
    books.apply(hold(books.account("ann"), books.asset, None, reference_id="auth", **how(books)))
    give(books, 2, program="q")
    give(books, 1, AVAILABLE)
    assert parcels(books) == [(AVAILABLE, 1, 10, 90), (HELD, 5, 0, 0), (HELD, 2, 0, 0)]
    released = books.apply(release(
        books.account("ann"), books.asset, None, reference_id="auth", **how(books)
    ))
    assert released.amount == 5
    voided = books.apply(void_hold(
        books.account("ann"), ISSUANCE, books.asset, reference_id="auth", **how(books, "q")
    ))
    assert voided.amount == 2
    books.check()


def test_the_top_up_carries_the_dates_of_the_settle_and_the_held_lots_their_own(books: Books) -> None:
    give(
        books, 12, AVAILABLE, matures_at=books.now + timedelta(seconds=5),
        expires_at=books.now + timedelta(seconds=50),
    )
    assert parcels(books) == [(AVAILABLE, 4, 10, 90), (AVAILABLE, 6, 9, 0), (DEFERRED, 2, 0, 50)]
    books.check()


def test_a_held_lot_past_its_date_expires_when_it_is_settled(books: Books) -> None:
    books.advance(90)
    plan = give(books, 10, AVAILABLE)
    assert [entry.action_type for entry in plan.entries] == [EntryType.SETTLE, EntryType.EXPIRATION]
    assert parcels(books) == [(AVAILABLE, 6, 99, 0)]
    assert plan.due[0].amount == 4
    books.check()


def test_a_settle_repays_an_overdraft(books: Books) -> None:
    books.apply(debit(
        books.account("ann"), ISSUANCE, books.asset, Decimal(7), allow_negative=True, **how(books)
    ))
    give(books, 10, AVAILABLE)
    assert books.account("ann").available == 3
    assert [(bucket, left) for bucket, left, _, _ in parcels(books)] == [(AVAILABLE, 3)]
    books.check()


@pytest.mark.parametrize(("funds", "amount", "left"), [(10, 6, 4), (10, 10, 0), (15, 15, 0), (14, 15, None)])
def test_a_settle_of_a_prefunded_asset_returns_to_and_draws_from_the_wallet(
    funds: int, amount: int, left: int | None
) -> None:
    books = Books(asset(InventoryMode.LOT, IssuancePolicy.PREFUNDED))
    books.account("p", OwnerType.PROGRAM)
    books.accounts[books.key("p")] = books.account("p").with_available(Decimal(funds))
    give(books, 10, source=books.account("p"))
    if left is None:
        with pytest.raises(errors.InsufficientFunds):
            give(books, amount, AVAILABLE, source=books.account("p"))
        return
    give(books, amount, AVAILABLE, source=books.account("p"))
    assert books.account("p").available == left
    assert books.account("ann").available == amount
