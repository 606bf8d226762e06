"""Every operation of the ledger, in any order, against a second, slower telling of what it should do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from app.domain.amounts import EXACT
from app.domain.assets import Asset
from app.domain.errors import DomainError
from app.domain.names import Bucket, InventoryMode, IssuancePolicy, OwnerType
from app.ledger.accounts import Account, Lot
from app.ledger.credits import credit
from app.ledger.debits import debit
from app.ledger.due import expire, mature
from app.ledger.entries import Cause, MovementKind, Plan
from app.ledger.holds import forfeit, hold, release, void_hold
from app.ledger.lots import LotFilter
from app.ledger.redemptions import redeem, reverse
from app.ledger.transfers import transfer
from app.ledger.wallets import burn, fund
from tests.ledger.books import START, Books, asset, named
from tests.ledger.model import Model, Parcel, Refused

OWNERS = {"ann": OwnerType.PARTICIPANT, "bob": OwnerType.PARTICIPANT, "team": OwnerType.GROUP}
PROGRAMS = ("p", "q")
GRACE = 50
STEPS, STEPS_AT_LENGTH = 2_000, 20_000

owners = st.sampled_from(list(OWNERS))
programs = st.sampled_from(PROGRAMS)
units = st.integers(1, 40)
some_units = st.none() | units
buckets = st.sampled_from(["AVAILABLE", "AVAILABLE", "HELD"])
references = st.sampled_from(["r1", "r2"])
delays = st.none() | st.integers(-1, 14)


class LedgerMachine(RuleBasedStateMachine):
    """Runs each operation on the ledger and on the model, and compares what came of it."""

    steps: ClassVar[int] = 0

    @initialize(
        lots=st.sampled_from([True, True, False]), prefunded=st.booleans(), scale=st.sampled_from([0, 2, 18]),
        unit=st.sampled_from([1, 7, 10**15 + 1]),
    )
    def begin(self, lots: bool, prefunded: bool, scale: int, unit: int) -> None:
        mode = InventoryMode.LOT if lots else InventoryMode.SIMPLE
        policy = IssuancePolicy.PREFUNDED if prefunded else IssuancePolicy.UNLIMITED
        self.unit = unit
        self.books = self.make_books(asset(mode, policy, scale=scale))
        self.asset = self.books.asset
        self.model = Model(lots, prefunded)
        self.lot_ids: list[UUID] = []
        self.redemptions: list[tuple[str, UUID, int, list[tuple[Parcel, int]], int]] = []
        for program in PROGRAMS:
            self.books.account(program, OwnerType.PROGRAM)
        for name, owner_type in OWNERS.items():
            self.books.account(name, owner_type)
        # Value to begin with, so that what follows is more often possible than refused.
        if prefunded:
            self.fund_wallet("p", 400)
            self.fund_wallet("q", 80)
        for dates in ({}, {"expires": 6}, {"matures": 4, "expires": 9}, {"expires": 30}):
            for name in OWNERS:
                self.credit(name, "p", 20, **(dates if lots else {}))

    def make_books(self, of: Asset) -> Books:
        return Books(of)

    # Reading the model's whole units as the ledger's amounts and instants.

    def amount(self, count: int | None) -> Any:
        if count is None:
            return None
        return EXACT.scaleb(Decimal(count * self.unit), -self.asset.scale)

    def instant(self, at: int | None) -> datetime | None:
        return None if at is None else START + timedelta(seconds=at)

    def source(self, program: str) -> int | Account:
        if self.model.prefunded:
            return self.books.account(program, OwnerType.PROGRAM)
        return self.asset.issuance_account

    def how(self, program: str | None = None) -> dict[str, Any]:
        return {
            "cause": Cause(named(program) if program else None), "now": self.books.now, "ids": self.books.ids,
        }

    def both(self, model: Callable[[], Any], ledger: Callable[[], Plan | None]) -> tuple[Any, Plan | None]:
        """Run an operation on both; they must refuse the same ones."""
        try:
            expected = model()
            refused = False
        except Refused:
            expected, refused = None, True
        try:
            plan = ledger()
        except DomainError:
            assert refused, "the ledger refused what the model allows"
            self.books.refused()
            return None, None
        assert not refused, "the ledger allowed what the model refuses"
        self.books.apply(plan)
        if plan is not None:
            self.lot_ids += [lot.id for lot in plan.lots if lot.id not in self.lot_ids]
        return expected, plan

    # The operations.

    @rule(seconds=st.integers(1, 8))
    def let_time_pass(self, seconds: int) -> None:
        self.model.now += seconds
        self.books.advance(seconds)

    @rule(program=programs, count=units)
    def fund(self, program: str, count: int) -> None:
        self.fund_wallet(program, count * 3)

    def fund_wallet(self, program: str, count: int) -> None:
        self.both(
            lambda: self.model.fund(program, count),
            lambda: fund(
                self.books.account(program, OwnerType.PROGRAM), self.asset, self.amount(count),
                **self.how(program),
            ),
        )

    @rule(program=programs, count=units)
    def burn(self, program: str, count: int) -> None:
        self.both(
            lambda: self.model.burn(program, count),
            lambda: burn(
                self.books.account(program, OwnerType.PROGRAM), self.asset, self.amount(count),
                **self.how(program),
            ),
        )

    @rule(name=owners, program=programs, count=units)
    def credit_plainly(self, name: str, program: str, count: int) -> None:
        self.credit(name, program, count)

    @precondition(lambda self: self.model.lots)
    @rule(name=owners, program=programs, count=units, reference=references, expires=delays)
    def accrue(
        self, name: str, program: str, count: int, reference: str, expires: int | None
    ) -> None:
        self.credit(name, program, count, "HELD", reference=reference, expires=expires)

    @precondition(lambda self: self.model.lots)
    @rule(name=owners, program=programs, count=units, reference=references, expires=delays, matures=delays)
    def settle(
        self, name: str, program: str, count: int, reference: str, expires: int | None, matures: int | None
    ) -> None:
        self.credit(name, program, count, reference=reference, expires=expires, matures=matures)

    @rule(name=owners, program=programs, count=units, bucket=buckets, expires=delays, matures=delays)
    def credit_dated(
        self, name: str, program: str, count: int, bucket: str, expires: int | None, matures: int | None
    ) -> None:
        self.credit(name, program, count, bucket, expires=expires, matures=matures)

    def credit(
        self, name: str, program: str, count: int, bucket: str = "AVAILABLE", *, reference: str | None = None,
        expires: int | None = None, matures: int | None = None,
    ) -> None:
        expires_at = None if expires is None else self.model.now + expires
        matures_at = None if matures is None else self.model.now + matures
        self.both(
            lambda: self.model.credit(name, program, count, bucket, reference, expires_at, matures_at),
            lambda: credit(
                self.books.account(name), self.source(program), self.asset, self.amount(count),
                bucket=Bucket(bucket), reference_id=reference, expires_at=self.instant(expires_at),
                matures_at=self.instant(matures_at), **self.how(program),
            ),
        )

    @rule(name=owners, program=programs, count=units, bucket=buckets, overdraw=st.booleans(),
          adjust=st.booleans())
    def debit(
        self, name: str, program: str, count: int, bucket: str, overdraw: bool, adjust: bool
    ) -> None:
        self.both(
            lambda: self.model.debit(name, program, count, bucket, overdraw),
            lambda: debit(
                self.books.account(name), self.source(program), self.asset, self.amount(count),
                bucket=Bucket(bucket), allow_negative=overdraw, adjust=adjust, **self.how(program),
            ),
        )

    @rule(name=owners, count=units)
    def reserve_then_overdraw(self, name: str, count: int) -> None:
        """Reach the rare state on purpose: value in HELD while AVAILABLE is below zero."""
        self.hold(name, None, None, None)
        self.debit(name, "p", count, "AVAILABLE", overdraw=True, adjust=True)

    @precondition(lambda self: self.model.lots)
    @rule(name=owners, program=programs, count=units, settled=some_units, reference=references)
    def accrue_then_settle_or_void(
        self, name: str, program: str, count: int, settled: int | None, reference: str
    ) -> None:
        """Reach on purpose what by chance is rare: owner, program and reference that fit together."""
        self.credit(name, program, count, "HELD", reference=reference)
        if settled is None:
            self.void(name, program, reference)
        else:
            self.credit(name, program, settled, reference=reference)

    @rule(name=owners, count=some_units, reference=st.none() | references,
          pick=st.none() | st.none() | st.integers(1, 12))
    def hold(self, name: str, count: int | None, reference: str | None, pick: int | None) -> None:
        serials = None if pick is None else {pick, pick + 2, pick + 3}
        filters = None
        if serials is not None:
            chosen = [lot for place, lot in enumerate(self.lot_ids, start=1) if place in serials]
            filters = LotFilter(lot_ids=frozenset(chosen))
        self.both(
            lambda: self.model.hold(name, count, reference, serials),
            lambda: hold(
                self.books.account(name), self.asset, self.amount(count), filters=filters,
                reference_id=reference, **self.how(),
            ),
        )

    @rule(name=owners, count=some_units, reference=st.none() | references)
    def release(self, name: str, count: int | None, reference: str | None) -> None:
        self.both(
            lambda: self.model.release(name, count, reference),
            lambda: release(
                self.books.account(name), self.asset, self.amount(count), reference_id=reference, **self.how()
            ),
        )

    @rule(name=owners, count=some_units, bucket=buckets)
    def forfeit(self, name: str, count: int | None, bucket: str) -> None:
        self.both(
            lambda: self.model.forfeit(name, count, bucket),
            lambda: forfeit(
                self.books.account(name), self.asset, self.amount(count), Bucket(bucket), **self.how()
            ),
        )

    @rule(name=owners, program=programs, reference=references)
    def void(self, name: str, program: str, reference: str) -> None:
        self.both(
            lambda: self.model.void(name, program, reference),
            lambda: void_hold(
                self.books.account(name), self.source(program), self.asset, reference_id=reference,
                **self.how(program),
            ),
        )

    @precondition(lambda self: self.model.lots)
    @rule(name=owners, first=st.booleans())
    def run_the_background(self, name: str, first: bool) -> None:
        for duty in ("expiry", "maturity") if first else ("maturity", "expiry"):
            run = self.model.run_expiry if duty == "expiry" else self.model.run_maturity
            act = expire if duty == "expiry" else mature
            self.both(
                lambda run=run: run(name),
                lambda act=act: act(
                    self.books.account(name), self.asset, now=self.books.now, ids=self.books.ids
                ),
            )

    @rule(name=owners, recipients=st.lists(st.tuples(owners, units), min_size=1, max_size=3))
    def transfer(self, name: str, recipients: list[tuple[str, int]]) -> None:
        self.both(
            lambda: self.model.transfer(name, recipients),
            lambda: transfer(
                self.books.account(name),
                [(self.books.account(to), self.amount(count)) for to, count in recipients],
                self.asset, **self.how(),
            ),
        )

    @rule(name=owners, count=units)
    def redeem(self, name: str, count: int) -> None:
        taken, plan = self.both(
            lambda: self.model.redeem(name, count),
            lambda: redeem(
                self.books.account(name), self.asset.redemption_account, self.asset, self.amount(count),
                **self.how(),
            ),
        )
        if plan is not None:
            self.redemptions.append((name, plan.entry.id, count, taken, 0))

    @precondition(lambda self: any(before < count for _, _, count, _, before in self.redemptions))
    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        open_ones = [i for i, (_, _, count, _, before) in enumerate(self.redemptions) if before < count]
        place = data.draw(st.sampled_from(open_ones))
        name, entry_id, count, taken, before = self.redemptions[place]
        part = data.draw(st.integers(1, count - before))
        self.both(
            lambda: self.model.reverse(name, taken, before, part, GRACE),
            lambda: reverse(
                self.books.account(name), self.asset.redemption_account, self.asset, self.amount(part),
                consumed=self.consumed(entry_id), reversed_before=self.amount(before),
                grace=timedelta(seconds=GRACE), **self.how(),
            ),
        )
        self.redemptions[place] = (name, entry_id, count, taken, before + part)

    def consumed(self, entry_id: UUID) -> list[tuple[Lot, Decimal]]:
        return [
            (self.books.lots[movement.lot_id], -movement.amount)
            for movement in self.books.movements
            if movement.entry_id == entry_id and movement.kind is MovementKind.CONSUMED
        ]

    # What must hold after every step.

    @invariant()
    def the_books_are_consistent(self) -> None:
        if hasattr(self, "books"):
            self.books.check()

    @invariant()
    def ledger_and_model_agree(self) -> None:
        if not hasattr(self, "books"):
            return
        LedgerMachine.steps += 1
        for name, owner_type in OWNERS.items():
            account = self.books.account(name, owner_type)
            expected = tuple(self.amount(count) for count in self.model.balance(name))
            assert (account.available, account.held, account.deferred) == expected
        for program in PROGRAMS:
            wallet = self.books.account(program, OwnerType.PROGRAM)
            assert wallet.available == self.amount(self.model.wallets.get(program, 0))
        for name in OWNERS:
            assert self.lots_of_ledger(name) == self.lots_of_model(name)

    def lots_of_ledger(self, name: str) -> list[tuple[Any, ...]]:
        return [
            (lot.bucket, lot.remaining, lot.created_at, lot.expires_at, lot.matures_at, lot.reference_id,
             lot.provisional)
            for lot in self.books.account(name).lots or ()
        ]

    def lots_of_model(self, name: str) -> list[tuple[Any, ...]]:
        live = sorted(
            (p for p in self.model.owner(name).parcels if p.left), key=lambda p: (p.born, p.serial)
        )
        return [
            (p.bucket, self.amount(p.left), self.instant(p.born), self.instant(p.expires),
             self.instant(p.matures), p.reference, p.provisional)
            for p in live
        ]


def machine_run(examples: int) -> int:
    """Run the machine; returns how many steps were taken and compared."""
    LedgerMachine.steps = 0
    run_machine(LedgerMachine, settings=settings(
        max_examples=examples, stateful_step_count=50, deadline=None, print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    ))
    return LedgerMachine.steps


def test_any_order_of_all_operations() -> None:
    assert machine_run(80) >= STEPS


@pytest.mark.nightly
def test_any_order_of_all_operations_at_length() -> None:
    steps = machine_run(1200)
    print(f"{steps} steps agreed with the model")
    assert steps >= STEPS_AT_LENGTH
