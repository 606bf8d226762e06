"""The edges of the ledger, each told as a case: the same microsecond, dates passed while held, many lots."""

import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.domain import errors
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType, InventoryMode, IssuancePolicy, OwnerType
from app.ledger.accounts import LotsNotLoaded
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.drafts import Draft
from app.ledger.due import expire, mature
from app.ledger.entries import LINES_MAX, Cause
from app.ledger.holds import forfeit, hold, release
from app.ledger.lots import LotFilter
from app.ledger.redemptions import redeem, reverse
from app.ledger.transfers import transfer
from tests.ledger.books import Books, asset, named

LOT = InventoryMode.LOT


def how(books: Books) -> dict[str, Any]:
    return {"cause": Cause(named("p")), "now": books.now, "ids": books.ids}


def give(books: Books, amount: str, **fields: Any) -> Any:
    return books.apply(credit(
        books.account("ann"), -1, books.asset, Decimal(amount), **fields, **how(books)
    ))


def spend(books: Books, amount: str, **fields: Any) -> Any:
    return books.apply(debit(
        books.account("ann"), -1, books.asset, Decimal(amount), **fields, **how(books)
    ))


@pytest.fixture
def books() -> Books:
    return Books(asset(LOT))


def test_a_lot_that_expires_in_this_very_microsecond_is_not_spent(books: Books) -> None:
    give(books, "10", expires_at=books.now + timedelta(seconds=1))
    give(books, "5")
    books.advance(1)
    with pytest.raises(errors.InsufficientFunds):
        spend(books, "6")
    plan = spend(books, "5")
    assert [entry.action_type for entry in plan.entries] == [EntryType.EXPIRATION, EntryType.DEBIT]
    assert plan.entry.action_type is EntryType.DEBIT
    assert plan.due[0].amount == 10
    books.check()


def test_a_lot_that_expires_one_microsecond_later_is_spent(books: Books) -> None:
    give(books, "10", expires_at=books.now + timedelta(seconds=1, microseconds=1))
    books.advance(1)
    assert len(spend(books, "10").entries) == 1


def test_releasing_an_expired_lot_while_overdrawn_repays_nothing(books: Books) -> None:
    give(books, "10", expires_at=books.now + timedelta(seconds=1))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    spend(books, "4", allow_negative=True)
    books.advance(1)
    plan = books.apply(release(books.account("ann"), books.asset, None, **how(books)))
    assert plan.entry.action_type is EntryType.RELEASE
    assert books.account("ann").available == -4
    books.check()


def test_both_ends_of_a_window_belong_to_it_and_it_may_be_one_instant(books: Books) -> None:
    instants = []
    for _ in range(3):
        give(books, "10")
        instants.append(books.now)
        books.advance(1)

    def held(first: int, last: int, later: int = 0, earlier: int = 0) -> Decimal:
        window = LotFilter(
            earned_from=instants[first] + timedelta(microseconds=later),
            earned_to=instants[last] - timedelta(microseconds=earlier),
        )
        return hold(books.account("ann"), books.asset, None, filters=window, **how(books)).amount

    assert [held(1, 1), held(0, 1), held(0, 2)] == [10, 20, 30]
    assert [held(0, 2, later=1), held(0, 2, earlier=1), held(0, 2, later=1, earlier=1)] == [20, 20, 10]
    with pytest.raises(errors.InvalidRequest, match="before earned_from"):
        held(1, 1, earlier=1)


def test_maturity_and_expiry_on_one_day_expire(books: Books) -> None:
    give(
        books, "10", matures_at=books.now + timedelta(seconds=1), expires_at=books.now + timedelta(seconds=2)
    )
    books.advance(3)
    assert mature(books.account("ann"), books.asset, now=books.now, ids=books.ids) is None
    plan = books.apply(expire(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    assert [(p.bucket, p.amount) for p in plan.entry.postings] == [
        (Bucket.DEFERRED, -10), (Bucket.AVAILABLE, 10)
    ]
    books.check()


def test_each_program_announces_the_expiry_of_its_own_lots(books: Books) -> None:
    for program in ("p", "q", "p"):
        books.apply(credit(
            books.account("ann"), -1, books.asset, Decimal(1), expires_at=books.now + timedelta(seconds=1),
            cause=Cause(named(program)), now=books.now, ids=books.ids,
        ))
    books.advance(1)
    plan = books.apply(expire(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    assert [(e.program_id, e.event_seq) for e in plan.entries] == [(named("p"), None), (named("q"), None)]
    assert [one.amount for one in plan.due] == [2, 1]
    assert plan.amount == 3


def test_an_expiry_is_due_when_its_last_lot_was(books: Books) -> None:
    for seconds in (2, 1):
        books.apply(credit(
            books.account("ann"), -1, books.asset, Decimal(1),
            expires_at=books.now + timedelta(seconds=seconds), cause=Cause(named("p")),
            now=books.now, ids=books.ids,
        ))
    last = books.now + timedelta(seconds=2)
    books.advance(5)
    plan = books.apply(expire(books.account("ann"), books.asset, now=books.now, ids=books.ids))
    assert [one.due_at for one in plan.due] == [last]


def test_a_reversal_beside_a_held_rest_makes_a_lot_of_its_own(books: Books) -> None:
    give(books, "10")
    spent = books.apply(redeem(books.account("ann"), -3, books.asset, Decimal(4), **how(books)))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    consumed = [(books.lots[spent.lots_processed[0].lot_id], Decimal(4))]
    books.apply(reverse(
        books.account("ann"), -3, books.asset, Decimal(4), consumed=consumed, grace=timedelta(hours=1),
        **how(books),
    ))
    account = books.account("ann")
    assert (account.available, account.held) == (4, 6)
    assert account.lots[1].parent_lot_id == account.lots[0].id
    books.check()


def test_a_reversal_finds_its_lot_again_where_the_held_rest_is_gone(books: Books) -> None:
    give(books, "10")
    spent = books.apply(redeem(books.account("ann"), -3, books.asset, Decimal(4), **how(books)))
    books.apply(hold(books.account("ann"), books.asset, None, **how(books)))
    books.apply(forfeit(books.account("ann"), books.asset, None, Bucket.HELD, **how(books)))
    lot_id = spent.lots_processed[0].lot_id
    books.apply(reverse(
        books.account("ann"), -3, books.asset, Decimal(4), consumed=[(books.lots[lot_id], Decimal(4))],
        grace=timedelta(hours=1), **how(books),
    ))
    assert [(lot.id, lot.remaining, lot.bucket) for lot in books.account("ann").lots] == [
        (lot_id, 4, Bucket.AVAILABLE)
    ]
    books.check()


@pytest.mark.parametrize("bucket", list(Bucket))
def test_an_entry_that_overdraws_by_mistake_is_a_bug(books: Books, bucket: Bucket) -> None:
    draft = Draft(books.asset, **how(books))
    owner = draft.open(books.account("ann"))
    entry = draft.start(EntryType.DEBIT)
    with pytest.raises(AssertionError, match=r"overdrew|below zero"):
        entry.post(owner, bucket, Decimal(-1))
    owner = draft.open(books.account("bob"))
    if bucket is Bucket.AVAILABLE:
        entry.post(owner, bucket, Decimal(-1), may_overdraw=True)
        entry.post(owner, bucket, Decimal("0.5"))  # Paying back leaves a debt without making one.
        assert (owner.close().available, owner.close().overdrawn) == (Decimal("-0.5"), True)


def test_an_account_tells_what_is_past_its_date_by_bucket(books: Books) -> None:
    give(books, "10", expires_at=books.now + timedelta(seconds=1))
    give(books, "5", expires_at=books.now + timedelta(seconds=1))
    give(books, "2", matures_at=books.now + timedelta(seconds=2), expires_at=books.now + timedelta(seconds=3))
    give(books, "1")
    assert books.account("ann").due(books.now) == {}
    books.advance(1)
    assert books.account("ann").due(books.now) == {Bucket.AVAILABLE: 15}
    books.advance(2)
    assert books.account("ann").due(books.now) == {Bucket.AVAILABLE: 15, Bucket.DEFERRED: 2}


def test_who_keeps_no_lots_goes_on_without() -> None:
    books = Books(asset(InventoryMode.SIMPLE))
    before = books.account("ann").lots
    assert before == ()
    assert give(books, "10").accounts[0].lots == before
    assert spend(books, "4").accounts[0].lots == before


@pytest.mark.parametrize(("fields", "refusal"), [
    ({"expires_at": timedelta(0)}, errors.ValidationError),
    ({"expires_at": timedelta(hours=1), "matures_at": timedelta(hours=1)}, errors.ValidationError),
])
def test_dates_that_cannot_be_are_refused(
    books: Books, fields: dict[str, timedelta], refusal: type[errors.DomainError]
) -> None:
    with pytest.raises(refusal):
        give(books, "1", **{name: books.now + value for name, value in fields.items()})


def test_a_maturity_in_the_past_is_available_at_once(books: Books) -> None:
    give(books, "1", matures_at=books.now - timedelta(hours=1))
    assert books.account("ann").available == 1


@pytest.mark.parametrize("field", ["expires_at", "matures_at", "reference_id"])
def test_fields_of_lots_are_refused_on_a_simple_asset(field: str) -> None:
    books = Books(asset())
    value = "r" if field == "reference_id" else books.now + timedelta(hours=1)
    with pytest.raises(errors.LotAssetRequired) as refusal:
        give(books, "1", **{field: value})
    assert field in refusal.value.details


@pytest.mark.parametrize(("amount", "refusal"), [
    ("0", errors.InvalidAmount), ("-1", errors.InvalidAmount), ("0.001", errors.InvalidAmount),
    ("100000000000000000000", errors.InvalidAmount),
])
@pytest.mark.parametrize("mode", list(InventoryMode))
def test_amounts_that_do_not_fit_are_refused(
    mode: InventoryMode, amount: str, refusal: type[errors.DomainError]
) -> None:
    with pytest.raises(refusal):
        give(Books(asset(mode)), amount)


def test_an_adjustment_with_too_many_decimals_has_a_code_of_its_own() -> None:
    with pytest.raises(errors.InvalidScale):
        give(Books(asset()), "0.001", adjust=True)


@pytest.mark.parametrize("mode", list(InventoryMode))
def test_a_balance_never_outgrows_its_column(mode: InventoryMode) -> None:
    books = Books(asset(mode, scale=18))
    most = Decimal("9" * 20 + "." + "9" * 18)
    give(books, str(most))
    assert books.account("ann").available == most
    with pytest.raises(errors.InvalidAmount):
        give(books, "0.000000000000000001")


def test_forfeits_and_holds_know_no_limit_but_debits_do() -> None:
    books = Books(asset(limit=Decimal(10)))
    for _ in range(3):
        give(books, "10")
    with pytest.raises(errors.TransactionLimitExceeded):
        spend(books, "10.01")
    books.apply(hold(books.account("ann"), books.asset, Decimal(25), **how(books)))
    books.apply(forfeit(books.account("ann"), books.asset, Decimal(25), Bucket.HELD, **how(books)))
    with pytest.raises(errors.TransactionLimitExceeded):
        give(books, "10.01")


def test_the_sum_of_a_transfer_counts_against_the_limit() -> None:
    books = Books(asset(limit=Decimal(10)))
    give(books, "10")
    give(books, "10")
    shares = [(books.account(name), Decimal(6)) for name in ("bob", "eve")]
    with pytest.raises(errors.TransactionLimitExceeded):
        transfer(books.account("ann"), shares, books.asset, **how(books))


def test_a_transfer_has_as_many_recipients_as_an_entry_has_lines() -> None:
    books = Books(asset())
    give(books, "1000")
    shares = [(books.account(f"p{n}"), Decimal(1)) for n in range(LINES_MAX)]
    with pytest.raises(errors.LimitExceeded):
        transfer(books.account("ann"), shares, books.asset, **how(books))
    books.apply(transfer(books.account("ann"), shares[1:], books.asset, **how(books)))
    books.check()


def test_a_wallet_pays_for_what_is_credited_and_not_a_cent_more() -> None:
    books = Books(asset(LOT, IssuancePolicy.PREFUNDED))
    wallet = books.account("p", OwnerType.PROGRAM)
    with pytest.raises(errors.InsufficientFunds):
        credit(books.account("ann"), wallet, books.asset, Decimal("0.01"), **how(books))


def test_lots_that_nobody_loaded_are_asked_for_only_where_they_matter(books: Books) -> None:
    give(books, "10")
    unknown = replace(books.account("ann"), lots=None, lots_complete=False)
    assert credit(unknown, -1, books.asset, Decimal(1), **how(books)).amount == 1
    with pytest.raises(errors.InsufficientFunds):
        debit(unknown, -1, books.asset, Decimal(11), **how(books))
    with pytest.raises(LotsNotLoaded) as more:
        debit(unknown, -1, books.asset, Decimal(5), **how(books))
    assert more.value.key == unknown.key
    give(books, "10")
    first = replace(books.account("ann"), lots=books.account("ann").lots[:1], lots_complete=False)
    assert debit(first, -1, books.asset, Decimal(10), **how(books)).accounts[0].lots == ()
    with pytest.raises(LotsNotLoaded):
        debit(first, -1, books.asset, Decimal(11), **how(books))


def test_ten_thousand_lots_are_spent_in_one_entry(books: Books) -> None:
    lots = []
    for batch in range(5):
        ids = TimeOrdered(books.now + timedelta(seconds=batch), entropy=7)
        account = replace(books.account("ann"), lots=None, lots_complete=False)
        for _ in range(2000):
            plan = credit(
                account, -1, books.asset, Decimal(1), cause=Cause(named("p")), now=books.now, ids=ids
            )
            lots.append(plan.lots[0])
    whole = replace(
        books.account("ann"), available=Decimal(len(lots)), lots=tuple(lots), lots_complete=True
    )
    started = time.process_time()
    spent = debit(whole, -1, books.asset, Decimal(10_000), **how(books))
    assert len(spent.movements) == 10_000
    assert spent.accounts[0].lots == ()
    assert time.process_time() - started < 2, "a spend of 10,000 lots takes a fraction of a second"
